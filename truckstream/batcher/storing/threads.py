"""obstore's blocking calls in threads of ours, in place of its async ones.

Its async calls finish on a thread of its Rust runtime, which touches Python objects after the caller has gone on.
A process that ends just then is aborted by the runtime, its work done and its exit status 134 (obstore 0.12 under
Python 3.11 to 3.12: 3 of 300 one-PUT programs; PyO3/pyo3-async-runtimes#40, open). A blocking call leaves nothing
behind, and Python waits for its threads before it ends: 0 of 300.

It also keeps a cancelled PUT honest. The thread sees it through, as the network would; nobody waits for it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ThreadedStore"]

_T = TypeVar("_T")

#: More than a batcher has in flight by default; threads are made as they are needed.
MAX_THREADS: Final = 32


@dataclass(frozen=True, slots=True)
class _Found:
    """What `get` found, with its content already here."""

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

    async def get_async(self, path: str, *, options: Any = None) -> _Found:
        return await self._run(partial(self._get, path, options))

    def _get(self, path: str, options: Any) -> _Found:
        found = self._store.get(path, options=options)
        only_head = bool(options and options.get("head"))
        return _Found(found.meta, found.attributes, b"" if only_head else bytes(found.bytes()))

    async def _run(self, call: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
