"""The records of one pane: batches of Arrow, and decoded records that wait to become one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from arro3 import core

    from truckstream.consumer.leases.lease import Checkpoint
    from truckstream.kinesis.reading.shard_record import ShardRecord
    from truckstream.stream_sql.records.columns import ColumnBuilder

__all__ = ["Pane"]

#: Decoded records that become a batch without waiting for the next question. More of them take memory, and fewer make
#: batches that DuckDB reads slowly.
_BATCH_RECORDS: Final = 8192

#: Memory of a decoded record of 22 fields besides its bytes (Python 3.11).
_DECODED_BYTES: Final = 800


class Pane:
    """Records of all shards.

    Args:
        columns: builds the batches.
    """

    def __init__(self, columns: ColumnBuilder) -> None:
        self._columns = columns
        self._values: list[Any] = []
        self._records: list[ShardRecord] = []
        self._waiting_bytes = 0
        self._batches: list[core.RecordBatch] = []
        self._batch_bytes = 0
        self.count = 0
        #: The position of each shard before its first record in this pane, from which a later run must read again.
        self.resume: dict[str, Checkpoint] = {}

    def add(self, value: Any, record: ShardRecord) -> None:
        """Add one record."""
        self._values.append(value)
        self._records.append(record)
        self._waiting_bytes += len(record.data) + _DECODED_BYTES
        self.count += 1
        if len(self._values) >= _BATCH_RECORDS:
            self._build()

    @property
    def size(self) -> int:
        """The bytes of memory that the records take, roughly."""
        return self._batch_bytes + self._waiting_bytes

    def batches(self) -> list[core.RecordBatch]:
        """Return all records."""
        if self._values:
            self._build()
        return self._batches

    def _build(self) -> None:
        batch = self._columns.build(self._values, self._records)
        self._batches.append(batch)
        self._batch_bytes += batch.nbytes
        self._values, self._records, self._waiting_bytes = [], [], 0
