"""Producer, Delivery, Ack, statistics, observers and errors, as a user's program has them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_type

from truckstream import Ack, Delivery, Producer, TruckRecord, TruckstreamError, blocking
from truckstream.errors import DeliveryErrorGroup, DeliveryTimeoutError, ServiceError
from truckstream.otel import OpenTelemetryObserver
from truckstream.producer import (
    BatchFailed,
    BatchSent,
    ProducerObserver,
    ProducerStats,
    RecordsAcknowledged,
    RecordsFailed,
    ShardStats,
    StatsSampled,
)


async def put_and_await() -> None:
    async with Producer("trucks", region_name="us-east-1", ordered=True, linger=0.05) as producer:
        assert_type(producer, Producer)
        delivery = await producer.put(b"{}", "TRUCK_001")
        assert_type(delivery, Delivery)
        ack = await delivery
        assert_type(ack, Ack)
        assert_type(delivery.result(), Ack)
        assert_type(delivery.done(), bool)
        assert_type(ack.shard_id, str)
        assert_type(ack.sequence_number, str)
        assert_type(ack.attempts, int)
        assert_type(ack.maybe_duplicate, bool)
        assert_type(producer.try_put(b"{}", "TRUCK_001", explicit_hash_key="0"), Delivery)
        assert_type(await producer.put(b"{}", "TRUCK_001", "0"), Delivery)
        await producer.flush()


async def gather_acks(producer: Producer, deliveries: Sequence[Delivery]) -> list[Ack]:
    assert_type(producer.stats, ProducerStats)
    assert_type(await producer.close(timeout=5.0), ProducerStats)
    return await asyncio.gather(*deliveries)


async def use_as_futures(deliveries: Sequence[Delivery]) -> None:
    done, pending = await asyncio.wait(deliveries, return_when=asyncio.FIRST_EXCEPTION)
    assert_type(done, set[Delivery])
    assert_type(pending, set[Delivery])
    for each in asyncio.as_completed(deliveries):
        assert_type(await each, Ack)
    first = deliveries[0]
    assert_type(await asyncio.shield(first), Ack)
    assert_type(await asyncio.wait_for(first, 1.0), Ack)
    assert_type(first.exception(), TruckstreamError | None)
    finished: list[Delivery] = []
    first.add_done_callback(finished.append)
    assert_type(first.remove_done_callback(finished.append), int)


async def handle_errors(producer: Producer, delivery: Delivery) -> str:
    try:
        await delivery
    except DeliveryTimeoutError as error:
        return f"{error.attempts + 1} attempts"
    except ServiceError as error:
        return error.code
    except TruckstreamError as error:
        assert_type(error.may_be_stored, bool)
        assert_type(error.retryable, bool)
    try:
        await producer.flush()
    except DeliveryErrorGroup as group:
        assert_type(group.total, int)
    return ""


def read_stats(stats: ProducerStats) -> int:
    assert_type(stats.acked, int)
    assert_type(stats.shards, dict[str | None, ShardStats])
    return stats.buffered + stats.in_flight


class CountingObserver(ProducerObserver):
    """Overrides a few hooks, as a user does."""

    def batch_sent(self, event: BatchSent) -> None:
        assert_type(event.records, int)
        assert_type(event.shards, Mapping[str | None, int])

    def batch_failed(self, event: BatchFailed) -> None:
        assert_type(event.code, str)

    def records_acknowledged(self, event: RecordsAcknowledged) -> None:
        assert_type(event.deliveries, Sequence[Delivery])
        assert_type(event.oldest_seconds, float)

    def records_failed(self, event: RecordsFailed) -> None:
        assert_type(event.codes, Mapping[str, int])

    def stats_sampled(self, event: StatsSampled) -> None:
        assert_type(event.stats, ProducerStats)


class WrongObserver(ProducerObserver):
    def batch_sent(self, event: str) -> None:  # type: ignore[override]
        """Take what no producer passes."""


def observe() -> None:
    Producer("trucks", observer=CountingObserver())
    Producer("trucks", observer=OpenTelemetryObserver(per_shard=False))


@dataclass
class Report:
    """An object of the user's own."""

    truck_id: str
    speed: float


def to_json(report: Report) -> str:
    return f'{{"speed":{report.speed}}}'


async def put_objects(report: Report, record: TruckRecord, reports: AsyncIterator[Report]) -> None:
    by_name = Producer("trucks", serializer="json", key="truck_id", linger=0.05)
    await by_name.put({"truck_id": "TRUCK_001"})
    await by_name.put(report)
    await by_name.put(record, "another key")
    assert_type(await by_name.put_many([report, record]), list[Delivery])

    by_function = Producer("trucks", serializer=to_json, key=lambda each: each.truck_id)
    assert_type(by_function, Producer[Report])
    await by_function.put(report)
    by_function.try_put(report, "another key", "0")
    await by_function.put_many(reports)
    await by_function.put_many([(report, "another key")])
    await by_function.put(record)  # type: ignore[arg-type]

    Producer("trucks", serializer=TruckRecord.to_json).try_put(record, record.truck_id)
    Producer("trucks", key=lambda data: str(len(data))).try_put("text")
    Producer("trucks", serializer=7)  # type: ignore[call-overload]
    Producer("trucks", serializer="yaml")  # type: ignore[call-overload]
    Producer("trucks", serializer=to_json, key=7)  # type: ignore[call-overload]
    Producer("trucks", serializer="json", lingers=0.1)  # type: ignore[call-overload]


def block(report: Report, reports: Iterator[Report]) -> None:
    with blocking.Producer("trucks", serializer=to_json, key="truck_id", linger=0.05) as producer:
        assert_type(producer, blocking.Producer[Report])
        delivery = producer.put(report, timeout=1.0)
        assert_type(delivery, blocking.Delivery)
        assert_type(delivery.result(5.0), Ack)
        assert_type(delivery.exception(), TruckstreamError | None)
        assert_type(producer.put_many(reports), list[blocking.Delivery])
        producer.flush(timeout=5.0)
        assert_type(producer.stats, ProducerStats)
        producer.put("text")  # type: ignore[arg-type]
    producer_of_bytes = blocking.Producer("trucks")
    producer_of_bytes.put(b"{}", "TRUCK_001")
    producer_of_bytes.put(7, "TRUCK_001")  # type: ignore[arg-type]
    blocking.Producer("trucks", lingers=0.1)  # type: ignore[call-overload]


async def put_text(producer: Producer) -> None:
    await producer.put("text", "TRUCK_001")
    await producer.put(memoryview(b"{}"), "TRUCK_001")
    await producer.put_many([(b"{}", "TRUCK_001")])


async def wrong_uses(producer: Producer, delivery: Delivery, ack: Ack, stats: ProducerStats) -> None:
    Producer()  # type: ignore[call-overload]
    Producer(7)  # type: ignore[call-overload]
    Producer("trucks", "us-east-1")  # type: ignore[call-overload]
    Producer("trucks", lingers=0.1)  # type: ignore[call-overload]
    Producer("trucks", ordered="yes")  # type: ignore[call-overload]
    Producer("trucks", observer=print)  # type: ignore[call-overload]
    await producer.put(7, "TRUCK_001")  # type: ignore[arg-type]
    await producer.put(b"{}", 1)  # type: ignore[arg-type]
    await producer.put(b"{}", keys="TRUCK_001")  # type: ignore[call-arg]
    producer.try_put(b"{}", "TRUCK_001", 0)  # type: ignore[arg-type]
    with producer:  # type: ignore[attr-defined]
        pass
    ack.attempts = 1  # type: ignore[misc]
    stats.acked = 0  # type: ignore[misc]
    _number: int = ack.sequence_number  # type: ignore[assignment]
    _text: str = await delivery  # type: ignore[assignment]
