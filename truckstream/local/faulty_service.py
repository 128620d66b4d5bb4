"""The service with its faults and its clock: a local Kinesis without a socket."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from truckstream.local.faults.injector import FaultInjector
from truckstream.local.kinesis_stats import KinesisStats, read_stats
from truckstream.local.options import ACCOUNT_ID, REGION_NAME
from truckstream.local.protocol.signature import SignatureCheck
from truckstream.local.service import Service
from truckstream.local.service.operations.streams import create_stream
from truckstream.local.service.state.account import KinesisAccount
from truckstream.local.service.validation.constraints import validate
from truckstream.local.service.validation.parsing import read_request
from truckstream.local.service.validation.shapes import REQUESTS
from truckstream.local.stored_records import StoredPage, read_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from truckstream.local.faults.fault import Fault
    from truckstream.local.options import Options

__all__ = ["FaultyService", "make_service"]


def make_service(
    stream: str = "truck-sensor-stream",
    shards: int = 1,
    *,
    now: float,
    quota_scale: float = 1.0,
    transition_seconds: float = 0.0,
    max_bytes: float = math.inf,
) -> Service:
    """Return a service with one stream, ACTIVE from the start, for code that needs no socket.

    Args:
        stream: the stream's name.
        shards: its number of shards.
        now: the start, in seconds since the epoch.
        quota_scale: factor of all quotas; infinite for none.
        transition_seconds: how long a stream is CREATING, UPDATING or DELETING.
        max_bytes: memory for all records; infinite for no limit.

    Raises:
        RefusedError: the service rejects such a stream.
    """
    account = KinesisAccount(
        *(ACCOUNT_ID, REGION_NAME),
        quota_scale=quota_scale,
        transition_seconds=transition_seconds,
        max_bytes=max_bytes,
    )
    # Not through `Service.call`, which would count the request.
    request = {"StreamName": stream, "ShardCount": shards}
    validate("CreateStream", request)
    create_stream(account, request, now)
    account.named(request, now).transition("ACTIVE", now)
    return Service(account)


class FaultyService:
    """The service of `options`, with its faults and its signature check, by the time of `clock`.

    The methods are those that a test calls beside the API. `ControlClient` has the same ones for a child process.
    """

    def __init__(self, options: Options, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.stream_name = options.stream
        self.service = make_service(
            options.stream,
            options.shards,
            now=clock(),
            quota_scale=options.quota_scale,
            transition_seconds=options.transition_seconds,
            max_bytes=math.inf if options.max_bytes is None else options.max_bytes,
        )
        self.injector = FaultInjector(options.plan, clock())
        self.signatures = SignatureCheck(options.credentials, REGION_NAME) if options.credentials else None

    async def stats(self, stream_name: str | None = None) -> KinesisStats:
        """Return the statistics, with the shards of one stream."""
        return read_stats(self.service, stream_name or self.stream_name, self.clock(), self.injector.hits())

    async def inject(self, faults: Iterable[Fault]) -> None:
        """Add faults. Their windows count from now."""
        for fault in faults:
            self.injector.inject(fault, self.clock())

    async def clear_faults(self) -> None:
        """Remove all faults."""
        self.injector.clear()

    async def stored_page(self, stream_name: str, shard_id: str, place: int) -> StoredPage:
        """Return some of the stored records; see `read_stored`."""
        return read_stored(self.service, stream_name, shard_id, place, self.clock())

    async def call(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        """Carry out one operation of the API without faults."""
        request = read_request(operation, members) if operation in REQUESTS else members
        return self.service.call(operation, request, self.clock()) or {}
