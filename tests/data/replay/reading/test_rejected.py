"""Rejected records are read back from the lines that the batcher writes."""

from __future__ import annotations

import json

import obstore.store
import pytest

from tests.batcher.support import ARN, ARRIVAL, SHARD, aggregate, contents, number, record
from tests.data.replay.support import Strict, bad, good
from truckstream.batcher import Batcher
from truckstream.data.replay.reading.rejected import Rejected, decompress, identify, read_lines


async def read_back(records, **options):
    """The records that a batcher rejects, and the lines that are broken."""
    store = obstore.store.MemoryStore()
    await Batcher(store, schema=Strict, **options).process(records)
    ((key, content),) = contents(store, "rejected").items()
    return read_lines(decompress(key, content))


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
async def test_a_record_is_read_back(compression):
    records, broken = await read_back([good(0), bad(1)], compression=compression)
    assert broken == []
    assert records == [
        Rejected(
            reason="wrong_type",
            field="n",
            value="1",
            rule="must be int, got str",
            stream=ARN,
            shard=SHARD,
            sequence_number=number(1),
            subsequence_number=None,
            partition_key="TRUCK_001",
            explicit_hash_key=None,
            arrival=ARRIVAL + 0.001,
            data=b'{"n": "1"}',
        )
    ]


@pytest.mark.parametrize("data", [b"\xff\x00", b"", "ü\u2028".encode(), b"a\nb\r", b'"' * 3_000])
async def test_the_bytes_are_exact(data):
    ((rejected,), broken) = await read_back([record(data, 0)])
    assert (rejected.data, broken) == (data, [])


async def test_data_that_is_not_base64_has_no_bytes():
    ((rejected,), _) = await read_back([record(b"", 0, encoded="***")])
    assert (rejected.reason, rejected.data, rejected.undecoded) == ("not_base64", None, "***")


async def test_a_user_record_of_an_aggregate_keeps_its_place_and_keys():
    users = [(b'{"n": 1}', "first"), (b"?", "second", "7"), (b"?", "third")]
    records, _ = await read_back([record(aggregate(*users), 0)])
    assert [(each.subsequence_number, each.partition_key, each.explicit_hash_key) for each in records] == [
        (1, "second", "7"),
        (2, "third", None),
    ]


async def lines():
    store = obstore.store.MemoryStore()
    await Batcher(store, schema=Strict).process([bad(n) for n in range(3)])
    return next(iter(contents(store, "rejected").values()))


def change(line, **fields):
    return json.dumps({**json.loads(line), **fields}).encode()


async def test_a_broken_line_does_not_hide_the_others():
    first, second, third = (await lines()).splitlines()
    for broken in (
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        second[:-1],
        change(second, sequence_number="x"),
        change(second, arrival=-1),
        change(second, arrival=1e300),
        change(second, data_base64="AAAA"),
        json.dumps({name: value for name, value in json.loads(second).items() if name != "data"}).encode(),
        json.dumps({name: value for name, value in json.loads(second).items() if name != "shard"}).encode(),
    ):
        records, problems = read_lines(b"\n".join((first, broken, third, b"")))
        assert [each.sequence_number for each in records] == [number(0), number(2)], broken
        assert [each.number for each in problems] == [2], broken


async def test_an_object_that_ends_within_a_line_is_broken_there():
    content = await lines()
    records, problems = read_lines(content[:-1])
    assert (len(records), problems) == (2, [(3, "the object ends within this line")])


def test_an_object_with_another_compression_is_no_text():
    assert decompress("batch.json.gz", b"{}") is None


async def test_an_identity_is_that_of_the_record_and_not_of_its_refusal():
    """A schema that was changed may refuse the same record for another reason."""
    first = (await lines()).splitlines()[0]
    changed = change(first, reason="other", field=None, value=1, rule="another one")
    records, _ = read_lines(b"\n".join((first, changed, b"")))
    one, two = identify(records[:1]) + identify(records[1:])
    assert one == two


async def test_other_records_have_other_identities():
    first = (await lines()).splitlines()[0]
    others = [
        change(first, **fields)
        for fields in (
            {"stream": "other"},
            {"shard": "other"},
            {"sequence_number": "1"},
            {"subsequence_number": 0},
            {"subsequence_number": 1},
            {"partition_key": "other"},
            {"explicit_hash_key": "1"},
            {"data": "other"},
        )
    ]
    records, _ = read_lines(b"\n".join((first, *others, first, b"")))
    assert len(set(identify(records))) == len(records)  # the last one is equal to the first one, and another record
