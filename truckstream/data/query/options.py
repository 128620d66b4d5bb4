"""The options of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from truckstream.errors import InvalidArgumentError
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from pathlib import Path

    from truckstream.batcher.object_store.store import ObjectStore

__all__ = ["TABLES", "Table", "TableOptions", "tables_in"]

Table = Literal["records", "rejected", "given_up"]
TABLES: Final[tuple[Table, ...]] = get_args(Table)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """Which objects of a store the tables have, and how they are read.

    Args:
        tables: the tables to make, of "records", "rejected" and "given_up".
        prefix: the folder of valid records, as in `Batcher`.
        rejected_prefix: the folder of rejected records, as in `Batcher`.
        given_up_store: the on-failure destination of the event source mapping, if it is another store.
        since: with a time zone. Only objects whose first record arrived from then on are listed and read. A compacted
            file is read whole if its hour overlaps the time.
        until: likewise, before this time.
        schema: the type of the records, which decides the columns of `records`; None for those that DuckDB detects.
        region_name: for S3, as in `Batcher`.
        endpoint_url: for S3, as in `Batcher`.
        store_options: further options of obstore's S3Store.

    Raises:
        InvalidArgumentError: there is no such table.
    """

    tables: Collection[Table] = TABLES
    prefix: str = "sensor_data"
    rejected_prefix: str = "rejected"
    given_up_store: str | Path | ObjectStore | None = None
    since: datetime | None = None
    until: datetime | None = None
    schema: Any = TruckRecord
    region_name: str | None = None
    endpoint_url: str | None = None
    store_options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for table in self.tables:
            if table not in TABLES:
                raise InvalidArgumentError("tables", table, f"must be of {', '.join(TABLES)}")


def tables_in(sql: str) -> tuple[Table, ...]:
    """Return the tables that a statement may need. A name in a comment or a text counts, which costs time only."""
    return tuple(table for table in TABLES if table in sql.lower()) or TABLES
