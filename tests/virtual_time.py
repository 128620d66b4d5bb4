"""An event loop whose clock jumps to the next timer whenever nothing else can run: an hour passes in milliseconds.

For code without sockets. Where every task waits for something that no timer will bring, the loop says so instead of
hanging.
"""

import asyncio
import selectors


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("every task waits for ever")
        self.now += timeout
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self):
        return self._clock.now


def run(main):
    """Run the coroutine `main` on virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
