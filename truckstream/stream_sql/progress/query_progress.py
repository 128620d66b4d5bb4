"""The progress of one query from run to run: where its shards begin, and the item that is saved."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from truckstream.consumer.tables.default_table import default_table
from truckstream.errors import ConfigurationError, InvalidArgumentError, LeaseTableError
from truckstream.kinesis.session.described_stream import describe_stream
from truckstream.stream_sql.progress.progress_store import ProgressStore
from truckstream.stream_sql.progress.resuming_table import ResumingTable
from truckstream.stream_sql.progress.saved_progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truckstream.consumer.leases.lease import Checkpoint
    from truckstream.consumer.leases.lease_table import LeaseTable
    from truckstream.consumer.options import Start
    from truckstream.stream_sql.windowing.open_windows import BufferedWindows

__all__ = ["QueryProgress"]

_logger = logging.getLogger("truckstream.stream_sql")


class QueryProgress:
    """Reads the progress of an application, and saves it. Without an application it keeps nothing.

    Args:
        stream: the stream's name or ARN.
        application: the name of the progress; None to keep none.
        table: where it is kept; None for the table that a consumer of that application would have.
        network: `region_name`, `endpoint_url` and `session`.

    Raises:
        InvalidArgumentError: a table cannot have the name of the application, or there is a table for none.
    """

    def __init__(
        self, stream: str, application: str | None, table: LeaseTable | None, network: Mapping[str, Any]
    ) -> None:
        if application is None and table is not None:
            raise InvalidArgumentError("leases", table, "is for an application: pass its name, too")
        self._stream = stream
        self._application = application
        self._network: dict[str, Any] = dict(network)
        self._table = None if application is None else table or default_table(application, **self._network)
        self._store: ProgressStore | None = None
        #: The progress that was saved last.
        self.saved = Progress(query="")
        #: The leases of the consumer.
        self.shards = ResumingTable({})

    async def open(self, query_id: str, start: Start) -> Start:
        """Take the application over, and return where shards begin that it has read nothing of.

        Raises:
            ConfigurationError: the application belongs to another query.
            LeaseTableError: the table cannot be reached.
            ServiceError: the stream cannot be described.
        """
        if self._application is None or self._table is None:
            return start
        store = ProgressStore(self._table, self._application, await self._stream_key(), _worker_id())
        self._store = store
        saved = await store.open()
        if saved is None:
            # A later run cannot begin at LATEST: it would skip the records in between.
            begins = {"LATEST": datetime.now(UTC), "TRIM_HORIZON": None}
            self.saved = Progress(query=query_id, start=begins[start] if isinstance(start, str) else start)
            return start
        if saved.query != query_id:
            problem = f"is {self._application!r}, which belongs to another query, or to other windows"
            raise ConfigurationError("application", problem, "Take another application for this query.")
        self.saved = saved
        self.shards = ResumingTable(saved.resume_positions)
        return saved.start or "TRIM_HORIZON"

    async def close(self) -> None:
        """Disconnect. May be called twice."""
        if self._store is not None:
            await self._store.close()

    async def save(self, windows: BufferedWindows) -> None:
        """Save the progress. If the table cannot be reached, the next save is as good.

        Raises:
            UsageError: another process runs the application now.
        """
        if self._store is None:
            return
        progress = Progress(
            query=self.saved.query,
            start=self.saved.start,
            closed_before=windows.delivered_before,
            resume=_merged(windows.resume_positions, self.saved.resume, self.shards.has),
            read=_merged(windows.read_positions, self.saved.read, self.shards.has),
        )
        try:
            await self._store.save(progress)
        except LeaseTableError as error:
            _logger.warning("the progress cannot be saved now; the results are given all the same: %s", error)
        else:
            self.saved = progress

    async def _stream_key(self) -> str:
        name = "StreamARN" if self._stream.startswith("arn:") else "StreamName"
        summary = await describe_stream(**self._network, **{name: self._stream})
        return f"{summary['StreamARN']}:{summary['StreamCreationTimestamp'].timestamp():.0f}"


def _merged(
    positions: Mapping[str, Checkpoint], saved: Mapping[str, tuple[str, int]], is_listed: Callable[[str], bool]
) -> dict[str, tuple[str, int]]:
    """Return the positions of this run, and the saved ones of shards that it has not begun with."""
    unread = {
        shard_id: position for shard_id, position in saved.items() if shard_id not in positions and is_listed(shard_id)
    }
    # Shards of which nothing was read begin at the start again.
    read = {
        shard_id: (position.sequence_number, position.subsequence_number)
        for shard_id, position in positions.items()
        if position.sequence_number.isdecimal() or position.is_ended
    }
    return {**unread, **read}


def _worker_id() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
