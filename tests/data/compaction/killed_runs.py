"""Kill compactions with SIGKILL: `python killed_runs.py SEED STEPS STORE STORE …` kills one of each store.

Each is a child that is killed at its n-th step, or some milliseconds later. A step is a request to the store or its
reply, and n a random number up to STEPS. So the seed decides where a run is killed, however fast the machine is.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import obstore.store

from truckstream import compact


class ReportingStore(obstore.store.LocalStore):
    """Reports each request, and each reply, with a byte."""

    to_parent: int

    def put(self, *args: Any, **options: Any) -> Any:
        return self._reported(super().put, *args, **options)

    def get(self, *args: Any, **options: Any) -> Any:
        return self._reported(super().get, *args, **options)

    def list(self, *args: Any, **options: Any) -> Any:
        return self._reported(super().list, *args, **options)

    def _reported(self, call: Any, *args: Any, **options: Any) -> Any:
        os.write(self.to_parent, b".")
        try:
            return call(*args, **options)
        finally:
            os.write(self.to_parent, b".")


def run(path: Path, to_parent: int) -> None:
    store = ReportingStore(path)
    store.to_parent = to_parent
    asyncio.run(compact(store))


def kill_one(path: Path, steps: int, seconds: float) -> bool:
    """Start a run, and kill it after its steps; return False if it ended before."""
    from_child, to_parent = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run(path, to_parent)
        finally:
            os._exit(0)
    os.close(to_parent)
    seen = 0
    while seen < steps and (read := os.read(from_child, steps - seen)):
        seen += len(read)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(from_child)
    return os.WIFSIGNALED(status)


def main() -> None:
    choose = random.Random(int(sys.argv[1]))
    steps = int(sys.argv[2])
    killed = [kill_one(Path(path), choose.randint(1, steps), choose.choice([0, 0.003, 0.03])) for path in sys.argv[3:]]
    sys.stdout.write(f"{sum(killed)}\n")


if __name__ == "__main__":
    main()
