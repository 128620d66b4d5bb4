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
import time
from collections import deque
from typing import Final

import msgspec
import uvloop

from truckstream.errors import DeliveryErrorGroup, TruckstreamError
from truckstream.fleet import Fleet
from truckstream.producer import Delivery, Producer
from truckstream.simulator.messages import WorkerOptions, WorkerProgress

PROGRESS_SECONDS: Final = 0.5

#: Records that may wait for each shard: 0.4 s of a full one. A shard always has some, and they are delivered soon after
#: a stop.
RECORDS_AHEAD: Final = 400

#: The same with compression, where a shard takes twenty times as many.
COMPRESSED_RECORDS_AHEAD: Final = 8_000

#: After a stop, a service that does not take records has this time to take the rest.
DRAIN_SECONDS: Final = 0.8


class SimulationWorker:
    """Runs some of the trucks, and prints its progress while it does."""

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._producer = Producer(
            options.stream,
            region_name=options.region,
            endpoint_url=options.endpoint_url,
            open_timeout=options.open_seconds,
            aggregate=options.compression is not None,
            compression=options.compression,
        )
        self._stop = asyncio.Event()
        self._closing: asyncio.Task[object] | None = None
        self._started: float | None = None
        #: The first error of each kind, in their order.
        self._errors: dict[str, str] = {}

    async def run(self) -> int:
        """Put reports until the time is over or a signal comes, deliver them, and return the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        printing = asyncio.create_task(self._keep_printing())  # ends only if the command has died
        try:
            async with self._producer:
                self._started = time.monotonic()
                await self._report_until_stopped(printing)
        except DeliveryErrorGroup as group:
            for each in group.exceptions:
                self._note(each)
        except TruckstreamError as error:
            self._note(error)
        finally:
            printing.cancel()
        self._print_progress()
        return 1 if self._errors else 0

    def _on_signal(self) -> None:
        """Stop the trucks; at the second signal, close the producer at once."""
        if self._stop.is_set():
            self._closing = asyncio.get_running_loop().create_task(self._producer.close(timeout=0))
        self._stop.set()

    async def _report_until_stopped(self, printing: asyncio.Task[None]) -> None:
        tasks = [asyncio.create_task(self._put_reports()), asyncio.create_task(self._stop.wait())]
        seconds = self._options.seconds
        done, _ = await asyncio.wait([*tasks, printing], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._deliver()
        for task in done:
            task.result()

    async def _put_reports(self) -> None:
        options = self._options
        fleet = Fleet(trucks=options.truck_ids, rate=options.rate, seed=options.seed, invalid=options.invalid)
        ahead_of_each = COMPRESSED_RECORDS_AHEAD if options.compression else RECORDS_AHEAD
        most = max(1, ahead_of_each * len(self._producer.stats.shards) // options.workers)
        ahead: deque[Delivery] = deque()
        async for report in fleet:
            ahead.append(await self._producer.put(report.data, report.truck_id))
            if len(ahead) > most:
                try:
                    await ahead.popleft()
                except TruckstreamError as error:
                    self._note(error)

    async def _deliver(self) -> None:
        """Deliver the buffered records. Without a signal, give them up if the service takes none any more."""
        flushing = asyncio.create_task(self._producer.flush())
        if not self._stop.is_set():
            await asyncio.wait([flushing], timeout=DRAIN_SECONDS)
            if not flushing.done() and (failure := self._producer.last_failure):
                self._note(failure)
                await self._producer.close(timeout=0)
        await flushing

    def _note(self, error: Exception) -> None:
        self._errors.setdefault(type(error).__name__, str(error))

    async def _keep_printing(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            self._print_progress()

    def _print_progress(self) -> None:
        stats, failure = self._producer.stats, self._producer.last_failure
        progress = WorkerProgress(
            seconds=0.0 if self._started is None else time.monotonic() - self._started,
            put=stats.put,
            acked=stats.acked,
            failed=stats.failed,
            throttled=stats.throttled,
            sent=stats.sent,
            maybe_duplicates=stats.maybe_duplicates,
            buffered=stats.buffered,
            shards={shard_id or "unknown": shard.acked for shard_id, shard in stats.shards.items()},
            errors=tuple(self._errors.values()),
            waits_for=None if failure is None else str(failure),
        )
        sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
        sys.stdout.buffer.flush()


async def _run(options: WorkerOptions) -> int:
    return await SimulationWorker(options).run()


def main() -> None:
    """Run one worker."""
    # The progress has what the producer would warn of.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(message)s")
    options = msgspec.json.decode(sys.argv[1], type=WorkerOptions)
    status = 1
    with contextlib.suppress(BrokenPipeError):  # the command has died
        status = uvloop.run(_run(options))
    sys.exit(status)


if __name__ == "__main__":
    main()
