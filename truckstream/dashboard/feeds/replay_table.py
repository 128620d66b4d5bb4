"""The records of a store in the order of their times, in DuckDB.

The objects are read once, into a table sorted by time, because a replay goes back and forth. A record's time is the one
that it reports; one that reports none has the time when its object's first record arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from truckstream.data.query import open_tables
from truckstream.errors import ConfigurationError, InvalidRecordError
from truckstream.record import FIELDS, TruckRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MOST_RECORDS", "ReplayTable", "ReplayedRecord"]

#: Records that a replay may have. They take about 100 bytes each.
MOST_RECORDS: Final = 5_000_000

_COLUMNS: Final = ", ".join(f'"{field.name}"' for field in FIELDS)
_NAMES: Final = tuple(field.name for field in FIELDS)
_TIME: Final = 'coalesce(epoch(try_cast("timestamp" AS TIMESTAMP)), epoch(object_arrival))'
#: A rejected record may be anything, so its time is looked for in its text.
_REJECTED_TIME: Final = (
    """coalesce(epoch(try_cast(regexp_extract(data, '"timestamp": *"([^"]+)"', 1) AS TIMESTAMP)), arrival)"""
)


class ReplayedRecord(NamedTuple):
    """A truck's last record of a step of the replay, and the number of records that it stands for."""

    record: TruckRecord
    time: float
    records: int


class ReplayTable:
    """The records of a store, by their times in seconds since the epoch. All methods block.

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, or the path of a directory.
        **options: options of `truckstream.data.query.TableOptions`, such as `since` and `until`.

    Raises:
        ConfigurationError: the store cannot be opened, has too many records for a replay, or none.
        StoreError: the store cannot be listed.
    """

    def __init__(self, store: str | Path, **options: Any) -> None:
        self._tables = open_tables(store, **options, tables=("records", "rejected"))
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        self._tables.execute(
            f"CREATE TEMP TABLE replay AS SELECT {_TIME} AS _at, {_COLUMNS} FROM records "  # noqa: S608 - our names
            f"WHERE _at IS NOT NULL ORDER BY _at LIMIT {MOST_RECORDS + 1}"
        )
        count, first, last = self._row("SELECT count(*), min(_at), max(_at) FROM replay")
        if count > MOST_RECORDS:
            problem = f"has more than {MOST_RECORDS:,} records in this time"
            raise ConfigurationError("store", problem, "Choose a shorter time with --since and --until.")
        if not count:
            raise ConfigurationError("store", "has no valid records in this time", "Check --since and --until.")
        #: The times of the first and the last record.
        self.first, self.last = float(first), float(last)
        self._tables.execute(
            f"CREATE TEMP TABLE replayed_rejections AS SELECT {_REJECTED_TIME} AS _at, reason, field, value, rule, "  # noqa: S608
            "partition_key FROM rejected WHERE _at IS NOT NULL ORDER BY _at"
        )

    def close(self) -> None:
        """Close the tables."""
        self._tables.close()

    def between(self, start: float, end: float) -> list[ReplayedRecord]:
        """Return the last record of each truck after `start` and up to `end`, in the order of time."""
        rows = self._tables.execute(
            f"SELECT _at, count(*) OVER (PARTITION BY truck_id), {_COLUMNS} FROM replay "  # noqa: S608 - our names
            "WHERE _at > ? AND _at <= ? "
            "QUALIFY row_number() OVER (PARTITION BY truck_id ORDER BY _at DESC) = 1 ORDER BY _at",
            [start, end],
        ).fetchall()
        return [ReplayedRecord(_record(row[2:]), row[0], row[1]) for row in rows]

    def before(self, end: float, seconds: float, step: float) -> list[ReplayedRecord]:
        """Return the way of each truck to a time: one record for each `step` of the `seconds` before."""
        rows = self._tables.execute(
            f"SELECT _at, {_COLUMNS} FROM replay WHERE _at > ? AND _at <= ? "  # noqa: S608 - our names
            "QUALIFY row_number() OVER (PARTITION BY truck_id, floor(_at / ?) ORDER BY _at DESC) = 1 ORDER BY _at",
            [end - seconds, end, step],
        ).fetchall()
        return [ReplayedRecord(_record(row[1:]), row[0], 0) for row in rows]

    def rejected_between(self, start: float, end: float) -> Iterator[tuple[InvalidRecordError, str, float]]:
        """Yield the error, the partition key and the time of rejected records, in the order of time."""
        rows = self._tables.execute(
            "SELECT _at, reason, field, value, rule, partition_key FROM replayed_rejections WHERE _at > ? AND _at <= ?",
            [start, end],
        ).fetchall()
        for at, reason, field, value, rule, key in rows:
            yield InvalidRecordError(reason or "", field, value, rule or ""), key or "", at

    def _row(self, sql: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._tables.execute(sql).fetchone()
        assert row is not None  # noqa: S101 - an aggregate has a row
        return row


def _record(values: tuple[Any, ...]) -> TruckRecord:
    return TruckRecord(**dict(zip(_NAMES, values, strict=True)))
