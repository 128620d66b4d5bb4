"""Consume in a process of its own, until SIGTERM, and write a log of the work: see `tests/chaos/consumers/work_log.py`.

The first argument is a JSON object with the settings.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.chaos.consumers.work_log import WorkLog
from tests.cloud.ministack import session
from tests.consumer.faulty_table import FaultyTable
from truckstream.consumer import ConsumerObserver
from truckstream.consumer.consumer import Consumer
from truckstream.consumer.tables.dynamodb_table import DynamoDbTable
from truckstream.consumer.tables.sqlite_table import SqliteTable
from truckstream.errors import LeaseLostError, LeaseTableError

if TYPE_CHECKING:
    from truckstream.consumer import LeaseLost, LeaseReleased, LeaseTaken, ShardEnded
    from truckstream.consumer.leases.lease import Lease
    from truckstream.consumer.processing.batch import Batch

#: Seconds that the work on a batch takes, one of these.
WORK_SECONDS = (0.0, 0.0, 0.01, 0.1, 0.5)


class LoggedTable:
    """Logs each checkpoint before it is written, and when the table has acknowledged it."""

    def __init__(self, table: Any, log: WorkLog) -> None:
        self._table = table
        self._log = log
        self.names_streams = table.names_streams

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    async def replace(self, before: Lease, after: Lease) -> bool:
        sequence_number = after.checkpoint.sequence_number
        self._log.write("saving", after.shard_id, checkpoint=sequence_number)
        is_written = await self._table.replace(before, after)
        if is_written:
            self._log.write("saved", after.shard_id, checkpoint=sequence_number)
        return is_written


class LeaseLog(ConsumerObserver):
    """Logs the beginnings and the ends of tenures."""

    def __init__(self, log: WorkLog) -> None:
        self._log = log

    def lease_taken(self, event: LeaseTaken) -> None:
        self._log.write("taken", event.shard, checkpoint=event.checkpoint)

    def lease_released(self, event: LeaseReleased) -> None:
        self._log.write("released", event.shard)

    def shard_ended(self, event: ShardEnded) -> None:
        self._log.write("released", event.shard)

    def lease_lost(self, event: LeaseLost) -> None:
        self._log.write("lost", event.shard)


class Work:
    """Processes a batch: logs its beginning and its end. The time is taken before the lease is looked at."""

    def __init__(self, log: WorkLog, rng: random.Random, *, is_manual: bool) -> None:
        self._log = log
        self._rng = rng
        self._is_manual = is_manual

    async def __call__(self, batch: Batch) -> None:
        numbers = [int(each.data) for each in batch]
        at = self._log.now()
        self._log.write("began", batch.shard_id, at=at, numbers=numbers, is_held=batch.is_held)
        await asyncio.sleep(self._rng.choice(WORK_SECONDS))
        at, is_held = self._log.now(), batch.is_held
        if is_held:  # else another worker processes it: its checkpoint is refused here
            self._log.write("ended", batch.shard_id, at=at, numbers=numbers)
        if self._is_manual:
            await self._checkpoint(batch, was_held=is_held)

    async def _checkpoint(self, batch: Batch, *, was_held: bool) -> None:
        try:
            await batch.checkpoint()
        except (LeaseLostError, LeaseTableError):
            return
        if not was_held:
            self._log.write("failed", batch.shard_id, error="a checkpoint was accepted after the lease was lost")


async def loop_over(consumer: Consumer, work: Work) -> None:
    """Run four loops over the consumer's batches."""

    async def loop() -> None:
        async for batch in consumer:
            await work(batch)

    async with asyncio.TaskGroup() as loops:
        for _ in range(4):
            loops.create_task(loop())


async def consume(settings: dict[str, Any], log: WorkLog) -> None:
    rng = random.Random(settings["seed"])
    if settings["sqlite"]:
        table: Any = FaultyTable(SqliteTable(settings["sqlite"]), rng, attempts=4)
        table.throttled = table.lost = settings["table_faults"]
    else:
        name, url = settings["application"], settings["dynamodb"]
        retry_for = settings["lease_duration"] / 2
        table = DynamoDbTable(
            name, region_name="us-east-1", endpoint_url=url, session=session(), retry_for=retry_for, random=rng
        )
    consumer = Consumer(
        settings["stream"],
        application=settings["application"],
        leases=LoggedTable(table, log),
        worker_id=settings["name"],
        lease_duration=settings["lease_duration"],
        hand_over_timeout=2 * settings["lease_duration"],
        checkpoint=settings["checkpoint"],
        checkpoint_interval=settings["checkpoint_interval"],
        max_batch_records=settings["max_batch_records"],
        endpoint_url=settings["endpoint_url"],
        request_timeout=1.0,
        open_timeout=60.0,
        observer=LeaseLog(log),
        random=rng,
    )
    work = Work(log, rng, is_manual=settings["checkpoint"] == "manual")
    async with consumer:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consumer.stop)
        log.write("opened")
        run = partial(loop_over, consumer, work) if settings["loops"] else partial(consumer.run, work)
        await run()


async def end_with_parent() -> None:
    """End at once when the test has ended without ending its workers."""
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - no event tells this
        await asyncio.sleep(1)
    os._exit(1)


async def main() -> None:
    settings = json.loads(sys.argv[1])
    log = WorkLog(settings["log"])
    watching = asyncio.create_task(end_with_parent())
    while not watching.done():
        try:
            await consume(settings, log)
        except LeaseTableError as error:
            if log.has_opened:
                log.write("failed", error=repr(error))
                raise
            await asyncio.sleep(0.5)  # as a container that is started again
        except Exception as error:
            log.write("failed", error=repr(error))
            raise
        else:
            return


asyncio.run(main())
