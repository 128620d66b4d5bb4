"""Calls the hooks of an observer of a producer or a consumer. An observer that raises never harms it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

__all__ = ["ObserverHooks"]


class ObserverHooks:
    """The hooks of one observer.

    Args:
        observer: the observer.
        base: the class that it must derive from.
        names: the name of the hook for each class of events.
        logger: where the first exception of a hook is logged.

    Raises:
        InvalidArgumentError: `observer` does not derive from `base`, or one of its hooks is a coroutine function.
    """

    def __init__(self, observer: object, base: type, names: Mapping[type, str], logger: logging.Logger) -> None:
        if not isinstance(observer, base):
            raise InvalidArgumentError("observer", observer, f"must be a {base.__name__}: derive from it")
        self._hooks: dict[type, Callable[[object], object]] = {
            event: getattr(observer, name) for event, name in names.items()
        }
        for hook in self._hooks.values():
            if inspect.iscoroutinefunction(hook):
                raise InvalidArgumentError("observer", observer, "must have plain methods: no hook is awaited")
        self._names = names
        self._logger = logger
        self._has_raised = False

    def call(self, event: object) -> None:
        """Call the hook for an event."""
        try:
            self._hooks[type(event)](event)
        except Exception:
            if not self._has_raised:
                self._has_raised = True
                name = self._names[type(event)]
                self._logger.exception("an observer's %s raised; its later exceptions are not logged", name)
