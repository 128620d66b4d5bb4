"""A producer's shell on virtual time, over a client of plain Python."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any

from tests import virtual_time
from tests.producer.support import Service, even_shards
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.responses import RecordResponse, StreamSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.kinesis.shard_map import Shard

KEY = "TRUCK_001"


class Client:
    """A stream's client that stores in memory; `script` replaces the responses to the next requests."""

    def __init__(self, shards: int = 1) -> None:
        self.service = Service(even_shards(shards))
        self.listed = even_shards(shards)
        self.limit = 1 << 20
        self.latency = 0.01
        self.script = []
        self.requests = []
        self.closed = False

    async def open(self) -> None:
        pass

    async def put_records(self, records: Sequence[Any]) -> list[RecordResponse]:
        self.requests.append([record.data for record in records])
        if self.latency is not None:
            await asyncio.sleep(self.latency)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            responses = step(records)
            return await responses if asyncio.iscoroutine(responses) else responses
        return [self.service.store(record) for record in records]

    async def list_shards(self) -> list[Shard]:
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed

    async def summary(self) -> StreamSummary:
        if isinstance(self.limit, Exception):
            raise self.limit
        return StreamSummary(max_record_bytes=self.limit)

    async def close(self) -> None:
        self.closed = True


def on_virtual_time(test: Callable[..., Any]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        virtual_time.run(test(**fixtures))

    del run.__wrapped__  # pytest-asyncio would await it on a loop of its own
    run.__signature__ = inspect.signature(test)
    return run


def request_error(code: str, kind: FailureKind = FailureKind.PERMANENT) -> RequestFailedError:
    return RequestFailedError(kind, code, "the service's message")
