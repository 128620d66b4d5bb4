"""SQL on a stream: the shell that reads the shards, asks DuckDB at each step, and keeps the progress."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from truckstream.consumer.consumer import Consumer
from truckstream.errors import ConsumerClosedError, UsageError
from truckstream.stream_sql.options import SqlOptions
from truckstream.stream_sql.progress.query_progress import QueryProgress
from truckstream.stream_sql.records.decoding import RecordDecoder
from truckstream.stream_sql.records.event_time import SECOND
from truckstream.stream_sql.results import SqlStats
from truckstream.stream_sql.shard_feed import FeedCounts, ShardFeed
from truckstream.stream_sql.window_asker import WindowAsker, start_of, utc
from truckstream.stream_sql.windowing.query_windows import make_windows

if TYPE_CHECKING:
    from types import TracebackType

    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.consumer.options import Start
    from truckstream.consumer.shard_processor import AssignedShard, ShardProcessor
    from truckstream.data.query.columns import SqlColumn
    from truckstream.stream_sql.results import WindowAnswer
    from truckstream.stream_sql.windowing.open_windows import WindowRecords

__all__ = ["SqlStream"]

#: Seconds that the shards have to finish the records in hand, which takes no longer than decoding them.
_CLOSE_SECONDS: Final = 10.0

#: Seconds between two saves of the progress while no window becomes final.
_SAVE_SECONDS: Final = 5.0


class SqlStream:
    """A SQL query on a stream, asked of each window of event time.

    ```python
    sql = "SELECT truck_id, avg(engine_temp) AS engine_temp FROM records GROUP BY truck_id"
    async with SqlStream("truck-sensor-stream", sql, window=10) as stream:
        async for result in stream:
            print(result.window_start, result.rows)
    ```

    The query sees the records of one window as the table `records`, with the columns of `truckstream query`, and
    `window_start` and `window_end`. A result counts as delivered when the loop asks for the next one.

    Args:
        stream: the stream's name or ARN.
        sql: one SELECT in DuckDB's SQL.
        window: the length of a window in seconds. Windows begin at multiples of it since the epoch, in UTC.
        slide: seconds between the starts of two windows, which then overlap; it must divide `window`.
        every: seconds between two steps, in which windows are asked.
        emit: "final": each window once, when it is final. "changes": at each step the windows whose answers changed.
        lateness: seconds that a record may come after newer ones and still be counted.
        start: where shards begin: "LATEST", "TRIM_HORIZON", or a datetime with a time zone.
        application: keeps the progress under this name, so that the next run goes on where this one ended. Final
            results are then given at least once, and with the same identity each time. One process runs it.
        leases: where the progress is kept, if not in DynamoDB, or in a file if the endpoint is on this machine.
        schema: the msgspec.Struct of the records.
        event_time: the field with a record's event time; or kinesis_arrival_time.
        idle_after: seconds after which a shard that cannot be read no longer holds windows back.
        max_ahead: seconds that the clocks of the records may be ahead; math.inf for simulated times.
        memory_bytes: memory for records and DuckDB, half each.
        consumer_options: options of the `Consumer`, such as `region_name`, `endpoint_url`, `session` or `fan_out`.

    Raises:
        InvalidArgumentError: the SQL or an option breaks a rule.
        ConfigurationError: a package is missing.
    """

    def __init__(
        self,
        stream: str,
        sql: str,
        *,
        window: float,
        start: Start = "LATEST",
        application: str | None = None,
        leases: LeaseTable | None = None,
        **options: Any,
    ) -> None:
        own = {name: options.pop(name) for name in _OPTION_NAMES & options.keys()}
        self.options = SqlOptions(sql=sql, window=window, **own)
        self._stream = stream
        self._start = start
        self._consumer_options = options
        network = {name: options.get(name) for name in ("region_name", "endpoint_url", "session")}
        self._progress = QueryProgress(stream, application, leases, network)
        self._asker = WindowAsker(self.options)
        self._decoder = RecordDecoder(self.options.schema, self.options.event_time)
        self._counts = FeedCounts()
        self._windows = make_windows(self.options, self._asker.engine.columns_read)
        #: The windows of this step that are still to be asked.
        self._asked: deque[WindowRecords] = deque()
        self._current: WindowAnswer | None = None
        #: Whether a window became final since the last save.
        self._must_save = False
        self._step_seconds = 0.0
        self._resources = AsyncExitStack()
        self._feeds: dict[str, ShardFeed] = {}
        self._consumer: Consumer
        self._running: asyncio.Task[None] | None = None
        self._next_step_at = 0.0
        self._next_save_at = 0.0
        self._is_opened = self._has_ended = False

    @property
    def answer(self) -> tuple[SqlColumn, ...]:
        """The columns of the results, with their types in DuckDB."""
        return self._asker.engine.answer

    @property
    def stats(self) -> SqlStats:
        """The figures at this moment."""
        windows, reached = self._windows, self._windows.reached
        return SqlStats(
            read=self._counts.read,
            rejected=self._counts.rejected,
            without_time=self._counts.without_time,
            ahead=windows.ahead,
            late=windows.late,
            open_windows=windows.windows,
            buffered_records=windows.records,
            buffered_bytes=windows.size,
            watermark=utc(round(reached * SECOND)) if math.isfinite(reached) else None,
            step_seconds=self._step_seconds,
        )

    def __repr__(self) -> str:
        stats = self.stats
        return (
            f"<SqlStream of {self._stream}: {stats.read:,} records read, {stats.open_windows} windows open with "
            f"{stats.buffered_records:,} records, {stats.late:,} late>"
        )

    # --- Opening and closing ------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, and begin to read all shards. `async with` does this.

        Raises:
            StreamNotFoundError: there is no such stream in this account and region.
            ServiceError: the service cannot be reached; a LeaseTableError: the table of the progress.
            ConfigurationError: the application belongs to another query.
            ConsumerClosedError: the query was opened before.
        """
        if self._is_opened:
            raise ConsumerClosedError("a query can be opened only once: make a new one")
        self._is_opened = True
        try:
            self._resources.push_async_callback(self._progress.close)
            start = await self._progress.open(self.options.query_id, self._start)
            closed_before = self._progress.saved.closed_before
            self._windows = make_windows(self.options, self._asker.engine.columns_read, closed_before)
            leases = self._progress.shards
            self._consumer = Consumer(self._stream, start=start, leases=leases, **self._consumer_options)
            await self._resources.enter_async_context(self._consumer)
            self._running = asyncio.create_task(self._consumer.run_processors(self._make_feed))
            # No window may end before each shard holds the watermark back.
            await self._consumer.wait_ready()
            await self._progress.save(self._windows)
        except BaseException:
            await self.close()
            raise
        now = asyncio.get_running_loop().time()
        self._next_step_at = now + self.options.every

    async def close(self) -> None:
        """Disconnect. Results that were not delivered come again in the next run of the application."""
        running, self._running = self._running, None
        if running is not None:
            await self._consumer.close(_CLOSE_SECONDS)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            if self._must_save:
                with contextlib.suppress(UsageError):  # another process runs the application, from an earlier progress
                    await self._progress.save(self._windows)
        await self._resources.aclose()
        self._asker.close()

    def stop(self) -> None:
        """Read no more. The loop ends after the results of the windows that are final by then.

        The windows that are still open give no result: their records may be incomplete. The next run of the application
        reads them again.
        """
        if self._running is not None:
            self._consumer.stop()

    # --- Results ------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WindowAnswer:
        """Return the next result.

        Raises:
            QueryFailedError: DuckDB cannot answer the query for a window.
            UsageError: the open windows need more memory than there may be, or another process runs the application.
            ServiceError: a shard cannot be read.
        """
        if self._running is None:
            raise ConsumerClosedError("the query is not open: use it as `async with SqlStream(...) as stream`")
        self.delivered()
        with_changed = self.options.emit == "changes"
        while True:
            while self._asked:
                asked = self._asked.popleft()
                result = await self._ask(asked)
                if result.changes or (asked.is_final and with_changed):
                    self._current = result
                    return result
                if asked.is_final:
                    self._drop(asked.window)
            await self._end_step()
            if self._has_ended:
                raise StopAsyncIteration
            await self._wait_for_step()
            self._asked.extend(self._windows.step(time.time(), with_changed=with_changed))

    def delivered(self) -> None:
        """Count the last result as delivered, as asking for the next one does. For a loop that is left."""
        result, self._current = self._current, None
        if result is not None and result.is_final:
            self._drop(start_of(result))

    def _drop(self, window: int) -> None:
        self._asker.forget(window)
        self._windows.delivered(window)
        self._must_save = True

    async def _ask(self, asked: WindowRecords) -> WindowAnswer:
        began = time.monotonic()
        result = await self._asker.ask(asked)
        self._step_seconds += time.monotonic() - began
        return result

    async def _end_step(self) -> None:
        """Let shards go on that wait for the memory of the windows, and save the progress when it is due."""
        for feed in self._feeds.values():
            feed.wake()
        now = asyncio.get_running_loop().time()
        if self._must_save or now >= self._next_save_at:
            self._next_save_at = now + _SAVE_SECONDS
            self._must_save = False
            await self._progress.save(self._windows)

    async def _wait_for_step(self) -> None:
        """Return when the next step is due, or when no more records come, so that it is the last one."""
        running = self._running
        assert running is not None  # noqa: S101 - checked by the caller
        clock = asyncio.get_running_loop().time
        await asyncio.wait({running}, timeout=max(0.0, self._next_step_at - clock()))
        # A step that took too long is followed by the next one at once, but not by all that it has missed.
        self._next_step_at = max(self._next_step_at + self.options.every, clock())
        self._step_seconds = 0.0
        if running.done():
            running.result()
            self._has_ended = True

    # --- Shards -------------------------------------------------------------------------------------

    def _make_feed(self, shard: AssignedShard) -> ShardProcessor:
        shard_id = shard.shard_id
        replayed_up_to = self._progress.saved.read_positions.get(shard_id)
        self._windows.add_shard(shard_id, shard.start, time.time(), replayed_up_to=replayed_up_to)
        shards = self._progress.shards
        for parent in shards.parents_of(shard_id):
            siblings = shards.children_of(parent)
            if self._windows.has_ended(parent) and siblings <= self._windows.read_positions.keys():
                self._windows.release_shard(parent)
        self._feeds[shard_id] = ShardFeed(shard, self._windows, self._decoder, self._counts)
        return self._feeds[shard_id]


_OPTION_NAMES: Final = frozenset(SqlOptions.__dataclass_fields__) - {"sql", "window"}
