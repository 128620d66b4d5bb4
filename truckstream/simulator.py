"""A fleet that reports to a real stream: processes that each drive their own trucks and their own producer.

`run_workers` starts the processes and adds up what they tell; `python -m truckstream.simulator` is one of them. It
takes its `WorkerOptions` as one JSON argument and prints a line of `Progress` every half second, the last one with
its error if it had one. SIGINT and SIGTERM end the reports; what was put is still delivered. A second one gives up what
is not delivered yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.errors import DeliveryErrorGroup, TruckstreamError
from truckstream.fleet import Fleet, truck_ids
from truckstream.kinesis.limits import MIB
from truckstream.producer import Producer

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable

__all__ = ["Progress", "WorkerOptions", "run_workers", "worker_options"]

PROGRESS_SECONDS: Final = 0.5

#: How a worker ends that is stopped before it can listen to signals, and so before it has put anything.
NOT_STARTED: Final = {-signal.SIGINT, -signal.SIGTERM}

#: What workers get to give up what they have, and to say so; a third signal waits no longer.
BREAK_OFF_SECONDS: Final = 20.0

#: Room for about four seconds of a full shard: never empty, and soon drained when the user says stop.
BUFFER_BYTES: Final = 4 * MIB


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What one process does. `rate` in records a second, None for as many as the shards take."""

    stream: str
    region: str | None
    endpoint_url: str | None
    truck_ids: list[str]
    rate: float | None
    seconds: float | None
    invalid: float
    seed: int


class Progress(msgspec.Struct, frozen=True):
    """What one process, or all of them together, have done. Counts are records."""

    put: int = 0
    acked: int = 0
    failed: int = 0
    throttled: int = 0
    sent: int = 0
    maybe_duplicates: int = 0
    buffered: int = 0
    #: Acknowledged, by shard.
    shards: dict[str, int] = {}
    errors: tuple[str, ...] = ()


def worker_options(workers: int, trucks: int, rate: float | None, **common: object) -> list[WorkerOptions]:
    """Divide trucks and rate among at most `workers` processes; none without trucks."""
    groups = [group for group in (truck_ids(trucks)[index::workers] for index in range(workers)) if group]
    return [
        msgspec.convert(
            {"truck_ids": group, "rate": None if rate is None else rate * len(group) / trucks, **common}, WorkerOptions
        )
        for group in groups
    ]


# --- The command's side ---------------------------------------------------------------------------


async def run_workers(
    options: list[WorkerOptions], stop: asyncio.Event, update: Callable[[Progress], None]
) -> Progress:
    """Run one process for each of `options` until they end, or until `stop` asks them to deliver and end.

    Args:
        options: what each process does.
        stop: set it to end the reports.
        update: is given the sum of what all of them have done, as it changes.

    If this is cancelled, the workers give up what is not delivered yet; `update` gets their last word.
    """
    latest = [Progress() for _ in options]
    processes = [await _start(worker) for worker in options]
    stopping = asyncio.create_task(_stop_all(processes, stop))

    async def follow(index: int, process: Process) -> None:
        async for progress in _progress_of(process):
            latest[index] = progress
            update(_total(latest))

    following = asyncio.gather(*(follow(index, process) for index, process in enumerate(processes)))
    try:
        await asyncio.shield(following)
    except asyncio.CancelledError:
        for number in (signal.SIGINT, signal.SIGTERM):  # two of one kind could become one
            _send(number, processes)
        await asyncio.wait([following], timeout=BREAK_OFF_SECONDS)
        raise
    finally:
        stopping.cancel()
        _send(signal.SIGKILL, processes)
        await asyncio.gather(following, *(process.wait() for process in processes), return_exceptions=True)
    return _total(latest)


async def _start(worker: WorkerOptions) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "truckstream.simulator", msgspec.json.encode(worker).decode()),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C at the terminal is for the command, which then stops its workers
    )


async def _stop_all(processes: list[Process], stop: asyncio.Event) -> None:
    await stop.wait()
    _send(signal.SIGTERM, processes)


def _send(number: signal.Signals, processes: list[Process]) -> None:
    for process in processes:
        if process.returncode is None:
            process.send_signal(number)


async def _progress_of(process: Process) -> AsyncIterator[Progress]:
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    last = Progress()
    async for line in process.stdout:
        last = msgspec.json.decode(line, type=Progress)
        yield last
    if await process.wait() not in {0, *NOT_STARTED} and not last.errors:
        yield msgspec.structs.replace(last, errors=(f"a worker ended with status {process.returncode}",))


def _total(parts: list[Progress]) -> Progress:
    shards: Counter[str] = Counter()
    for part in parts:
        shards.update(part.shards)
    counts = ("put", "acked", "failed", "throttled", "sent", "maybe_duplicates", "buffered")
    return Progress(
        **{name: sum(getattr(part, name) for part in parts) for name in counts},
        shards=dict(sorted(shards.items())),
        errors=tuple(dict.fromkeys(error for part in parts for error in part.errors)),
    )


# --- One process ----------------------------------------------------------------------------------


async def _work(options: WorkerOptions) -> int:
    producer = Producer(
        options.stream, region_name=options.region, endpoint_url=options.endpoint_url, buffer_bytes=BUFFER_BYTES
    )
    stop = _stop_on_signals(producer)
    errors: tuple[str, ...] = ()
    try:
        async with producer:
            await _report_until_stopped(producer, options, stop)
    except DeliveryErrorGroup as group:
        errors = tuple(dict.fromkeys(str(error) for error in group.exceptions[:5]))
    except TruckstreamError as error:
        errors = (str(error),)
    _tell(producer, errors)
    return 1 if errors else 0


def _stop_on_signals(producer: Producer) -> asyncio.Event:
    """An event that SIGINT or SIGTERM sets; a second one breaks off."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    breaking_off: list[asyncio.Task[object]] = []

    def on_signal() -> None:
        if stop.is_set():
            breaking_off.append(loop.create_task(producer.close(timeout=0)))
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return stop


async def _report_until_stopped(producer: Producer, options: WorkerOptions, stop: asyncio.Event) -> None:
    telling = asyncio.create_task(_keep_telling(producer))  # ends when the command has died
    tasks = [asyncio.create_task(_drive(producer, options)), asyncio.create_task(stop.wait())]
    done, _ = await asyncio.wait([*tasks, telling], timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        await producer.flush()
    finally:
        telling.cancel()
    for task in done:
        task.result()


async def _drive(producer: Producer, options: WorkerOptions) -> None:
    fleet = Fleet(trucks=options.truck_ids, rate=options.rate, seed=options.seed, invalid=options.invalid)
    async for report in fleet:
        await producer.put(report.data, report.truck_id)


async def _keep_telling(producer: Producer) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        _tell(producer)


def _tell(producer: Producer, errors: tuple[str, ...] = ()) -> None:
    stats = producer.stats
    progress = Progress(
        put=stats.put,
        acked=stats.acked,
        failed=stats.failed,
        throttled=stats.throttled,
        sent=stats.sent,
        maybe_duplicates=stats.maybe_duplicates,
        buffered=stats.buffered,
        shards={shard_id or "unknown": shard.acked for shard_id, shard in stats.shards.items()},
        errors=errors,
    )
    sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """One process."""
    import uvloop  # noqa: PLC0415 - the command's dependency

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s")
    options = msgspec.json.decode(sys.argv[1], type=WorkerOptions)
    status = 1
    with contextlib.suppress(BrokenPipeError):  # the command has died
        status = uvloop.run(_work(options))
    sys.exit(status)


if __name__ == "__main__":
    main()
