"""Records as a consumer delivers them, and a lease table in memory."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.batcher.support import ARN, ARRIVAL, SHARD, number
from truckstream.batcher import Batcher
from truckstream.consumer.leases.lease import TRIM_HORIZON, Checkpoint, PendingCheckpoint
from truckstream.errors import LeaseLostError, LeaseTableError
from truckstream.kinesis.reading.shard_record import ShardRecord
from truckstream.worker.cutting.group_cutter import CutLimits
from truckstream.worker.storing.group_storer import GroupStorer
from truckstream.worker.storing.shard_storer import ShardStorer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tests.batcher.support import ScriptedStore


BEGINNING = Checkpoint(TRIM_HORIZON)
SMALL_GROUPS = CutLimits(records=4, bytes=1000, wait=60.0)


def stored(
    n: int, data: bytes | None = None, subsequence: int | None = None, aggregate_records: int | None = None
) -> ShardRecord:
    """Return record n of the shard, or one user record of the aggregate n."""
    return ShardRecord(
        data=b'{"n":%d}' % n if data is None else data,
        partition_key=f"TRUCK_{n:03}",
        sequence_number=number(n),
        arrival=ARRIVAL + n / 1000,
        shard_id=SHARD,
        subsequence_number=subsequence,
        aggregate_records=aggregate_records,
    )


def aggregated(n: int, count: int) -> list[ShardRecord]:
    """Return the user records of the aggregate n."""
    return [stored(n, b'{"n":%d}' % (n * 1_000_000 + at), at) for at in range(count)]


def many(count: int, start: int = 0) -> list[ShardRecord]:
    return [stored(n) for n in range(start, start + count)]


@dataclass
class ModelLease:
    """One item of a lease table. `script(verb)` is called before each write, and may raise or return an awaitable."""

    checkpoint: Checkpoint = BEGINNING
    pending: PendingCheckpoint | None = None
    owner: int = 0
    #: All checkpoints and announcements that were written.
    writes: list[Checkpoint | PendingCheckpoint] = field(default_factory=list)
    script: Callable[[str], Any] = lambda _: None
    on_save: Callable[[Checkpoint], None] = lambda _: None

    def assign(self) -> ModelShard:
        """Give the lease to a new owner."""
        self.owner += 1
        return ModelShard(self, self.owner)


class ModelShard:
    """An `AssignedShard` of one owner of a lease."""

    stream_name = "truck-sensor-stream"
    shard_id = SHARD

    def __init__(self, lease: ModelLease, owner: int) -> None:
        self._lease = lease
        self._owner = owner
        self.hash_range = None
        self.parent_ids: tuple[str, ...] = ()
        self.start = lease.checkpoint
        self.pending = lease.pending

    @property
    def is_held(self) -> bool:
        return self._lease.owner == self._owner

    def note(self, checkpoint: Checkpoint) -> None:
        raise AssertionError(f"the storer saves every checkpoint itself: {checkpoint}")

    async def save(self, checkpoint: Checkpoint) -> None:
        await self._write("save", checkpoint)

    async def announce(self, pending: PendingCheckpoint) -> None:
        await self._write("announce", pending)

    async def _write(self, verb: str, written: Checkpoint | PendingCheckpoint) -> None:
        act = self._lease.script(verb)
        if asyncio.iscoroutine(act):
            act = await act
        if isinstance(act, Exception):
            raise act
        if not self.is_held:
            raise LeaseLostError(self.shard_id)
        if isinstance(written, PendingCheckpoint):
            self._lease.pending = written
        else:
            self._lease.on_save(written)
            self._lease.checkpoint, self._lease.pending = written, None
        self._lease.writes.append(written)
        if act == "lost":
            raise LeaseTableError("InternalServerError", "the response was lost")


def make_storer(store: Any, shard: ModelShard, *, limits: CutLimits = SMALL_GROUPS, **options: Any) -> ShardStorer:
    """Return the storer of a shard."""
    batcher = Batcher(store, schema=options.pop("schema", dict), **options)
    groups = GroupStorer(batcher, ARN, max_in_flight=16, random=Random(1))
    return ShardStorer(shard, groups, limits, Random(1))


def places(writes: Sequence[Checkpoint | PendingCheckpoint]) -> list[tuple[str, int]]:
    """Return the lease's writes: "announce" or "save", and the number of the record."""
    first = int(number(0))
    return [
        ("announce", int(each.checkpoint.sequence_number) - first)
        if isinstance(each, PendingCheckpoint)
        else ("save", int(each.sequence_number) - first)
        for each in writes
    ]


def stored_numbers(store: ScriptedStore) -> list[int]:
    """Return the numbers of all valid records in the store."""
    return sorted(line["n"] for line in store.lines("sensor_data"))


def group_sizes(store: ScriptedStore) -> list[int]:
    """Return the records of each object, in the order of the stream."""
    bodies = [[json.loads(line)["n"] for line in body.splitlines()] for body, _ in store.objects.values()]
    return [len(body) for body in sorted(bodies)]
