"""An event loop whose clock jumps to the next timer whenever nothing else can run: an hour passes in milliseconds.

For code without sockets. If every task waits and no timer is set, the loop raises an error instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("every task waits for ever")
        self.now += timeout
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(main: Coroutine[Any, Any, T], make_loop: Callable[[], VirtualTimeLoop] = VirtualTimeLoop) -> T:
    """Run the coroutine `main` on virtual time."""
    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(main)
