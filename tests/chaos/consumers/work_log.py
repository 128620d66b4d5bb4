"""The log of one worker's work: a line for each event, in a file that outlives the worker.

    opened                      the consumer is open
    taken     shard checkpoint  a tenure begins there
    began     shard numbers     a batch was delivered; `is_held` is whether its lease was held at that moment or later
    ended     shard numbers     the batch was processed while the lease was held
    saving    shard checkpoint  a checkpoint is about to be written
    saved     shard checkpoint  the table has acknowledged it
    released  shard             the tenure has ended as planned: hand-over, close, or the end of the shard
    lost      shard             the lease is lost
    failed    error             the consumer raised an error

All processes of a machine have the same monotonic clock, which goes on while a process is stopped.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class Event(msgspec.Struct, omit_defaults=True):
    at: float
    kind: str
    shard: str = ""
    numbers: list[int] = []
    checkpoint: str = ""
    is_held: bool = True
    error: str = ""
    #: The worker; set by the reader.
    worker: str = ""


class WorkLog:
    """A worker's own log. Each line is one write, so that only the last one can be cut off by a SIGKILL."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.has_opened = False

    @staticmethod
    def now() -> float:
        return time.clock_gettime(time.CLOCK_MONOTONIC)

    def write(self, kind: str, shard: str = "", *, at: float | None = None, **fields: Any) -> None:
        self.has_opened |= kind == "opened"
        event = Event(self.now() if at is None else at, kind, shard, **fields)
        os.write(self._file, msgspec.json.encode(event) + b"\n")


class LogReader:
    """Reads the lines that a log has got since the last time."""

    def __init__(self, worker: str, path: Path) -> None:
        self._worker = worker
        self._path = path
        self._offset = 0
        self._decoder = msgspec.json.Decoder(Event)

    def read(self) -> list[Event]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = [self._decoder.decode(line) for line in whole.splitlines()]
        for event in events:
            event.worker = self._worker
        return events
