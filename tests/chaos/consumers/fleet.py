"""Worker processes: they join, leave, die and freeze."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.consumers.work_log import Event, LogReader

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "tests" / "chaos" / "programs" / "consumer.py"


@dataclass
class WorkerProcess:
    name: str
    process: subprocess.Popen[bytes]
    log: LogReader
    #: A worker that never opened has no leases, and no handler for SIGTERM yet.
    has_opened: bool = False
    killed_at: float | None = None
    is_frozen: bool = False
    is_leaving: bool = False
    #: When it was frozen, and for how long.
    freezes: list[list[float]] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        return self.has_opened and self.killed_at is None and not self.is_frozen and not self.is_leaving


class Fleet:
    """All workers that ever were.

    Args:
        folder: for their logs.
        settings: of every worker; see `tests/chaos/programs/consumer.py`.
        environment: of the processes.
        rng: chooses the options of each worker.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], environment: dict[str, str], rng: random.Random) -> None:
        self._folder = folder
        self._settings = settings
        self._environment = os.environ | environment | {"PYTHONPATH": str(ROOT)}
        self._rng = rng
        self._numbers = itertools.count(1)
        self.workers: list[WorkerProcess] = []
        self.events: list[Event] = []
        #: The numbers of all records that were processed.
        self.processed: set[int] = set()

    def join(self) -> WorkerProcess:
        name = f"worker-{next(self._numbers)}"
        path = self._folder / f"{name}.log"
        choose = self._rng.choice
        settings = self._settings | {
            "name": name,
            "log": str(path),
            "seed": self._rng.random(),
            "checkpoint": choose(["after", "manual"]),
            "checkpoint_interval": choose([0.2, 1.0, self._settings["lease_duration"]]),
            "max_batch_records": choose([5, 20, None]),
            "loops": choose([True, False]),
        }
        with (self._folder / f"{name}.err").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), json.dumps(settings)],
                env=self._environment,
                stdout=errors,
                stderr=errors,
            )
        worker = WorkerProcess(name, process, LogReader(name, path))
        self.workers.append(worker)
        return worker

    @property
    def running(self) -> list[WorkerProcess]:
        """The workers that have not been told to end."""
        return [worker for worker in self.workers if worker.killed_at is None and not worker.is_leaving]

    @property
    def active(self) -> list[WorkerProcess]:
        """The workers that work at the moment."""
        return [worker for worker in self.workers if worker.is_active]

    @staticmethod
    def kill(worker: WorkerProcess) -> None:
        worker.killed_at = time.monotonic()
        worker.process.kill()
        worker.process.wait()

    @staticmethod
    def freeze(worker: WorkerProcess) -> None:
        worker.is_frozen = True
        worker.freezes.append([time.monotonic(), float("inf")])
        worker.process.send_signal(signal.SIGSTOP)

    @staticmethod
    def thaw(worker: WorkerProcess) -> None:
        worker.process.send_signal(signal.SIGCONT)
        worker.freezes[-1][1] = time.monotonic()
        worker.is_frozen = False

    @staticmethod
    def leave(worker: WorkerProcess) -> None:
        worker.is_leaving = True
        worker.process.terminate()

    def read_logs(self) -> None:
        """Read what the workers have logged since the last time.

        Raises:
            AssertionError: a worker has ended that was not told to.
        """
        for worker in self.workers:
            has_exited = worker.process.poll()
            new = worker.log.read()
            self.events += new
            worker.has_opened = worker.has_opened or bool(new)
            for event in new:
                if event.kind == "ended":
                    self.processed.update(event.numbers)
            if has_exited is not None and worker.killed_at is None:
                errors = (self._folder / f"{worker.name}.err").read_text()[-3_000:]
                assert worker.is_leaving, f"{worker.name} has ended by itself: {errors}"
                assert has_exited == 0, f"{worker.name} left with exit code {has_exited}: {errors}"

    def trouble(self, name: str, begin: float, end: float) -> str | None:
        """Return what was done to a worker between two times that excuses it."""
        [worker] = [worker for worker in self.workers if worker.name == name]
        if worker.killed_at is not None and begin <= worker.killed_at <= end:
            return "killed"
        if any(frozen_at <= end and thawed_at >= begin for frozen_at, thawed_at in worker.freezes):
            return "frozen"
        return None

    def end(self) -> None:
        """Kill all that still run."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
