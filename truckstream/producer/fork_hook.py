"""Calls open producers in a process that was forked from theirs.

The records and connections belong to the parent. Without the hook the child's copy would send the records again.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add", "remove"]

T = TypeVar("T")

_in_child: Final[weakref.WeakKeyDictionary[Any, Callable[[Any], None]]] = weakref.WeakKeyDictionary()


def add(producer: T, in_child: Callable[[T], None]) -> None:
    """Call `in_child(producer)` in processes that are forked from now on. The producer is not kept alive by this."""
    _in_child[producer] = in_child


def remove(producer: object) -> None:
    """Ignore forks from now on."""
    _in_child.pop(producer, None)


def _call_all() -> None:
    for producer, in_child in list(_in_child.items()):
        in_child(producer)
    _in_child.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_call_all)
