"""Keep the progress of a query in a lease table, as one item.

One process runs an application. A second one takes over at once: it adds 1 to the item's counter, so that the next
save of the first one is refused, and the first one ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from truckstream.consumer.leases.lease import TRIM_HORIZON, Checkpoint, Lease, PendingCheckpoint
from truckstream.errors import UsageError
from truckstream.stream_sql.progress.saved_progress import Progress

if TYPE_CHECKING:
    from truckstream.consumer.leases.lease_table import LeaseTable

__all__ = ["ProgressStore"]

#: In place of the id of a shard.
_NAME: Final = "sql"


class ProgressStore:
    """The progress of one application.

    Args:
        table: where it is kept.
        application: its name, for messages.
        stream_key: the stream with its creation, so that a new stream of the same name begins anew.
        worker_id: unique among the processes.
    """

    def __init__(self, table: LeaseTable, application: str, stream_key: str, worker_id: str) -> None:
        self._table = table
        self._application = application
        self._stream_key = stream_key
        self._worker_id = worker_id
        self._item: Lease

    async def open(self) -> Progress | None:
        """Take the application over, and return its progress; None if there is none yet.

        Raises:
            LeaseTableError: the table cannot be reached.
            UsageError: another process begins at the same moment.
            ConfigurationError: another version wrote the progress.
        """
        await self._table.open()
        key = f"{self._stream_key}:{_NAME}"
        found = next((item for item in await self._table.read() if item.key == key), None)
        if found is None:
            item = Lease(
                key=key,
                shard_id=_NAME,
                stream=self._stream_key,
                owner=self._worker_id,
                checkpoint=Checkpoint(TRIM_HORIZON),
            )
            is_ours = await self._table.create(item)
        else:
            item = replace(found, owner=self._worker_id, counter=found.counter + 1)
            is_ours = await self._table.replace(found, item)
        if not is_ours:
            raise self._taken_over()
        self._item = item
        return None if item.pending is None else Progress.decode(item.pending.state)

    async def save(self, progress: Progress) -> None:
        """Write the progress.

        Raises:
            LeaseTableError: the table cannot be reached; save again later.
            UsageError: another process runs the application now.
        """
        pending = PendingCheckpoint(Checkpoint(TRIM_HORIZON), progress.encode())
        item = replace(self._item, counter=self._item.counter + 1, pending=pending)
        if not await self._table.replace(self._item, item):
            raise self._taken_over()
        self._item = item

    async def close(self) -> None:
        """Disconnect. May be called twice."""
        await self._table.close()

    def _taken_over(self) -> UsageError:
        return UsageError(
            f"another process runs the application {self._application} now. A query needs all shards in one process: "
            "give this one another application"
        )
