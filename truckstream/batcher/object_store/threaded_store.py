"""Call obstore's blocking functions in threads instead of its async ones.

An async call of obstore ends on a thread of its Rust runtime, which uses Python objects after the caller has continued.
A process that ends at that moment is aborted by the runtime, with its work done and exit status 134 (obstore 0.12 under
Python 3.11 to 3.12: 3 of 300 programs with one PUT; PyO3/pyo3-async-runtimes#40, open). A blocking call leaves nothing
behind, and Python waits for its threads before it ends: 0 of 300.

A cancelled PUT then behaves as on a network: the thread completes it, and no caller waits for it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

__all__ = ["KeyListing", "ThreadedStore"]

_T = TypeVar("_T")

#: More than a batcher has in flight by default. Threads are created as they are needed.
MAX_THREADS: Final = 32

#: The keys in one response of S3.
LISTED_AT_ONCE: Final = 1_000


class _GetResult(NamedTuple):
    """A result of `get` whose content is already read."""

    meta: Mapping[str, Any]
    attributes: Mapping[Any, Any]
    content: bytes

    async def bytes_async(self) -> bytes:
        return self.content


class ThreadedStore:
    """An obstore store whose calls run in threads."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="truckstream-store")

    def __repr__(self) -> str:
        return repr(self._store)

    async def put_async(self, path: str, file: bytes, **options: Any) -> Any:
        return await self._run(partial(self._store.put, path, file, **options))

    async def get_async(self, path: str, *, options: Any = None) -> _GetResult:
        return await self._run(partial(self._get, path, options))

    @property
    def completes_metadata(self) -> bool:
        return hasattr(self._store, "complete")

    async def complete_async(self, path: str, attributes: Mapping[str, str]) -> None:
        await self._run(partial(self._store.complete, path, attributes))

    async def get_range_async(self, path: str, start: int, length: int) -> bytes:
        return await self._run(lambda: bytes(self._store.get_range(path, start=start, length=length)))

    async def delete_async(self, paths: Sequence[str]) -> None:
        await self._run(partial(self._store.delete, paths))

    async def list_async(self, prefix: str | None, offset: str | None) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        chunks = await self._run(partial(self._store.list, prefix, offset=offset, chunk_size=LISTED_AT_ONCE))
        while (chunk := await self._run(partial(next, chunks, None))) is not None:
            yield chunk

    def _get(self, path: str, options: Any) -> _GetResult:
        found = self._store.get(path, options=options)
        head_only = bool(options and options.get("head"))
        return _GetResult(found.meta, found.attributes, b"" if head_only else bytes(found.bytes()))

    async def _run(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


class KeyListing:
    """A listing of a store that lists in order. After a request that failed it goes on behind the last key."""

    def __init__(self, store: ThreadedStore, prefix: str, after: str) -> None:
        self._store = store
        self._prefix = prefix or None
        self._after = after or None
        self._chunks: AsyncIterator[Sequence[Mapping[str, Any]]] | None = None

    async def next_chunk(self) -> Sequence[Mapping[str, Any]] | None:
        """Return the next objects; None after the last."""
        if self._chunks is None:
            self._chunks = self._store.list_async(self._prefix, self._after)
        try:
            chunk = await anext(self._chunks, None)
        except Exception:
            self._chunks = None  # an iterator that has raised is at its end
            raise
        if chunk:
            self._after = chunk[-1]["path"]
        return chunk
