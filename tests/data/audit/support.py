"""Stores that a batcher or a worker has filled, ways to damage them, and the findings of an audit in short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.batcher.support import contents, number, small
from tests.worker.support import ModelLease, make_storer, many, stored
from truckstream.batcher import Batcher
from truckstream.data.audit import audit
from truckstream.worker.cutting.group_cutter import CutLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.data.audit import AuditReport

#: Records of a group.
SIZE = 5


async def fill_by_function(store: Any, *events: Sequence[dict[str, Any]], **options: Any) -> None:
    """Store events as the function does."""
    for event in events:
        result = await Batcher(store, **{"schema": dict, "batch_size": SIZE, **options}).process(event)
        assert result.first_failed is None


async def fill_by_worker(store: Any, count: int, *, rejected: Sequence[int] = (), **options: Any) -> None:
    """Store the records of a shard as a worker does, from the record 1 on."""
    records = [stored(n, b"[%d]" % n) if n in rejected else each for n, each in enumerate(many(count, 1), 1)]
    storer = make_storer(store, ModelLease().assign(), limits=CutLimits(SIZE), **options)
    await storer.process(records, 0)
    await storer.finish("shard_end")


def event(start: int, stop: int, *, rejected: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Return the records from `start` up to `stop` as Lambda delivers them."""
    return [small(n) if n not in rejected else small(n) | _invalid(n) for n in range(start, stop)]


def _invalid(n: int) -> dict[str, Any]:
    from tests.batcher.support import record  # noqa: PLC0415

    return record(b"[%d]" % n, n)


def keys(store: Any, prefix: str = "sensor_data") -> list[str]:
    """Return the keys below a prefix in the order of their records."""
    found = contents(store, prefix)
    return sorted(found, key=lambda key: int(attributes(store, key)["first-sequence-number"]))


def attributes(store: Any, key: str) -> dict[str, str]:
    return {str(name): value for name, value in store.get(key).attributes.items()}


def change(store: Any, key: str, content: bytes) -> None:
    """Replace an object's bytes and keep its metadata."""
    store.put(key, content, attributes=attributes(store, key))


def copy(store: Any, key: str, to: str) -> None:
    store.put(to, bytes(store.get(key).bytes()), attributes=attributes(store, key))


async def kinds(store: Any, **options: Any) -> list[str]:
    """Return the kinds of the findings about a store in which nothing is under way."""
    return [each.kind for each in (await verify(store, **options)).findings]


async def verify(store: Any, **options: Any) -> AuditReport:
    return await audit(store, **{"settle": 0, **options})


def short(sequence_number: str | None) -> int | None:
    """Return the number of a record of the tests."""
    return None if sequence_number is None else int(sequence_number) - int(number(0))
