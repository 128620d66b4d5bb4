"""Ask the stored records in SQL, with DuckDB."""

from __future__ import annotations

from truckstream.data.query.tables import open_tables, query

__all__ = ["open_tables", "query"]
