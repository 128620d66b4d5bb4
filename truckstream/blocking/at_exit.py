"""The producers that are open, which the end of the interpreter closes."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - registers the end of its threads first, so that it comes last
import threading
from typing import Protocol

__all__ = ["add", "remove"]


class _Closable(Protocol):
    def close_at_exit(self) -> None: ...


#: They are kept until they are closed: a producer that nobody refers to any more may have records to send.
_open: set[_Closable] = set()


def add(producer: _Closable) -> None:
    """Call `close_at_exit` at the end of the interpreter."""
    _open.add(producer)


def remove(producer: _Closable) -> None:
    """Forget a producer."""
    _open.discard(producer)


def _close_all() -> None:
    for producer in list(_open):
        producer.close_at_exit()


# The functions of `atexit` run after the threads of all executors have ended, and a new connection needs one to look a
# host name up. `concurrent.futures` registers there for the same reason (Python 3.9 to 3.14).
getattr(threading, "_register_atexit", atexit.register)(_close_all)
