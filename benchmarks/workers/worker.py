"""One worker of an application, in a process of its own: it reads what shards it gets, and prints its events.

A line is JSON: [seconds of the monotonic clock, event, shard or figures]. The clock is the same in all processes of a
machine.

    python worker.py '{"kinesis_url": …, "dynamodb_url": …, "stream": …, "lease_duration": 10, …}'
"""

import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass

import uvloop
from aiobotocore.session import get_session

from truckstream import Consumer
from truckstream.consumer import ConsumerObserver
from truckstream.consumer.tables.dynamodb_table import DynamoDbTable

REPORT_SECONDS = 1.0
#: DynamoDB counts a consistent read of up to 4 KB as one unit, and a write of up to 1 KB (DynamoDB's developer guide,
#: "Read and write operations", read 2026-11-29).
READ_UNIT_BYTES = 4096


@dataclass
class Job:
    """How the worker is to read."""

    kinesis_url: str
    dynamodb_url: str
    stream: str
    lease_duration: float
    application: str = "benchmark"
    #: Whether to await a checkpoint after each batch. Otherwise checkpoints are written with the renewals.
    saves_each_batch: bool = False


def report(event, value=None):
    print(json.dumps([time.monotonic(), event, value]), flush=True)


class Reporter(ConsumerObserver):
    """Prints the first response for each shard, and the end of each lease."""

    def __init__(self):
        self._new = set()

    def lease_taken(self, event):
        self._new.add(event.shard)

    def records_read(self, event):
        if event.shard in self._new:
            self._new.discard(event.shard)
            report("reading", event.shard)

    def lease_released(self, event):
        report("released", event.shard)

    def lease_lost(self, event):
        report("lost", event.shard)


class Meter:
    """Counts a session's calls to DynamoDB, the units of their reads, and the batches of the consumer."""

    def __init__(self, session):
        self.counts = {"writes": 0, "reads": 0, "read_units": 0, "batches": 0}
        session.register("after-call.dynamodb.UpdateItem", self._on_write)
        session.register("after-call.dynamodb.PutItem", self._on_write)
        session.register("after-call.dynamodb.DeleteItem", self._on_write)
        session.register("after-call.dynamodb.Scan", self._on_scan)

    def _on_write(self, **_):
        self.counts["writes"] += 1

    def _on_scan(self, parsed, **_):
        self.counts["reads"] += 1
        size = sum(map(item_bytes, parsed.get("Items", ())))
        self.counts["read_units"] += max(1, -(-size // READ_UNIT_BYTES))


def item_bytes(item):
    """Return the size of an item as DynamoDB counts it: names and values."""
    return sum(len(name) + value_bytes(value) for name, value in item.items())


def value_bytes(value):
    ((kind, content),) = value.items()
    if kind == "N":
        return len(content) // 2 + 1
    if kind == "SS":
        return 3 + sum(len(text) + 1 for text in content)
    return len(content) if kind == "S" else 1


async def main(job):
    session = get_session()
    meter = Meter(session)
    table = DynamoDbTable(job.application, region_name="us-east-1", endpoint_url=job.dynamodb_url, session=session)
    consumer = Consumer(
        job.stream,
        application=job.application,
        leases=table,
        lease_duration=job.lease_duration,
        region_name="us-east-1",
        endpoint_url=job.kinesis_url,
        observer=Reporter(),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consumer.stop)
    report("starting")
    async with consumer:
        reporting = asyncio.create_task(report_counts(meter))
        async for batch in consumer:
            meter.counts["batches"] += 1
            if job.saves_each_batch:
                await batch.checkpoint()
        reporting.cancel()


async def report_counts(meter):
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        report("counts", meter.counts)


if __name__ == "__main__":
    uvloop.run(main(Job(**json.loads(sys.argv[1]))))
