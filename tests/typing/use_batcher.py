"""Batcher and its Result, with schemas, stores and layouts, as a function's handler has them."""

from typing import Any, Literal, assert_type

import msgspec
from obstore.store import MemoryStore

from truckstream import Batcher, get_optimal_batch_size
from truckstream.batcher import Receipt, Refusal, Result
from truckstream.errors import TruckstreamError


class Reading(msgspec.Struct):
    sensor: int
    celsius: float


def check_reading(data: bytes) -> None:
    """A schema may be any callable that raises."""


def make_batchers() -> list[Batcher]:
    return [
        Batcher("s3://bucket", prefix="sensor_data", batch_size=700, encryption="aws:kms", kms_key_id="alias/trucks"),
        Batcher("file:///data", layout="hive", event_time="timestamp", compression="zstd"),
        Batcher(MemoryStore(), batch_size="auto", format="parquet", schema=Reading),
        Batcher("memory:///", schema=check_reading),
        Batcher("memory:///", schema=None, format="json"),
    ]


async def process(batcher: Batcher, event: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    result = await batcher.process(event["Records"], deadline=12.5)
    assert_type(result, Result)
    assert_type(result.received, int)
    assert_type(result.stored, int)
    assert_type(result.rejected, int)
    assert_type(result.not_stored, int)
    assert_type(result.first_failed, str | None)
    assert_type(result.causes, tuple[TruckstreamError, ...])
    assert_type(result.oldest_arrival, float | None)
    for receipt in result.objects:
        assert_type(receipt, Receipt)
        assert_type(receipt.key, str)
        assert_type(receipt.records, int)
        assert_type(receipt.outcome, Literal["created", "already there", "adopted"])
    for refusal in result.refusals:
        assert_type(refusal, Refusal)
        assert_type(refusal.field, str | None)
    return result.batch_item_failures()


def optimal_size() -> int:
    return get_optimal_batch_size(1_234)


async def wrong_uses(batcher: Batcher, result: Result) -> None:
    Batcher()  # type: ignore[call-arg]
    Batcher("memory:///", "sensor_data")  # type: ignore[call-arg]
    Batcher("memory:///", batch_size="large")  # type: ignore[arg-type]
    Batcher("memory:///", format="csv")  # type: ignore[arg-type]
    Batcher("memory:///", compression="brotli")  # type: ignore[arg-type]
    Batcher("memory:///", layout="tree")  # type: ignore[arg-type]
    Batcher("memory:///", encryption="rot13")  # type: ignore[arg-type]
    await batcher.process(b"[]")  # type: ignore[arg-type]
    await batcher.process([], 5.0)  # type: ignore[call-arg]
    _ = batcher.process([]).stored  # type: ignore[attr-defined]
    result.stored = 0  # type: ignore[misc]
    get_optimal_batch_size("many")  # type: ignore[arg-type]
