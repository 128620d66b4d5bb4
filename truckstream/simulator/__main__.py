"""`python -m truckstream.simulator OPTIONS`: one worker, which sends the reports of its trucks.

`OPTIONS` is a `WorkerOptions` as JSON. The worker prints a line of `WorkerProgress` every half second, and a last one
that includes its errors. It exits with status 1 if there were any.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import Final

import msgspec
import uvloop

from truckstream.errors import DeliveryErrorGroup, TruckstreamError
from truckstream.fleet import Fleet
from truckstream.kinesis.limits import MIB
from truckstream.producer import Producer
from truckstream.simulator.messages import WorkerOptions, WorkerProgress

PROGRESS_SECONDS: Final = 0.5

#: Room for about four seconds of a full shard: the queue is never empty, and is delivered soon after a stop.
BUFFER_BYTES: Final = 4 * MIB


async def _run_worker(options: WorkerOptions) -> int:
    producer = Producer(
        options.stream, region_name=options.region, endpoint_url=options.endpoint_url, buffer_bytes=BUFFER_BYTES
    )
    stop = _handle_signals(producer)
    errors: tuple[str, ...] = ()
    try:
        async with producer:
            await _report_until_stopped(producer, options, stop)
    except DeliveryErrorGroup as group:
        errors = tuple(dict.fromkeys(str(error) for error in group.exceptions[:5]))
    except TruckstreamError as error:
        errors = (str(error),)
    _print_progress(producer, errors)
    return 1 if errors else 0


def _handle_signals(producer: Producer) -> asyncio.Event:
    """Return an event that the first SIGINT or SIGTERM sets; the second one closes the producer at once."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    closing: list[asyncio.Task[object]] = []

    def on_signal() -> None:
        if stop.is_set():
            closing.append(loop.create_task(producer.close(timeout=0)))
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    return stop


async def _report_until_stopped(producer: Producer, options: WorkerOptions, stop: asyncio.Event) -> None:
    """Put reports until `options.seconds` have passed or `stop` is set, and deliver them."""
    printing = asyncio.create_task(_keep_printing_progress(producer))  # ends only if the command has died
    tasks = [asyncio.create_task(_put_reports(producer, options)), asyncio.create_task(stop.wait())]
    done, _ = await asyncio.wait([*tasks, printing], timeout=options.seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        await producer.flush()
    finally:
        printing.cancel()
    for task in done:
        task.result()


async def _put_reports(producer: Producer, options: WorkerOptions) -> None:
    fleet = Fleet(trucks=options.truck_ids, rate=options.rate, seed=options.seed, invalid=options.invalid)
    async for report in fleet:
        await producer.put(report.data, report.truck_id)


async def _keep_printing_progress(producer: Producer) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        _print_progress(producer)


def _print_progress(producer: Producer, errors: tuple[str, ...] = ()) -> None:
    stats = producer.stats
    progress = WorkerProgress(
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
    """Run one worker."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s")
    options = msgspec.json.decode(sys.argv[1], type=WorkerOptions)
    status = 1
    with contextlib.suppress(BrokenPipeError):  # the command has died
        status = uvloop.run(_run_worker(options))
    sys.exit(status)


if __name__ == "__main__":
    main()
