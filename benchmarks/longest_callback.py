"""How long does the producer hold the event loop when something happens to 110,000 records at once?

The default buffer of 64 MiB is full of 110,000 records of 109 bytes; the rows that say "compressed" have reports of
5,000 trucks, 498 bytes each, in a buffer of 256 MiB. Then they expire, are given up, fail, are routed
again, or make room for waiting puts. The service is a plain object in this process, without a network. Shown are the
longest callback and the longest turn of the loop, all callbacks between two polls of the sockets, in milliseconds of
CPU. A turn includes the tasks of this script that the producer wakes, and the responses to several requests.

Python's garbage collector is off while a row is measured: its full collections take as long as the heap of the program
is large. `--gc` leaves it on.

    uv run python benchmarks/longest_callback.py [--records 110000] [--only WORD,…] [--gc] [--json FILE]
        [--html FILE]
"""

import asyncio
import contextlib
import gc
from dataclasses import dataclass, field

import support.prerequisites  # noqa: F401 - reports a missing package
from support.command_line import make_parser, publish, selected
from support.loop_watch import run_watched

from truckstream import Fleet
from truckstream.charts import Axis, bars
from truckstream.errors import DeliveryErrorGroup, ProducerClosedError, TruckstreamError
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.limits import MAX_HASH_KEY
from truckstream.kinesis.responses import RecordResponse, StreamSummary
from truckstream.kinesis.shard_map import Shard
from truckstream.producer import Producer, ProducerObserver

DATA = bytes(100)
FOREVER = 3_600.0

ACCEPT, HANG, REJECT, FAIL = "accept", "hang", "reject", "fail"


def even_shards(count, first=0):
    width = (MAX_HASH_KEY + 1) // count
    return [
        Shard(f"shardId-{first + index:012}", index * width, (index + 1) * width - 1) for index in range(count)
    ]  # for one or two shards, which divide the hash keys without a rest


class Client:
    """A stream's client that responds as `behaviour` demands."""

    def __init__(self, shards):
        self.shards = even_shards(shards)
        self.behaviour = ACCEPT

    async def open(self):
        pass

    async def close(self):
        pass

    async def list_shards(self):
        return self.shards

    async def summary(self):
        return StreamSummary(max_record_bytes=1 << 20)

    async def put_records(self, records):
        await asyncio.sleep(0)
        if self.behaviour is HANG:
            await asyncio.sleep(FOREVER)
        if self.behaviour is REJECT:
            raise RequestFailedError(FailureKind.PERMANENT, "AccessDeniedException", "no permission")
        if self.behaviour is FAIL:
            raise RequestFailedError(FailureKind.NOT_SENT, "ConnectError", "no connection")
        return [RecordResponse(shard_id=self.shards[0].shard_id, sequence_number="1") for _ in records]


@dataclass
class Event:
    name: str
    #: Brings it about. It gets the row's `Row`.
    happen: object
    options: dict = field(default_factory=dict)
    behaviour: str = HANG
    keys: int = 100
    awaited: bool = False
    waiting_puts: bool = False
    #: Whether the records are reports of a fleet, which compress as real ones do.
    reports: bool = False


@dataclass
class Row:
    producer: Producer
    client: Client
    watch: object
    records: int


async def close_at_once(row):
    await row.producer.close(timeout=0)


async def cancel_close(row):
    closing = asyncio.create_task(row.producer.close())
    await asyncio.sleep(0.1)
    row.watch.reset()
    closing.cancel()
    await asyncio.wait([closing])


async def wait_for_the_end(row):
    with contextlib.suppress(DeliveryErrorGroup):
        await row.producer.flush()


async def make_room(row):
    while row.producer.stats.failed < row.records:  # noqa: ASYNC110 - the producer has no event for it
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)


async def reshard(row):
    """The response to the first request names a shard of the new map."""
    row.client.shards = even_shards(2, first=100)
    row.client.behaviour = ACCEPT
    while "shardId-000000000100" not in row.producer.stats.shards:  # noqa: ASYNC110 - likewise
        await asyncio.sleep(0)
    await asyncio.sleep(0.5)


async def read_stats(row):
    await asyncio.sleep(1.0)
    row.watch.reset()
    _ = row.producer.stats
    await asyncio.sleep(0)


COMPRESSED = {"aggregate": True, "compression": "zstd", "buffer_bytes": 256 << 20}
RETRYING = {"delivery_timeout": FOREVER, "linger": 0.0, "max_in_flight": 100, "pacing": False}

EVENTS = [
    Event("close(timeout=0)", close_at_once),
    Event("close(timeout=0), ordered, a key each", close_at_once, {"ordered": True, "buffer_bytes": 256 << 20}, keys=0),
    Event("close(timeout=0), aggregated", close_at_once, {"aggregate": True}),
    Event("close(timeout=0), compressed", close_at_once, COMPRESSED, reports=True),
    Event("close(timeout=0), all awaited", close_at_once, awaited=True),
    Event("close(timeout=0), with an observer", close_at_once, {"observer": ProducerObserver()}),
    Event("close(timeout=0), and as many puts wait", close_at_once, waiting_puts=True),
    Event("close() is cancelled", cancel_close),
    Event("deadline", wait_for_the_end, {"delivery_timeout": 5.0}, FAIL),
    Event("deadline, ordered", wait_for_the_end, {"delivery_timeout": 5.0, "ordered": True}, FAIL),
    Event("deadline makes room for as many puts", make_room, {"delivery_timeout": 8.0}, FAIL, waiting_puts=True),
    Event("permanent failure", wait_for_the_end, {"pacing": False}, behaviour=REJECT),
    Event("permanent failure, aggregated", wait_for_the_end, {"pacing": False, "aggregate": True}, behaviour=REJECT),
    Event("permanent failure, compressed", wait_for_the_end, {"pacing": False} | COMPRESSED, REJECT, reports=True),
    Event("acknowledged", wait_for_the_end, {"pacing": False}, behaviour=ACCEPT),
    Event("acknowledged, aggregated", wait_for_the_end, {"pacing": False, "aggregate": True}, behaviour=ACCEPT),
    Event("acknowledged, compressed", wait_for_the_end, {"pacing": False} | COMPRESSED, ACCEPT, reports=True),
    Event("reshard, 100 keys", reshard),
    Event("reshard, a key each", reshard, keys=0),
    Event("reshard, ordered, a key each", reshard, {"ordered": True, "buffer_bytes": 256 << 20}, keys=0),
    Event("reshard while all back off", reshard, RETRYING, behaviour=FAIL, keys=0),
    Event("reshard while all back off, aggregated", reshard, RETRYING | {"aggregate": True}, behaviour=FAIL, keys=0),
    Event("reshard while all back off, compressed", reshard, RETRYING | COMPRESSED, behaviour=FAIL, reports=True),
    Event("stats while all back off", read_stats, RETRYING, behaviour=FAIL),
]


async def result_of(delivery):
    with contextlib.suppress(TruckstreamError):
        await delivery


async def put_one(producer):
    with contextlib.suppress(ProducerClosedError):
        await producer.put(DATA, "TRUCK_001")


def contents(event, records):
    if event.reports:
        return [(report.data, report.truck_id) for report in Fleet(trucks=5_000, rate=5_000, seed=1).take(records)]
    return [(DATA, f"TRUCK_{index if event.keys == 0 else index % event.keys:03}"[-9:]) for index in range(records)]


async def measure(event, watch, records):
    client = Client(shards=1)
    client.behaviour = event.behaviour
    producer = Producer(client, **{"linger": 1.0, "delivery_timeout": FOREVER} | event.options)
    await producer.open()
    tasks = []
    for data, key in contents(event, records):
        delivery = producer.try_put(data, key)
        if event.awaited:
            tasks.append(asyncio.create_task(result_of(delivery)))
    if event.waiting_puts:
        tasks += [asyncio.create_task(put_one(producer)) for _ in range(records)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    row = Row(producer, client, watch, records)
    await asyncio.sleep(0.01)
    watch.reset()
    await event.happen(row)
    if event.awaited or event.waiting_puts:
        await asyncio.sleep(0.2)
    figures = watch.milliseconds()
    with contextlib.suppress(asyncio.CancelledError):
        await producer.close(timeout=0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"event": event.name, "records": records, **figures}


def charts(rows):
    kinds = {"callback_ms": "longest callback", "turn_ms": "longest turn"}
    return [
        bars(
            "How long the producer holds the event loop",
            [{"event": row["event"], "ms": row[field], "kind": kind} for row in rows for field, kind in kinds.items()],
            name="event",
            value=Axis("ms", "CPU time, ms", ",.1f"),
            series="kind",
            caption="A turn is all callbacks between two polls of the sockets.",
        )
    ]


def main(options):
    rows = []
    print("| what happens | longest callback, ms | longest turn, ms |\n|---|---|---|")
    for event in selected(EVENTS, options):
        gc.collect()
        if not options.gc:
            gc.disable()
        row = run_watched(lambda watch, event=event: measure(event, watch, options.records))
        gc.enable()
        rows.append(row)
        print("| {event} | {callback_ms} | {turn_ms} |".format(**row), flush=True)
    return rows


if __name__ == "__main__":
    parser = make_parser(__doc__, only="events")
    parser.add_argument("--records", type=int, default=110_000, help="default: %(default)s")
    parser.add_argument("--gc", action="store_true", help="leave the garbage collector on")
    options = parser.parse_args()
    rows = main(options)
    publish(options, charts=charts(rows), rows=rows)
