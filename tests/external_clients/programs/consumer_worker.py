"""A worker of the Consumer that appends what it does to a file, as lines of JSON. SIGTERM stops it.

consumer_worker.py APPLICATION STREAM LIMIT LEASE_SECONDS FILE KINESIS DYNAMODB

A processor takes LIMIT records of its shard, writes a checkpoint for the last of them and a pending one for the last
record that it got, and holds the shard until the worker is stopped.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from truckstream import Consumer
from truckstream.consumer import AssignedShard, Checkpoint, EndReason, PendingCheckpoint, Record
from truckstream.consumer.tables.dynamodb_table import DynamoDbTable

APPLICATION, STREAM, LIMIT, LEASE_SECONDS, FILE, KINESIS, DYNAMODB = sys.argv[1:]
OUT = open(FILE, "a", buffering=1, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process


def write(shard: str, fact: str, value: str) -> None:
    OUT.write(json.dumps([shard, fact, value]) + "\n")


def place(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.sequence_number}/{checkpoint.subsequence_number}"


def checkpoint_of(record: Record) -> Checkpoint:
    return Checkpoint(record.sequence_number, record.subsequence_number or 0)


class Processor:
    def __init__(self, shard: AssignedShard) -> None:
        self.shard = shard
        self.taken = 0
        self.stopped = asyncio.Event()
        pending = shard.pending
        write(shard.shard_id, "begins", f"{place(pending.checkpoint)}/{pending.state.decode()}" if pending else "")

    async def process(self, records: Sequence[Record], millis_behind: int) -> None:  # noqa: ARG002 - the interface
        room = int(LIMIT) - self.taken
        took, left = records[:room], records[room:]
        self.taken += len(took)
        for record in took:
            write(self.shard.shard_id, "record", record.data.decode())
        if took:
            await self.shard.save(checkpoint_of(took[-1]))
        if left:
            await self.shard.announce(PendingCheckpoint(checkpoint_of(left[-1]), b"by-consumer"))
        if took:
            write(self.shard.shard_id, "checkpoint", place(checkpoint_of(took[-1])))
        if left:
            await self.stopped.wait()

    def end_soon(self) -> None:
        self.stopped.set()

    async def finish(self, reason: EndReason) -> None:
        write(self.shard.shard_id, {"shard_end": "ends"}.get(reason, reason), "")

    def abandon(self) -> None:
        write(self.shard.shard_id, "lost", "")


async def main() -> None:
    async with Consumer(
        STREAM,
        application=APPLICATION,
        leases=DynamoDbTable(APPLICATION, endpoint_url=DYNAMODB),
        lease_duration=float(LEASE_SECONDS),
        checkpoint_interval=1.0,
        endpoint_url=KINESIS,
    ) as consumer:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consumer.stop)
        await consumer.run_processors(Processor)
    write("", "stopped", "")


asyncio.run(main())
