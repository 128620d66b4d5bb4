"""Aggregates as a producer writes them: their bytes, their size, and their limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kpl.support import aggregate_of, records
from truckstream.errors import InvalidArgumentError
from truckstream.kpl import Aggregate, UserRecord, decode, is_aggregate


def test_the_bytes_of_an_aggregate():
    made = aggregate_of(
        [UserRecord("T1", None, b"abc"), UserRecord("T2", "7", b""), UserRecord("T1", None, b"d" * 200)]
    )
    assert made.encode()[4:-16] == (
        b"\x0a\x02T1\x0a\x02T2"
        b"\x12\x017"
        b"\x1a\x07\x08\x00\x1a\x03abc"
        b"\x1a\x06\x08\x01\x10\x00\x1a\x00"
        b"\x1a\xcd\x01\x08\x00\x1a\xc8\x01" + b"d" * 200
    )


def test_the_first_records_keys_are_the_aggregates():
    made = aggregate_of([UserRecord("T1", "5", b"a"), UserRecord("T2", None, b"b")])
    assert (made.partition_key, made.explicit_hash_key) == ("T1", "5")
    assert repr(made) == f"<Aggregate of 2 records, {made.size} bytes>"


def test_an_empty_aggregate_cannot_be_encoded():
    empty = Aggregate()
    for use in (empty.encode, lambda: empty.partition_key, lambda: empty.explicit_hash_key):
        with pytest.raises(InvalidArgumentError, match="at least one record"):
            use()


def test_a_key_that_utf_8_cannot_encode_is_rejected_and_changes_nothing():
    made = Aggregate()
    for bad in (("\ud800", None), ("T1", "\ud800")):
        with pytest.raises(InvalidArgumentError, match="UTF-8"):
            made.add(b"", *bad)
    assert (len(made), made.size) == (0, 20)
    made.add(b"", "T2")
    assert decode(made.encode()) == [UserRecord("T2", None, b"")]


@pytest.mark.parametrize("size", [0, 1, 122, 123, 124, 127, 128, 16_375, 16_383, 16_384, 2_097_151, 2_097_152])
def test_lengths_on_both_sides_of_a_varints_edges(size):
    made = aggregate_of([UserRecord("k", None, bytes(size))])
    assert made.size == len(made.encode())
    assert [len(record.data) for record in decode(made.encode())] == [size]


def test_more_keys_than_an_index_of_two_bytes_holds():
    given_records = [UserRecord(f"k{n}", str(n), b"%d" % n) for n in range(16_500)]
    made = aggregate_of(given_records)
    assert made.size == len(made.encode())
    assert decode(made.encode()) == given_records


@given(records)
def test_records_survive_a_round_trip_and_the_size_is_always_exact(given_records):
    made, ahead = Aggregate(), Aggregate()
    for count, record in enumerate(given_records):
        arguments = (record.data, record.partition_key, record.explicit_hash_key)
        assert ahead.add(*arguments)
        size = ahead.size
        assert not made.add(*arguments, limit=size - 1)
        assert len(made) == count
        assert made.add(*arguments, limit=size)
        assert made.size == size == len(made.encode())
    assert decode(made.encode()) == given_records
    assert is_aggregate(made.encode())


@given(records, st.integers(0, 2_000))
def test_a_limit_is_never_exceeded(given_records, limit):
    made = Aggregate()
    taken = [
        record
        for record in given_records
        if made.add(record.data, record.partition_key, record.explicit_hash_key, limit=limit)
    ]
    assert len(made) == len(taken)
    if taken:
        assert len(made.encode()) <= limit
        assert decode(made.encode()) == taken
