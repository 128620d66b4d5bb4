"""Stores with rejected records, and helpers that read what a replay made of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec

from tests.batcher.support import contents, record
from truckstream.batcher import Batcher


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """The schema with which the records were rejected."""

    n: int


class Lenient(msgspec.Struct):
    """A schema that accepts what `Strict` rejects."""

    n: int | str


def bad(n: int, **options: Any) -> dict[str, Any]:
    """Return record n, invalid under `Strict`."""
    return record(json.dumps({"n": f"{n}"}).encode(), n, **options)


def good(n: int, **options: Any) -> dict[str, Any]:
    return record(json.dumps({"n": n}).encode(), n, **options)


def fix(rejected: Any) -> bytes | None:
    """Repair a bad record."""
    return json.dumps({"n": int(json.loads(rejected.data)["n"])}).encode()


async def reject(store: Any, records: list[dict[str, Any]], **options: Any) -> None:
    """Store records with the batcher that rejects the bad ones."""
    batcher = Batcher(store, **({"schema": Strict, "batch_size": 10} | options))
    result = await batcher.process(records)
    assert result.first_failed is None


def stored(store: Any, prefix: str = "sensor_data") -> Counter[int]:
    """Return how often each record is stored."""
    return Counter(
        int(json.loads(line)["n"]) for body in contents(store, prefix).values() for line in body.splitlines()
    )
