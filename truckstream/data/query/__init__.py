"""Ask the stored records in SQL, with DuckDB."""

from __future__ import annotations

from truckstream.data.query.options import TableOptions
from truckstream.data.query.tables import open_tables, query, table_script

__all__ = ["TableOptions", "open_tables", "query", "table_script"]
