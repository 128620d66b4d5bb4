"""Results as objects: one for each window, as lines of JSON.

The key follows from the window and the query, and an object is never overwritten. So a window that is given again, by
the next run after a kill, is stored once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from truckstream.batcher.object_store.open_store import open_store, url_of
from truckstream.errors import UsageError
from truckstream.stream_sql.sinks.json_rows import row_lines

if TYPE_CHECKING:
    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.stream_sql.results import WindowAnswer

__all__ = ["StoreSink", "object_key"]

_HEADERS: Final = {"Content-Type": "application/x-ndjson"}


class StoreSink:
    """Stores final results.

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        query_id: the query's, as `SqlOptions.query_id`.
        prefix: the folder of the objects.
        store_options: options of the store: `region_name`, `endpoint_url`.

    Raises:
        ConfigurationError: the store cannot be opened.
    """

    def __init__(
        self, store: str | ObjectStore, query_id: str, *, prefix: str = "windows", **store_options: Any
    ) -> None:
        self._store = open_store(url_of(store) if isinstance(store, str) else store, prefix=prefix, **store_options)
        self._query_id = query_id
        self._prefix = prefix

    async def write(self, result: WindowAnswer) -> Literal["created", "already there"]:
        """Store a result, unless its window is stored already.

        Raises:
            StoreError: it is not stored.
            UsageError: the result is not final.
        """
        if not result.is_final:
            raise UsageError("a store takes final results only, because its objects are never overwritten")
        key = object_key(result, self._query_id, self._prefix)
        return "created" if await self._store.create(key, row_lines(result), _HEADERS) else "already there"


def object_key(result: WindowAnswer, query_id: str, prefix: str) -> str:
    """Return the key of a window's object: its start and its length in UTC and ISO 8601, and the query."""
    start, length = result.window_start, result.window_end - result.window_start
    fraction = f".{start.microsecond // 1000:03}" if start.microsecond else ""
    seconds = f"{length / timedelta(seconds=1):.3f}".rstrip("0").rstrip(".")
    return f"{prefix}/window_{start:%Y-%m-%dT%H-%M-%S}{fraction}Z_{seconds}s_{query_id}.json"
