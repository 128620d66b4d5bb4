"""The event source mapping's asyncio side: it reads shards, invokes the function, and obeys `batching`."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from truckstream.local.batching import Batch, Discard, MappingSettings, ShardBatcher, Verdict, judge
from truckstream.local.service import ACCOUNT, REGION

if TYPE_CHECKING:
    from truckstream.local.kinesis import LocalKinesis
    from truckstream.local.streams import Record, Shard

__all__ = ["Context", "EventSourceMapping", "MappingStats"]

_logger = logging.getLogger("truckstream.local")

POLL_SECONDS = 1.0
Handler = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The function's second argument."""

    aws_request_id: str
    deadline: float
    function_name: str = "truckstream"
    function_version: str = "$LATEST"
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:truckstream"
    memory_limit_in_mb: str = "512"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.monotonic()) * 1000))


@dataclass(frozen=True, slots=True)
class MappingStats:
    """What a mapping has done. Counts are records unless they say otherwise."""

    #: Processed: the function said so.
    records: int
    #: Invocations.
    invocations: int
    #: Invocations that failed in whole or in part.
    failures: int
    #: Given up after their retries or for their age.
    discarded: int
    #: Read and not yet processed.
    backlog: int


class EventSourceMapping:
    """Invokes a handler with the records of a stream, as AWS Lambda's event source mapping does.

    Args:
        kinesis: a LocalKinesis in this process.
        handler: `handler(event, context)`, plain or async. A plain one runs in one thread of its own, one invocation
            at a time, like a function with one warm environment.
        stream_name: by default the one that `kinesis` started with.
        poll_seconds: between two looks at a shard.
        on_failure: is given the failure document of each batch that is given up.

    The rest has the names and meanings of the service's own parameters.
    """

    def __init__(
        self,
        kinesis: LocalKinesis,
        handler: Handler,
        *,
        stream_name: str | None = None,
        batch_size: int = 4_900,
        maximum_batching_window_in_seconds: float = 5.0,
        function_response_types: tuple[str, ...] = ("ReportBatchItemFailures",),
        starting_position: str = "TRIM_HORIZON",
        function_timeout_in_seconds: float = 300.0,
        maximum_retry_attempts: int = -1,
        maximum_record_age_in_seconds: float = -1,
        bisect_batch_on_function_error: bool = False,
        on_failure: Callable[[dict[str, Any]], None] | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._stream = kinesis.service.streams.get(stream_name or kinesis.stream_name)
        self._kinesis = kinesis
        self._stream_name = stream_name or kinesis.stream_name
        self._handler = handler
        self._settings = MappingSettings(
            batch_size=batch_size,
            maximum_batching_window_in_seconds=maximum_batching_window_in_seconds,
            report_batch_item_failures="ReportBatchItemFailures" in function_response_types,
            maximum_retry_attempts=maximum_retry_attempts,
            maximum_record_age_in_seconds=maximum_record_age_in_seconds,
            bisect_batch_on_function_error=bisect_batch_on_function_error,
        )
        self._from_latest = starting_position == "LATEST"
        self._timeout = function_timeout_in_seconds
        self._on_failure = on_failure
        self._poll = poll_seconds
        self._batchers: dict[str, ShardBatcher] = {}
        self._positions: dict[str, int] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._shard_tasks: dict[str, asyncio.Task[None]] = {}
        self._flush = asyncio.Event()
        self._stopping = False
        self._records = self._invocations = self._failures = self._discarded = self._in_flight = 0

    async def __aenter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, "function")
        for shard in self._shards():
            self._positions[shard.shard_id] = len(shard.records) if self._from_latest else 0
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        self._flush.set()
        if self._supervisor:
            self._supervisor.cancel()
        tasks = [task for task in (self._supervisor, *self._shard_tasks.values()) if task]
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._thread:
            self._thread.shutdown()

    @property
    def stats(self) -> MappingStats:
        return MappingStats(
            records=self._records,
            invocations=self._invocations,
            failures=self._failures,
            discarded=self._discarded,
            backlog=sum(batcher.backlog for batcher in self._batchers.values()) + self._in_flight,
        )

    async def drain(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - a bound on draining
        """Invoke the function with what is there, without waiting for windows, until all of it is processed."""
        self._flush.set()
        try:
            async with asyncio.timeout(timeout):
                while not self._is_idle():
                    self._check_supervisor()
                    await asyncio.sleep(0.02)
        finally:
            self._flush.clear()

    def _check_supervisor(self) -> None:
        for task in (self._supervisor, *self._shard_tasks.values()):
            if task and task.done() and not task.cancelled():
                task.result()

    def _is_idle(self) -> bool:
        read = all(self._positions.get(shard.shard_id, 0) >= len(shard.records) for shard in self._shards())
        return read and self._in_flight == 0 and not any(batcher.backlog for batcher in self._batchers.values())

    def _shards(self) -> list[Shard]:
        stream = self._kinesis.service.streams.get(self._stream_name)
        return stream.shards if stream else []

    # --- Shards -----------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Give each shard a task once its parents are finished, for ever."""
        while True:
            for shard in self._shards():
                if shard.shard_id not in self._shard_tasks and self._parents_done(shard):
                    self._positions.setdefault(shard.shard_id, 0)
                    self._batchers[shard.shard_id] = ShardBatcher(self._settings)
                    self._shard_tasks[shard.shard_id] = asyncio.create_task(self._follow(shard))
            await asyncio.sleep(min(self._poll, 0.1))

    def _parents_done(self, shard: Shard) -> bool:
        parents = [parent for parent in (shard.parent, shard.adjacent_parent) if parent]
        return all(parent in self._shard_tasks and self._shard_tasks[parent].done() for parent in parents)

    async def _follow(self, shard: Shard) -> None:
        batcher = self._batchers[shard.shard_id]
        while not self._stopping:
            self._read(shard, batcher)
            due = batcher.due(time.time(), flush=self._flush.is_set())
            if isinstance(due, Batch):
                self._in_flight += len(due.records)
                try:
                    await self._deliver(shard, batcher, due)
                finally:
                    self._in_flight -= len(due.records)
            elif not shard.is_open and due == math.inf and self._positions[shard.shard_id] >= len(shard.records):
                return
            else:
                await self._pause(due)

    def _read(self, shard: Shard, batcher: ShardBatcher) -> None:
        position = self._positions[shard.shard_id]
        fresh = shard.records[position : position + 10_000]
        if fresh and batcher.backlog < 2 * self._settings.batch_size:
            batcher.add(fresh, time.time())
            self._positions[shard.shard_id] = position + len(fresh)

    async def _pause(self, until: float) -> None:
        seconds = max(0.001, min(self._poll, until - time.time()))
        if self._flush.is_set():
            await asyncio.sleep(min(seconds, 0.01))
            return
        try:
            await asyncio.wait_for(self._flush.wait(), seconds)
        except TimeoutError:
            return

    # --- Invocations ------------------------------------------------------------------------------

    async def _deliver(self, shard: Shard, batcher: ShardBatcher, batch: Batch) -> None:
        verdict = await self._invoke(shard, batch)
        self._records += verdict.done
        self._failures += verdict.done < len(batch.records)
        discard = batcher.on_answer(batch, verdict, time.time())
        if discard:
            self._discarded += len(discard.batch.records)
            if self._on_failure:
                self._on_failure(_failure_document(shard, discard, self._kinesis.stream_arn))

    async def _invoke(self, shard: Shard, batch: Batch) -> Verdict:
        self._invocations += 1
        event = {"Records": [self._event_record(shard, record) for record in batch.records]}
        context = Context(str(uuid.uuid4()), time.monotonic() + self._timeout)
        try:
            answer = await asyncio.wait_for(self._call(event, context), self._timeout)
        except Exception:
            _logger.exception("the function failed")
            return Verdict(0, function_error=True)
        return judge(batch, answer, report_batch_item_failures=self._settings.report_batch_item_failures)

    async def _call(self, event: dict[str, Any], context: Context) -> Any:
        if inspect.iscoroutinefunction(self._handler) or inspect.iscoroutinefunction(
            getattr(self._handler, "__call__", None)  # noqa: B004 - an object with an async __call__
        ):
            return await self._handler(event, context)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._handler, event, context)

    def _event_record(self, shard: Shard, record: Record) -> dict[str, Any]:
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record.key,
                "sequenceNumber": str(record.sequence),
                "data": record.data,
                "approximateArrivalTimestamp": record.arrival,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard.shard_id}:{record.sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/truckstream",
            "awsRegion": REGION,
            "eventSourceARN": self._kinesis.stream_arn,
        }


def _failure_document(shard: Shard, discard: Discard, arn: str) -> dict[str, Any]:
    records = discard.batch.records
    return {
        "requestContext": {"condition": discard.condition, "approximateInvokeCount": discard.batch.failures + 1},
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": shard.shard_id,
            "startSequenceNumber": str(records[0].sequence),
            "endSequenceNumber": str(records[-1].sequence),
            "batchSize": len(records),
            "streamArn": arn,
        },
    }
