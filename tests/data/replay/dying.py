"""A store whose process dies at a chosen call."""

from __future__ import annotations

from typing import Any


class Killed(BaseException):
    """The process was killed. Nothing that comes after it has an effect."""


class DyingStore:
    """An obstore store that carries out a number of calls, and no more.

    Args:
        store: the store.
        calls: the calls that are carried out.
        after: whether the last of them is carried out before the process dies, or not any more.
    """

    def __init__(self, store: Any, calls: int, *, after: bool) -> None:
        self._store = store
        self._calls = calls
        self._after = after
        self.has_died = False

    def die(self) -> None:
        self._calls = 0
        self.has_died = True

    async def put_async(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("the blocking calls are used")

    get_async = put_async

    def put(self, path: str, file: bytes, **options: Any) -> Any:
        return self._call(lambda: self._store.put(path, file, **options))

    def get(self, path: str, **options: Any) -> Any:
        return self._call(lambda: self._store.get(path, **options))

    def list(self, prefix: str | None, **options: Any) -> Any:
        return self._call(lambda: self._store.list(prefix, **options))

    def _call(self, call: Any) -> Any:
        self._calls -= 1
        if self._calls > 0:
            return call()
        if self._calls == 0 and self._after and not self.has_died:
            call()
        self.has_died = True
        raise Killed
