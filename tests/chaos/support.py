"""One history: a producer puts numbered records into a local Kinesis that fails by a plan, and is then judged.

The judge reads everything that the stream holds, past all faults, and compares it with what the producer said of each
record.
"""

import random

from truckstream import kpl
from truckstream.kinesis.client import KinesisClient
from truckstream.local import Fault, LocalKinesis
from truckstream.producer import Producer

#: What each way of sending needs so that a history has hundreds of requests.
MODES = {
    "plain": {},
    "ordered": {"ordered": True},
    "aggregate": {"aggregate": True, "aggregate_bytes": 500, "max_batch_records": 20},
    "ordered-aggregate": {"ordered": True, "aggregate": True, "aggregate_bytes": 500, "max_batch_records": 20},
}


def on_put(kind, **values):
    """A fault of PutRecords alone."""
    return Fault(kind, operations=("PutRecords",), **values)


class WatchedClient(KinesisClient):
    """Looks at every request: at what it carries, and at what the producer holds meanwhile."""

    producer = None
    most_records = most_bytes = most_buffered = requests = 0

    async def put_records(self, records):
        self.requests += 1
        self.most_records = max(self.most_records, len(records))
        self.most_bytes = max(self.most_bytes, sum(len(record.data) for record in records))
        self.most_buffered = max(self.most_buffered, self.producer.stats.buffered_bytes)
        return await super().put_records(records)


class History:
    """A run of a producer, and the judgement.

    Args:
        kinesis: where the records go.
        seed: of the keys.
        mode: a name of `MODES`.
        options: more of the producer's.
    """

    def __init__(self, kinesis: LocalKinesis, seed, mode="plain", *, keys=2_000, name=0, **options):
        self.kinesis = kinesis
        self.mode = mode
        self.name = name
        self._dice = random.Random(f"{seed}/{name}")
        self._keys = [f"TRUCK_{name}_{number:04}" for number in range(keys)]
        self.options = (
            {"buffer_bytes": 4 << 20, "linger": 0.02, "pacing": False, "request_timeout": 2.0} | MODES[mode] | options
        )
        self.client = WatchedClient(
            kinesis.stream_name,
            region_name=kinesis.region_name,
            endpoint_url=kinesis.endpoint_url,
            connections=self.options.get("max_in_flight", 10),
            request_timeout=self.options.pop("request_timeout"),
        )
        self.deliveries = []
        self.stats = None

    async def run(self, records, *, halfway=None):
        """Put `records`, and wait for all outcomes; `halfway` is awaited when half of them are put."""
        producer = self.client.producer = Producer(self.client, **self.options)
        async with producer:
            for number in range(records):
                if halfway and number == records // 2:
                    await halfway()
                key = self._dice.choice(self._keys)
                self.deliveries.append(await producer.put(b"%d/%d" % (self.name, number), key))
            self.stats = await producer.close()

    async def judge(self, *, lost_before=-1):
        """Hold what the producer said to what the stream holds.

        Records up to number `lost_before` may be gone with a stream that was deleted.
        """
        places = await self._read()
        for number, delivery in enumerate(self.deliveries):
            assert delivery.done(), f"record {number} has no outcome"
            copies = places[number]
            if delivery.error is not None:
                assert delivery.error.may_be_stored or not copies, f"record {number} failed, and is stored"
                continue
            ack = delivery.result()
            if number > lost_before:
                assert copies, f"record {number} is acknowledged, and missing"
                assert (ack.shard_id, ack.sequence_number) in copies, f"record {number} is not where its Ack says"
            assert len(copies) <= 1 or ack.maybe_duplicate, f"record {number} is stored {len(copies)} times untold"
            assert len(copies) <= ack.attempts, f"record {number} is stored more often than it was sent"
        self._judge_requests()

    def _judge_requests(self):
        budget = self.options["buffer_bytes"]
        assert 0 < self.client.most_records <= self.options.get("max_batch_records", 500)
        assert self.client.most_bytes <= 10 << 20
        assert self.client.most_buffered <= budget
        assert (self.stats.buffered, self.stats.in_flight, self.stats.buffered_bytes) == (0, 0, 0)
        assert self.stats.acked + self.stats.failed == len(self.deliveries)

    async def _read(self):
        """The places of each record's copies; in order, if they must be.

        The order is that of a shard and then of its children. Only an aggregate that was under way while its shard
        was split is stored as a whole by one of them, so with aggregates it is that of arrival, which is told to the
        millisecond: within one, two shards have no order.
        """
        places = [[] for _ in self.deliveries]
        order = Order()
        stream = [stored async for stored in self.kinesis.stored()]
        if self.options.get("aggregate"):
            stream.sort(key=lambda stored: stored.arrival)
        for stored in stream:
            for key, data in user_records(stored):
                name, _, number = data.partition(b"/")
                if int(name) != self.name:
                    continue
                copies = places[int(number)]
                if not copies and self.options.get("ordered"):
                    order.check(key, int(number), stored)
                copies.append((stored.shard_id, stored.sequence_number))
        return places


class Order:
    """Checks that each key's records come in their order."""

    def __init__(self):
        self._keys = {}
        self._shards = {}

    def check(self, key, number, stored):
        arrival, latest, before = self._keys.get(key, (0.0, -1, -1))
        if stored.arrival != arrival:
            before = latest  # all that came in earlier milliseconds, wherever
        place = key, stored.shard_id
        behind = max(before, self._shards.get(place, -1))
        assert number > behind, f"record {number} of {key} stands behind {behind}"
        self._shards[place] = number
        self._keys[key] = (stored.arrival, max(latest, number), before)


def user_records(stored):
    if kpl.is_aggregate(stored.data):
        return [(record.partition_key, record.data) for record in kpl.decode(stored.data)]
    return [(stored.partition_key, stored.data)]
