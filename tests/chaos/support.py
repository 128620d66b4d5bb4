"""One history of a producer: it puts numbered records into a local Kinesis with planned faults, and is then checked.

The check reads every record in the stream, past all faults, and compares it with the outcome that the producer reported
for it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from truckstream import envelope, kpl
from truckstream.kinesis.client import KinesisClient
from truckstream.local import Fault, LocalKinesis
from truckstream.producer import Producer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from truckstream.kinesis.encoding import EncodableRecord
    from truckstream.kinesis.responses import RecordResponse
    from truckstream.local import StoredRecord
    from truckstream.producer import Delivery, ProducerStats

AGGREGATE = {"aggregate": True, "aggregate_bytes": 500, "max_batch_records": 20}

#: The producer's options for each way of sending, chosen so that a history has hundreds of requests.
MODES = {
    "plain": {},
    "ordered": {"ordered": True},
    "aggregate": AGGREGATE,
    "ordered-aggregate": {"ordered": True, **AGGREGATE},
    "envelope": {**AGGREGATE, "compression": "zstd"},
    "ordered-envelope": {"ordered": True, **AGGREGATE, "compression": "zstd"},
}

#: Bytes that are added to each record with compression: short ones make no envelope that is smaller than their data.
COMPRESSED_PADDING = 200


def on_put(kind: str, **values: Any) -> Fault:
    """Return a fault that affects PutRecords only."""
    return Fault(kind, operations=("PutRecords",), **values)


class WatchedClient(KinesisClient):
    """Records the largest request, and the most bytes that the producer buffered during one."""

    producer = None
    most_records = most_bytes = most_buffered = requests = 0

    async def put_records(self, records: Sequence[EncodableRecord]) -> Sequence[RecordResponse]:
        self.requests += 1
        self.most_records = max(self.most_records, len(records))
        self.most_bytes = max(self.most_bytes, sum(len(record.data) for record in records))
        self.most_buffered = max(self.most_buffered, self.producer.stats.buffered_bytes)
        return await super().put_records(records)


class ProducerHistory:
    """One run of a producer, and the check of its outcomes.

    Args:
        kinesis: receives the records.
        seed: decides the keys.
        mode: a name of `MODES`.
        padding: bytes that are added to each record.
        endpoint_url: the way to the service, if not its own.
        session: an aiobotocore session.
        options: further options of the producer.
    """

    def __init__(
        self,
        kinesis: LocalKinesis,
        seed: int,
        mode: str = "plain",
        *,
        keys: int = 2_000,
        name: int = 0,
        padding: int = 0,
        endpoint_url: str | None = None,
        session: Any = None,
        **options: Any,
    ) -> None:
        self.kinesis = kinesis
        self.mode = mode
        self.name = name
        self._dice = random.Random(f"{seed}/{name}")
        padding = padding or COMPRESSED_PADDING * ("compression" in MODES[mode])
        self._padding = b"/" + bytes(padding) if padding else b""
        self._keys = [f"TRUCK_{name}_{number:04}" for number in range(keys)]
        # A short delivery_timeout must not limit the opening as well: machines are slow at times.
        defaults = {"buffer_bytes": 4 << 20, "linger": 0.02, "pacing": False, "open_timeout": 30.0}
        self.options = defaults | {"request_timeout": 2.0} | MODES[mode] | options
        self.client = WatchedClient(
            kinesis.stream_name,
            region_name=kinesis.region_name,
            endpoint_url=endpoint_url or kinesis.endpoint_url,
            session=session,
            connections=self.options.get("max_in_flight", 10),
            request_timeout=self.options.pop("request_timeout"),
        )
        self.deliveries: list[Delivery] = []
        self.stats: ProducerStats | None = None
        #: The number of envelopes in the stream, from `check` on.
        self.envelopes = 0

    async def run(self, records: int, *, halfway: Callable[[], Awaitable[object]] | None = None) -> None:
        """Put this number of records and wait for all outcomes. `halfway` is called after half of them."""
        producer = self.client.producer = Producer(self.client, **self.options)
        async with producer:
            for number in range(records):
                if halfway and number == records // 2:
                    await halfway()
                key = self._dice.choice(self._keys)
                self.deliveries.append(await producer.put(b"%d/%d%b" % (self.name, number, self._padding), key))
            self.stats = await producer.close()

    async def check(self, *, lost_before: int = -1) -> None:
        """Compare the outcome of every record with the stream.

        Records up to number `lost_before` may be missing because their stream was deleted.
        """
        places = await self._read()
        for number, delivery in enumerate(self.deliveries):
            assert delivery.done(), f"record {number} has no outcome"
            copies = places[number]
            if delivery.error is not None:
                assert delivery.error.may_be_stored or not copies, (
                    f"record {number} failed as not stored, but is stored"
                )
                continue
            ack = delivery.result()
            if number > lost_before:
                assert copies, f"record {number} is acknowledged but missing"
                assert (ack.shard_id, ack.sequence_number) in copies, f"record {number} is not at the place in its Ack"
            assert len(copies) <= 1 or ack.maybe_duplicate, (
                f"record {number} is stored {len(copies)} times, which its Ack denies"
            )
            assert len(copies) <= ack.attempts, f"record {number} is stored more often than it was sent"
        self._check_requests()

    def _check_requests(self) -> None:
        budget = self.options["buffer_bytes"]
        assert 0 < self.client.most_records <= self.options.get("max_batch_records", 500)
        assert self.client.most_bytes <= 10 << 20
        # The bytes of envelopes are charged when they are made; those of zeros are a tenth of their records at most.
        assert self.client.most_buffered <= budget * (1.1 if self.options.get("compression") else 1)
        assert (self.stats.buffered, self.stats.in_flight, self.stats.buffered_bytes) == (0, 0, 0)
        assert self.stats.acked + self.stats.failed == len(self.deliveries)

    async def _read(self) -> list[list[tuple[str, str]]]:
        """Return the places of each record's copies, and check the order of the records if they are ordered.

        The order is that of a shard and then of its children. But an aggregate that was in flight while its shard was
        split is stored as a whole by one of the children. So with aggregates the order is that of arrival, which has a
        resolution of one millisecond: within a millisecond, records of two shards have no order.
        """
        places: list[list[tuple[str, str]]] = [[] for _ in self.deliveries]
        order = KeyOrder()
        stream = [stored async for stored in self.kinesis.stored()]
        if self.options.get("aggregate"):
            stream.sort(key=lambda stored: stored.arrival)
        for stored in stream:
            for key, data in user_records(stored):
                name, number = data.split(b"/")[:2]
                if int(name) != self.name:
                    continue
                copies = places[int(number)]
                if not copies and self.options.get("ordered"):
                    order.check(key, int(number), stored)
                copies.append((stored.shard_id, stored.sequence_number))
            self.envelopes += envelope.is_envelope(stored.data)
        return places


class KeyOrder:
    """Checks that each key's records are stored in order."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[float, int, int]] = {}
        self._shards: dict[tuple[str, str], int] = {}

    def check(self, key: str, number: int, stored: StoredRecord) -> None:
        arrival, latest, before = self._keys.get(key, (0.0, -1, -1))
        if stored.arrival != arrival:
            before = latest  # the last record of earlier milliseconds, on any shard
        place = key, stored.shard_id
        behind = max(before, self._shards.get(place, -1))
        assert number > behind, f"record {number} of {key} is stored after record {behind}"
        self._shards[place] = number
        self._keys[key] = (stored.arrival, max(latest, number), before)


def user_records(stored: StoredRecord) -> list[tuple[str, bytes]]:
    """Return the key and the data of each user record in a stored record."""
    if envelope.is_envelope(stored.data):
        return [(record.partition_key, record.data) for record in envelope.read(stored.data)]
    if kpl.is_aggregate(stored.data):
        return [(record.partition_key, record.data) for record in kpl.decode(stored.data)]
    return [(stored.partition_key, stored.data)]
