"""Any undamaged output has no finding, and any single damage has one, whatever was delivered and how.

The output is that of the batcher with requests that fail, and of Lambda, which delivers again from the first failed
record on, with more records than before.
"""

import asyncio
import random

import obstore.store
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.batcher.support import Small, aggregate, contents, envelope, number, record
from tests.data.audit.support import attributes, change, copy, keys, verify
from tests.data.audit.test_stream import compare, in_stream
from tests.worker.support import ModelLease, make_storer, stored
from truckstream.batcher import Batcher
from truckstream.deaggregation import deaggregate
from truckstream.worker.cutting.group_cutter import CutLimits


class FailingStore:
    """A store in memory whose requests fail at random, before they are carried out or after."""

    def __init__(self, store, randomness, share):
        self._store = store
        self._randomness = randomness
        self._share = share

    async def put_async(self, path, file, **options):
        fails = self._randomness.random() < self._share
        if fails and self._randomness.random() < 0.5:
            raise OSError("not sent")
        await asyncio.to_thread(self._store.put, path, bytes(file), **options)
        if fails:
            raise OSError("the response was lost")

    async def get_async(self, path, *, options=None):
        found = await asyncio.to_thread(self._store.get, path, options=options)
        return _Found(found.meta, found.attributes, b"" if options else bytes(found.bytes()))


class _Found:
    def __init__(self, meta, attributes, content):
        self.meta, self.attributes, self._content = meta, attributes, content

    async def bytes_async(self):
        return self._content


#: Each record of a shard: valid, one of a few equal payloads, rejected, or an aggregate or an envelope of some.
KINDS = ["valid", "same", "rejected", "aggregate", "envelope", "long aggregate", "long envelope"]
SHARDS = st.lists(st.sampled_from(KINDS), min_size=3, max_size=40)
PACKS = {"aggregate": aggregate, "envelope": envelope, "long aggregate": aggregate, "long envelope": envelope}


def count_of(kind, n):
    """Return the number of user records. A group has five."""
    return (6 + n % 11 if kind.startswith("long") else 1 + n % 3) if kind in PACKS else 1


FORMATS = st.sampled_from(
    [
        {},
        {"compression": "gzip"},
        {"compression": "zstd", "layout": "hive"},
        {"format": "json"},
        {"format": "parquet"},
        {"add_stream_fields": True},
    ]
)


def data_of(kind, n):
    if kind in PACKS:
        users = range(count_of(kind, n))
        return PACKS[kind](*(data_of(("valid", "rejected", "same")[at % 3], n * 20 + at) for at in users))
    return {"valid": b'{"n":%d}' % n, "same": b'{"n":0}', "rejected": b"[%d]" % n}[kind]


def records_of(shard):
    return [record(data_of(kind, n), n) for n, kind in enumerate(shard)]


async def deliver(store, records, randomness, share, **options):
    """Deliver the records as Lambda does: from the first failed one on, in batches that never become shorter."""
    start, stop = 0, 0
    flaky = FailingStore(store, randomness, share)
    for _ in range(500):
        if start >= len(records):
            return
        stop = max(stop, min(len(records), start + randomness.randint(1, 15)))
        batcher = Batcher(flaky, schema=Small, batch_size=5, max_attempts=1, **options)
        result = await batcher.process(records[start:stop])
        failed = result.first_failed
        start = stop if failed is None else next(n for n in range(start, stop) if number(n) == failed)
    raise AssertionError("the batcher makes no progress")


async def store_by_worker(store, records, **options):
    """Store the records as a worker does."""
    users = []
    for n, each in enumerate(in_stream(records)):
        if (found := deaggregate(each.data)) is None:
            users.append(stored(n, each.data))
        else:
            users += [stored(n, user.data, at, len(found)) for at, user in enumerate(found)]
    storer = make_storer(store, ModelLease().assign(), limits=CutLimits(5), schema=Small, **options)
    await storer.process(users, 0)
    await storer.finish("shard_end")


async def findings(store, records, *, with_stream):
    """Return the kinds of all findings, by metadata and contents, and by the stream."""
    kinds = {each.kind for each in (await verify(store)).findings}
    if with_stream:
        kinds |= {each.kind for each in (await compare(store, in_stream(records))).findings}
    return kinds


@settings(max_examples=40, deadline=None)
@given(SHARDS, FORMATS, st.integers(0, 2**32), st.sampled_from([0.0, 0.3]))
def test_undamaged_output_has_no_finding(shard, options, seed, share):
    async def main():
        store, records = obstore.store.MemoryStore(), records_of(shard)
        await deliver(store, records, random.Random(seed), share, **options)
        assert await findings(store, records, with_stream=True) == set()
        report = await verify(store, quick=True)
        assert report.findings == ()
        [shard_report] = report.shards
        lines = sum(count_of(kind, n) for n, kind in enumerate(shard))
        assert shard_report.valid + shard_report.rejected == lines

    asyncio.run(main())


def damage(store, which, key):
    body = bytes(store.get(key).bytes())
    match which:
        case "delete":
            store.delete(key)
        case "duplicate":
            copy(store, key, key.replace("batch_2025", "batch_2024").replace(".", "a.", 1))
        case "truncate":
            change(store, key, body[: len(body) // 2])
        case "edit":
            at = len(body) // 2
            change(store, key, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])


DAMAGE = st.sampled_from(["delete", "duplicate", "truncate", "edit"])


@settings(max_examples=60, deadline=None)
@given(SHARDS, FORMATS, st.integers(0, 2**32), DAMAGE, st.data())
def test_any_damage_is_found_while_the_stream_has_the_records(shard, options, seed, which, data):
    async def main():
        store, records = obstore.store.MemoryStore(), records_of(shard)
        await deliver(store, records, random.Random(seed), 0.3, **options)
        damage(store, which, data.draw(st.sampled_from(sorted(contents(store)))))
        assert await findings(store, records, with_stream=True) != set()

    asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(SHARDS, FORMATS, DAMAGE, st.data())
def test_any_damage_of_a_workers_output_is_found_without_the_stream(shard, options, which, data):
    """But for a group at the end of a shard that is missing as a whole."""

    async def main():
        store, records = obstore.store.MemoryStore(), records_of(shard)
        await store_by_worker(store, records, **options)
        assert await findings(store, records, with_stream=False) == set()
        all_keys = sorted(contents(store))
        ends = {
            attributes(store, key)["first-sequence-number"] for key in (keys(store, None)[0], keys(store, None)[-1])
        }
        key = data.draw(st.sampled_from(all_keys))
        is_alone = attributes(store, key)["records"] == attributes(store, key)["lines"]
        is_end = attributes(store, key)["first-sequence-number"] in ends
        damage(store, which, key)
        if not (which == "delete" and is_alone and is_end):
            assert await findings(store, records, with_stream=False) != set()

    asyncio.run(main())
