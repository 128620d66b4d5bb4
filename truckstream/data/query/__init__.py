"""Ask the stored records in SQL, with DuckDB.

The names that need packages of the extra load on first use: the columns of a record are also those of SQL on a stream,
which needs other packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from truckstream.data.query.options import TableOptions

if TYPE_CHECKING:
    from truckstream.data.query.tables import open_tables, query, table_script

__all__ = ["TableOptions", "open_tables", "query", "table_script"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("truckstream.data.query.tables"), name)
