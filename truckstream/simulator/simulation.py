"""Divide a simulation among worker processes, run them, and add up their progress."""

from __future__ import annotations

import asyncio
import math
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.errors import InvalidArgumentError
from truckstream.fleet import truck_ids
from truckstream.simulator.messages import WorkerOptions, WorkerProgress

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable

__all__ = ["SimulationOptions", "run_simulation"]

#: The exit status of a worker that a signal stopped before it could handle signals, and so before its first put.
NOT_STARTED: Final = {-signal.SIGINT, -signal.SIGTERM}

#: How long the stream may take to open: a person waits for the error if the endpoint is wrong. A simulation that shall
#: be shorter waits for less, but long enough for a slow connection.
OPEN_SECONDS: Final = 10.0
LEAST_OPEN_SECONDS: Final = 2.0

#: How long cancelled workers may take to give up their records and report how many. After that they are killed.
CANCEL_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """The options of a simulation. `Fleet` checks those of the trucks."""

    #: A name or an ARN.
    stream: str
    #: None uses the region of the ARN.
    region: str | None
    endpoint_url: str | None
    trucks: int
    #: Records per second of the whole fleet; None sends as many as the shards take.
    rate: float | None
    #: None runs until it is stopped.
    seconds: float | None
    workers: int
    invalid: float
    seed: int
    #: Records share compressed Kinesis records; see `Producer`.
    compression: str | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise InvalidArgumentError("seconds", self.seconds, "must be greater than 0")
        if self.workers < 1:
            raise InvalidArgumentError("workers", self.workers, "must be at least 1")

    def shares(self) -> list[WorkerOptions]:
        """Divide trucks and rate among the workers; a worker without trucks is left out."""
        groups = [truck_ids(self.trucks)[index :: self.workers] for index in range(min(self.workers, self.trucks))]
        open_seconds = max(LEAST_OPEN_SECONDS, min(OPEN_SECONDS, self.seconds or math.inf))
        return [
            WorkerOptions(
                stream=self.stream,
                region=self.region,
                endpoint_url=self.endpoint_url,
                truck_ids=group,
                rate=None if self.rate is None else self.rate * len(group) / self.trucks,
                seconds=self.seconds,
                invalid=self.invalid,
                seed=self.seed,
                workers=len(groups),
                open_seconds=open_seconds,
                compression=self.compression,
            )
            for group in groups
        ]


async def run_simulation(
    options: SimulationOptions, stop: asyncio.Event, update: Callable[[WorkerProgress], None]
) -> WorkerProgress:
    """Run the workers until they end, and return the total of their progress.

    Args:
        options: The fleet, the stream and the number of workers.
        stop: Set it to stop the trucks; the workers deliver the records that they hold and end.
        update: Called with the total of all workers whenever it changes.

    If this is cancelled, the workers give up the records that are not delivered yet; the last call of `update` counts
    them as failed.
    """
    shares = options.shares()
    latest = [WorkerProgress() for _ in shares]
    processes = [await _start_worker(share) for share in shares]
    stopping = asyncio.create_task(_stop_workers(processes, stop))

    async def follow(index: int, process: Process) -> None:
        async for progress in _progress_of(process):
            latest[index] = progress
            update(WorkerProgress.total(latest))

    following = asyncio.gather(*(follow(index, process) for index, process in enumerate(processes)))
    try:
        await asyncio.shield(following)
    except asyncio.CancelledError:
        for number in (signal.SIGINT, signal.SIGTERM):  # two signals of one kind can be merged into one
            _send_signal(number, processes)
        await asyncio.wait([following], timeout=CANCEL_SECONDS)
        raise
    finally:
        stopping.cancel()
        _send_signal(signal.SIGKILL, processes)
        await asyncio.gather(following, *(process.wait() for process in processes), return_exceptions=True)
    return WorkerProgress.total(latest)


async def _start_worker(share: WorkerOptions) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "truckstream.simulator", msgspec.json.encode(share).decode()),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in the terminal reaches only the command, which then stops its workers
    )


async def _stop_workers(processes: list[Process], stop: asyncio.Event) -> None:
    await stop.wait()
    _send_signal(signal.SIGTERM, processes)


def _send_signal(number: signal.Signals, processes: list[Process]) -> None:
    for process in processes:
        if process.returncode is None:
            process.send_signal(number)


async def _progress_of(process: Process) -> AsyncIterator[WorkerProgress]:
    """Yield each progress that a worker prints, and an error if it dies without one."""
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    last = WorkerProgress()
    async for line in process.stdout:
        last = msgspec.json.decode(line, type=WorkerProgress)
        yield last
    if await process.wait() not in {0, *NOT_STARTED} and not last.errors:
        yield msgspec.structs.replace(last, errors=(f"a worker exited with status {process.returncode}",))
