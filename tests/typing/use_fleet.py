"""Fleet, its reports and TruckRecord, as a load test has them."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Literal, assert_type

from truckstream import Fleet, Producer, TruckRecord
from truckstream.fleet import Breakage, Report, health_of, truck_ids


async def send(producer: Producer) -> None:
    fleet = Fleet(50, rate=None, seed=7, invalid=0.02, start=datetime(2025, 1, 15, tzinfo=UTC))
    assert_type(fleet.take(3), list[Report])
    assert_type(iter(fleet), Iterator[Report])
    assert_type(aiter(fleet), AsyncIterator[Report])
    assert_type(fleet.given_up, float)
    async for report in Fleet(["TRUCK_001", "TRUCK_002"]):
        assert_type(report.data, bytes)
        assert_type(report.broken, Breakage | None)
        await producer.put(report.data, report.truck_id)


def read(data: bytes) -> float:
    record = TruckRecord.from_json(data)
    assert_type(record, TruckRecord)
    assert_type(TruckRecord.checked(truck_id="TRUCK_001"), TruckRecord)
    assert_type(record.to_json(), bytes)
    assert_type(record.engine_rpm, int)
    assert_type(record.health_status, Literal["NORMAL", "WARNING", "URGENT"])
    assert_type(health_of(record), Literal["NORMAL", "WARNING", "URGENT"])
    assert_type(truck_ids(3), list[str])
    return record.speed


def wrong_uses(fleet: Fleet, record: TruckRecord) -> None:
    Fleet(1.5)  # type: ignore[arg-type]
    Fleet(10, 1_000.0)  # type: ignore[call-arg]
    Fleet(start="now")  # type: ignore[arg-type]
    fleet.take("all")  # type: ignore[arg-type]
    TruckRecord(truck_id="TRUCK_001")  # type: ignore[call-arg]
    TruckRecord.from_json(7)  # type: ignore[arg-type]
    record.speed = 65.0  # type: ignore[misc]
    _ = record.velocity  # type: ignore[attr-defined]
