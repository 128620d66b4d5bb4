"""`BlockingKinesis`: a `LocalKinesis` for code that does not await, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from truckstream.errors import UsageError
from truckstream.local.kinesis import LocalKinesis
from truckstream.local.mapping import EventSourceMapping, MappingStats

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from truckstream.local.faults import Fault
    from truckstream.local.kinesis_stats import KinesisStats
    from truckstream.local.mapping.mapping_settings import MappingKeywords
    from truckstream.local.stored_records import StoredRecord

__all__ = ["BlockingKinesis", "BlockingMapping"]

_T = TypeVar("_T")


class BlockingKinesis:
    """A local Kinesis in a thread of this process, for clients and tests that block.

        with BlockingKinesis(shards=2) as kinesis:
            boto3.client("kinesis", endpoint_url=kinesis.endpoint_url, ...)

    Its methods are those of `LocalKinesis`, and block until they are done.

    Args:
        options: the arguments of `LocalKinesis`, except `own_process`.

    Raises:
        InvalidArgumentError: an argument is out of its range.
        TruckstreamError: on entering: the port is taken.
    """

    def __init__(self, **options: Any) -> None:
        self._local = LocalKinesis(**options)
        self.stream_name = self._local.stream_name
        self.stream_arn = self._local.stream_arn
        self.region_name = self._local.region_name
        self.account_id = self._local.account_id
        self.credentials = self._local.credentials
        self.faults = self._local.faults
        self._thread = Thread(target=self._serve, name=f"local Kinesis {self.stream_name}", daemon=True)
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._stop = asyncio.Event()

    def __repr__(self) -> str:
        return repr(self._local).replace("Local", "Blocking", 1)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._started.result().call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def endpoint_url(self) -> str:
        """The URL for clients; empty until the context is entered."""
        return self._local.endpoint_url

    @property
    def ca_file(self) -> str:
        """With `tls`, the file with the certificate authority that clients must trust; empty otherwise."""
        return self._local.ca_file

    def environment(self) -> dict[str, str]:
        """See `LocalKinesis.environment`."""
        return self._local.environment()

    def now(self) -> float:
        """Return the service's time, in seconds since the epoch."""
        return self._local.now()

    def advance(self, seconds: float) -> None:
        """See `LocalKinesis.advance`."""
        self._local.advance(seconds)

    def stats(self) -> KinesisStats:
        """See `LocalKinesis.stats`."""
        return self.run(self._local.stats())

    def stored(self, stream: str | None = None) -> list[StoredRecord]:
        """See `LocalKinesis.stored`."""

        async def collect() -> list[StoredRecord]:
            return [record async for record in self._local.stored(stream)]

        return self.run(collect())

    def inject(self, *faults: Fault) -> None:
        """See `LocalKinesis.inject`."""
        self.run(self._local.inject(*faults))

    def clear_faults(self) -> None:
        """See `LocalKinesis.clear_faults`."""
        self.run(self._local.clear_faults())

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        """See `LocalKinesis.call`."""
        return self.run(self._local.call(operation, **members))

    def event_source(
        self, handler: Callable[[dict[str, Any], Any], Any], **settings: Unpack[MappingKeywords]
    ) -> BlockingMapping:
        """Return an `EventSourceMapping` of `handler`, to be entered. An async handler runs on the thread's loop."""
        return BlockingMapping(self, EventSourceMapping(self._local, handler, **settings))

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the loop of the thread, and return its result.

        Raises:
            UsageError: the context is not open.
        """
        if not self._thread.is_alive():
            work.close()
            raise UsageError("this BlockingKinesis is not open")
        return asyncio.run_coroutine_threadsafe(work, self._started.result()).result()

    def _serve(self) -> None:
        asyncio.run(self._serve_until_stopped())

    async def _serve_until_stopped(self) -> None:
        try:
            async with self._local:
                self._started.set_result(asyncio.get_running_loop())
                await self._stop.wait()
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)


class BlockingMapping:
    """An event source mapping in the thread of a `BlockingKinesis`, as a context manager."""

    def __init__(self, kinesis: BlockingKinesis, mapping: EventSourceMapping) -> None:
        self._kinesis = kinesis
        self._mapping = mapping

    def __repr__(self) -> str:
        return repr(self._mapping).replace("EventSource", "Blocking", 1)

    def __enter__(self) -> Self:
        self._kinesis.run(self._mapping.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._kinesis.run(self._mapping.__aexit__(kind, error, traceback))

    @property
    def stats(self) -> MappingStats:
        """The statistics so far, over all shards."""
        return self._mapping.stats

    def drain(self, timeout: float | None = 30.0) -> None:
        """Wait until every record that is in the stream now is processed or discarded; see `EventSourceMapping`."""
        self._kinesis.run(self._mapping.drain(timeout))
