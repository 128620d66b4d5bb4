"""An asyncio loop that measures its longest callback and its longest turn: all callbacks between two polls.

The times are CPU times, because another process on the same core would count as a pause otherwise.
"""

import asyncio
import selectors
import time


class LoopWatch:
    """The longest callback and the longest turn since `reset`, in seconds of CPU."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.longest_callback = self.longest_turn = 0.0
        self.turn_began = time.thread_time()

    def milliseconds(self):
        return {"callback_ms": round(self.longest_callback * 1e3, 1), "turn_ms": round(self.longest_turn * 1e3, 1)}


class _WatchedSelector(selectors.DefaultSelector):
    def __init__(self, watch):
        super().__init__()
        self._watch = watch

    def select(self, timeout=None):
        watch = self._watch
        watch.longest_turn = max(watch.longest_turn, time.thread_time() - watch.turn_began)
        try:
            return super().select(timeout)
        finally:
            watch.turn_began = time.thread_time()


def run_watched(main):
    """Run `main(watch)` on a loop of its own and return its result."""
    watch = LoopWatch()
    run_handle = asyncio.Handle._run  # noqa: SLF001 - asyncio has no hook around its callbacks

    def run_measured(handle):
        began = time.thread_time()
        run_handle(handle)
        watch.longest_callback = max(watch.longest_callback, time.thread_time() - began)

    asyncio.Handle._run = run_measured  # noqa: SLF001
    try:
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_WatchedSelector(watch))) as runner:
            return runner.run(main(watch))
    finally:
        asyncio.Handle._run = run_handle  # noqa: SLF001
