"""The listed objects of a store as files that DuckDB opens.

DuckDB's own reader of S3 is an extension that it downloads on first use. This file system is for the objects that the
catalog has listed, with the store's credentials, retries and errors: small objects are fetched whole and in parallel
(`fetch_plan.py`), and from large ones the parts that DuckDB asks for.
"""

from __future__ import annotations

import asyncio
import io
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fsspec.spec import AbstractFileSystem

from truckstream.data.query.fetch_plan import OBJECTS_AHEAD, FetchPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from datetime import datetime

    from truckstream.batcher.object_store.store import Store

__all__ = ["ROOT", "ObjectFiles"]

#: The beginning of each path.
ROOT: Final = "truckstream://"

#: An object of 700 records is much smaller; a compacted file may be larger.
WHOLE_BYTES: Final = 8 * 1024 * 1024


class ObjectFiles(AbstractFileSystem):  # type: ignore[misc]
    """A read-only file system for fsspec.

    Args:
        store: the store.
        objects: key, size and time of change of each object, in the order in which the tables list them.
    """

    protocol = "truckstream"
    cachable = False

    def __init__(self, store: Store, objects: Iterable[tuple[str, int, datetime]]) -> None:
        super().__init__()
        self._store = store
        self._facts: dict[str, tuple[int, datetime]] = {key: (size, changed) for key, size, changed in objects}
        self._plan = FetchPlan({key: size for key, (size, _) in self._facts.items() if size <= WHOLE_BYTES})
        self._threads = ThreadPoolExecutor(OBJECTS_AHEAD, thread_name_prefix="truckstream-query")
        self._turn = threading.Lock()
        self._fetched: dict[str, Future[bytes]] = {}

    # --- fsspec's interface -------------------------------------------------------------------------

    def glob(self, path: str, **_: Any) -> list[str]:
        key = _plain(self._strip_protocol(path))
        return [ROOT + key] if key in self._facts else []

    def exists(self, path: str, **_: Any) -> bool:
        return self._strip_protocol(path) in self._facts

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        key = self._strip_protocol(path)
        return {"name": key, "size": self._found(key)[0], "type": "file"}

    def modified(self, path: str) -> datetime:
        return self._found(self._strip_protocol(path))[1]

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.IOBase:
        if mode != "rb":
            raise PermissionError(f"{path} can only be read")
        key = self._strip_protocol(path)
        size = self._found(key)[0]
        if size <= WHOLE_BYTES:
            return io.BytesIO(self._content(key))
        return _LargeFile(size, lambda start, length: self._part(key, start, length))

    # --- Contents -----------------------------------------------------------------------------------

    def _found(self, key: str) -> tuple[int, datetime]:
        if key not in self._facts:
            raise FileNotFoundError(key)
        return self._facts[key]

    def _content(self, key: str) -> bytes:
        with self._turn:
            fetch, forget = self._plan.open(key)
            for each in fetch:
                self._fetched[each] = self._threads.submit(_finish, partial(self._store.read, each))
            future = self._fetched[key]
            for each in forget:
                self._fetched.pop(each).cancel()
        try:
            return future.result()
        except BaseException:
            with self._turn:
                self._plan.forget(key)
                self._fetched.pop(key, None)
            raise

    def _part(self, key: str, start: int, length: int) -> bytes:
        return self._threads.submit(_finish, partial(self._store.read_range, key, start, length)).result()


def _plain(path: str) -> str:
    """Return a path whose wildcards were made literal as DuckDB writes them."""
    return path.replace("[[]", "[").replace("[*]", "*").replace("[?]", "?")


def _finish(request: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
    """Run a request of the store. It needs a thread without an event loop, and DuckDB also reads in the caller's."""
    return asyncio.run(request())


class _LargeFile(io.RawIOBase):
    """An object of which parts are read."""

    def __init__(self, size: int, read_part: Callable[[int, int], bytes]) -> None:
        self._size = size
        self._read_part = read_part
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._position
        length = left if size is None or size < 0 else min(size, left)
        if length <= 0:
            return b""
        part = self._read_part(self._position, length)
        self._position += len(part)
        return part
