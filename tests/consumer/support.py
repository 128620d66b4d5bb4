"""Records, and a shard whose lease is held, for the tests of the consumer."""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests import virtual_time
from tests.virtual_time import VirtualTimeLoop
from truckstream.consumer.leases.lease import TRIM_HORIZON, Checkpoint, PendingCheckpoint
from truckstream.errors import LeaseLostError
from truckstream.kinesis.reading.shard_record import ShardRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHARD = "shardId-000000000000"


def on_virtual_time(
    test: Callable[..., Any], *, make_loop: Callable[[], VirtualTimeLoop] = VirtualTimeLoop
) -> Callable[..., None]:
    """Run a test on the clock of `tests.virtual_time`."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        virtual_time.run(test(**fixtures), make_loop)

    del run.__wrapped__  # pytest-asyncio would await it on a loop of its own
    run.__signature__ = inspect.signature(test)
    return run


def record(
    number: int,
    *,
    key: str = "TRUCK_001",
    data: bytes | None = None,
    subsequence: int | None = None,
    shard: str = SHARD,
) -> ShardRecord:
    """A record whose sequence number is `number`."""
    return ShardRecord(
        data=b"%d" % number if data is None else data,
        partition_key=key,
        sequence_number=str(number),
        arrival=1_700_000_000.0 + number,
        shard_id=shard,
        subsequence_number=subsequence,
    )


def records(start: int, stop: int, **keywords: Any) -> list[ShardRecord]:
    """The records from `start` up to and without `stop`."""
    return [record(number, **keywords) for number in range(start, stop)]


class HeldShard:
    """A shard of this worker that keeps what is written to its lease."""

    def __init__(self, shard_id: str = SHARD) -> None:
        self.stream_name = "trucks"
        self.shard_id = shard_id
        self.hash_range: tuple[int, int] | None = (0, 2**128 - 1)
        self.parent_ids: tuple[str, ...] = ()
        self.start = Checkpoint(TRIM_HORIZON)
        self.pending: PendingCheckpoint | None = None
        self.is_held = True
        self.is_blocked = False
        self.saved: list[Checkpoint] = []
        self.noted: list[Checkpoint] = []
        self.announced: list[PendingCheckpoint] = []

    def note(self, checkpoint: Checkpoint) -> None:
        self.noted.append(checkpoint)

    async def save(self, checkpoint: Checkpoint) -> None:
        self._check()
        self.saved.append(checkpoint)

    async def announce(self, pending: PendingCheckpoint) -> None:
        self._check()
        self.announced.append(pending)

    @contextmanager
    def blocked_by_others(self) -> Iterator[None]:
        self.is_blocked = True
        try:
            yield
        finally:
            self.is_blocked = False

    def _check(self) -> None:
        if not self.is_held:
            raise LeaseLostError(self.shard_id)
