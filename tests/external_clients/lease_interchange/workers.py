"""Workers that share a lease table: those of the Kinesis Client Library (KCL) in one Java process, and a Consumer's.

Each writes down in a file what it does. Each takes a given number of records of a shard, writes a checkpoint for the
last of them, and holds the shard until it is stopped, so that a test knows where the next worker has to begin.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: Which library a worker has.
Kind = Literal["kcl", "consumer"]
KINDS: Final[tuple[Kind, ...]] = ("kcl", "consumer")
PROGRAMS: Final = Path(__file__).parents[1] / "programs"
#: Seconds to wait for what a worker does. The KCL waits up to 30 s before it creates its first leases.
PATIENCE: Final = 100
#: A limit that no shard reaches.
NO_LIMIT: Final = 1_000_000


class Fact(NamedTuple):
    """One thing that a worker did: "begins", "record", "checkpoint", "ends" of a shard, or "stopped" of none."""

    shard_id: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that runs or has run."""

    name: str
    log: Path
    file: Path
    process: subprocess.Popen[str]
    stop: Callable[[], object]

    @property
    def facts(self) -> list[Fact]:
        """What it did, in order."""
        if not self.file.exists():
            return []
        return [Fact(*json.loads(line)) for line in self.file.read_text().splitlines(keepends=True)]

    def records(self, shard_id: str) -> list[str]:
        """Return the data of the records of a shard that it took."""
        return [fact.value for fact in self.facts if fact[:2] == (shard_id, "record")]

    def wait_until(self, is_reached: Callable[[list[Fact]], bool], goal: str) -> None:
        """Wait until its facts satisfy a condition."""
        deadline = time.monotonic() + PATIENCE
        while not is_reached(self.facts):
            may_come = self.process.poll() is None and time.monotonic() < deadline
            # A process that has ended may have written its last facts in the meantime.
            assert may_come or is_reached(self.facts), f"{self.name} has not {goal}: {self.facts[-20:]}\n{self._log}"
            time.sleep(0.1)

    @property
    def _log(self) -> str:
        return self.log.read_text()[-3000:]

    def wait_for_checkpoints(self, counts: Mapping[str, int]) -> None:
        """Wait until it has taken so many records of each shard and has written a checkpoint for the last one."""

        def is_reached(facts: list[Fact]) -> bool:
            kinds = {shard_id: [fact.kind for fact in facts if fact.shard_id == shard_id] for shard_id in counts}
            return all(
                kinds[shard_id].count("record") >= count and {*kinds[shard_id][-2:]} & {"checkpoint", "ends"}
                for shard_id, count in counts.items()
            )

        self.wait_until(is_reached, f"taken {counts}")

    def kill_and_wait(self) -> None:
        """Kill its process."""
        self.process.kill()
        self.process.wait()

    def stop_and_wait(self) -> None:
        """Stop it in an orderly way."""
        self.stop()
        self.wait_until(lambda facts: any(fact.kind == "stopped" for fact in facts), "stopped")


@dataclass
class Workers:
    """Starts workers on one local Kinesis and one DynamoDB."""

    folder: Path
    environment: Mapping[str, str]
    #: The command that starts the Java program.
    java: Sequence[str | Path]
    #: With 3 s a loaded machine lets the KCL lose its leases to itself, and begin with new processors.
    lease_seconds: float = 10.0
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _processes: list[subprocess.Popen[Any]] = field(default_factory=list)
    _kcl: subprocess.Popen[str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)

    def start(self, kind: Kind, application: str, stream: str, limit: int = NO_LIMIT) -> Worker:
        """Start a worker that takes `limit` records of each shard."""
        name = f"{kind}-{next(self._numbers)}"
        file = self.folder / name
        if kind == "kcl":
            # Version 3 gives leases to workers that have stopped, for up to a minute: there is one id for all turns.
            worker_id = f"kcl-of-{application}"
            kcl = self._command("start", worker_id, application, stream, limit, round(self.lease_seconds * 1000), file)
            return Worker(name, self.folder / "kcl.log", file, kcl, lambda: self._command("stop", worker_id))
        program = PROGRAMS / "consumer_worker.py"
        endpoints = (self.environment[f"AWS_ENDPOINT_URL_{service}"] for service in ("KINESIS", "DYNAMODB"))
        arguments = (application, stream, limit, self.lease_seconds, file, *endpoints)
        process = self._run(name, [sys.executable, program, *arguments])
        return Worker(name, self.folder / f"{name}.log", file, process, process.terminate)

    def close(self) -> None:
        """Kill the processes."""
        for process in self._processes:
            process.kill()
            process.wait()
            process.stdin.close()  # type: ignore[union-attr]

    def _command(self, *words: object) -> subprocess.Popen[str]:
        with self._lock:
            if self._kcl is None:
                self._kcl = self._run("kcl", [*self.java, PROGRAMS / "KclWorkers.java"])
            self._kcl.stdin.write(" ".join(map(str, words)) + "\n")  # type: ignore[union-attr]
            self._kcl.stdin.flush()  # type: ignore[union-attr]
            return self._kcl

    def _run(self, name: str, command: Sequence[object]) -> subprocess.Popen[str]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in command],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
            )
        self._processes.append(process)
        return process
