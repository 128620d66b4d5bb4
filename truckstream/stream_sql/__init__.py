"""SQL on a stream: DuckDB answers a query for each window of event time, while the records come."""

from truckstream.stream_sql.query.changes import RowChange
from truckstream.stream_sql.query.engine import QueryFailedError
from truckstream.stream_sql.results import SqlStats, WindowAnswer
from truckstream.stream_sql.sql_stream import SqlStream

__all__ = ["QueryFailedError", "RowChange", "SqlStats", "SqlStream", "WindowAnswer"]
