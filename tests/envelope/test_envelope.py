"""Envelopes as a producer seals them: their bytes, their size, and their limit."""

import random
from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.envelope.support import envelope_of, numbers
from tests.kpl.support import records
from truckstream.envelope import MAX_DATA_SIZE, MAX_RAW_SIZE, MAX_RECORDS, Envelope, read
from truckstream.envelope.envelope import CHUNK
from truckstream.envelope.zstd_module import load_zstd
from truckstream.errors import InvalidArgumentError
from truckstream.fleet import Fleet
from truckstream.kpl import UserRecord

TRUCKS = [UserRecord(report.truck_id, None, report.data) for report in Fleet(2000, rate=2000, seed=1).take(2000)]


@given(records)
def test_what_is_sealed_is_read(given_records):
    made = envelope_of(given_records)
    assert read(made.encode()) == given_records
    assert len(made) == len(given_records)


def test_the_bytes_of_an_envelope():
    made = envelope_of([UserRecord("T1", None, b"abc"), UserRecord("T2", "7", b""), UserRecord("T1", None, b"d")])
    data = made.encode()
    assert unpack_from("<8sBBIIIII", data) == (b"\xc1\xfc\xd4\xd2\xd5\xc3\xcb\xd3", 1, 1, 0, 3, 2, 1, 57)
    assert load_zstd().decompress(data[34:]) == (
        b"abcdT1T27" + numbers(3, 0, 1) + numbers(0, 1, -1) + numbers(2, 2) + numbers(0, 1, -1) + numbers(1)
    )
    assert made.raw_size == 57


def test_the_first_records_keys_are_the_envelopes():
    made = envelope_of([UserRecord("T1", "5", b"a"), UserRecord("T2", None, b"b")])
    assert (made.partition_key, made.explicit_hash_key) == ("T1", "5")
    assert repr(made) == f"<Envelope of 2 records, about {made.size} of 43 bytes>"


def test_an_empty_envelope_cannot_be_encoded():
    empty = Envelope()
    for use in (empty.encode, lambda: empty.partition_key, lambda: empty.explicit_hash_key):
        with pytest.raises(InvalidArgumentError, match="at least one record"):
            use()


def test_a_key_that_utf_8_cannot_encode_is_rejected_and_changes_nothing():
    made = Envelope()
    for bad in (("\ud800", None), ("T1", "\ud800")):
        with pytest.raises(InvalidArgumentError, match="UTF-8"):
            made.add(b"", *bad)
    assert (len(made), made.raw_size) == (0, 0)
    made.add(b"", "T2")
    assert read(made.encode()) == [UserRecord("T2", None, b"")]


def test_an_encoded_envelope_takes_no_more_records():
    made = envelope_of([UserRecord("T1", None, b"a")])
    data = made.encode()
    assert not made.add(b"b", "T1")
    assert made.encode() is data
    assert made.size == len(data)


def test_truck_records_take_an_eighth_of_their_bytes():
    made = envelope_of(TRUCKS[:500])
    assert len(made.encode()) < 500 * 60
    assert read(made.encode()) == TRUCKS[:500]


def test_the_estimated_size_of_truck_records_is_close_to_the_real_one():
    made = Envelope(expected_ratio=0.11)
    for count, record in enumerate(TRUCKS, 1):
        made.add(record.data, record.partition_key)
        if count in {100, 500, 1000, 2000}:
            assert len(envelope_of(TRUCKS[:count]).encode()) == pytest.approx(made.size, rel=0.08)
    assert made.ratio == pytest.approx(0.11, rel=0.1)
    made.encode()
    assert made.ratio == pytest.approx(0.11, rel=0.1)


noise = random.Random(5)


@pytest.mark.parametrize("limit", [300, 5_000, 70_000, 200_000])
@pytest.mark.parametrize(
    "made_of",
    [
        TRUCKS,
        [UserRecord(f"k{n}", None, noise.randbytes(noise.choice([0, 1, 300, 5000]))) for n in range(500)],
        [UserRecord(noise.randbytes(100).hex(), str(noise.getrandbits(128)), b"") for _ in range(2000)],
        [UserRecord("k", None, bytes(1000)), *(UserRecord("k", str(n), bytes(1000)) for n in range(2000))],
    ],
    ids=["trucks", "incompressible", "keys", "zeros"],
)
def test_an_envelope_is_never_larger_than_its_limit(made_of, limit):
    made = Envelope()
    count = 0
    while count < len(made_of) and made.add(
        made_of[count].data, made_of[count].partition_key, made_of[count].explicit_hash_key, limit=limit
    ):
        count += 1
    if count:
        assert len(made.encode()) <= limit
        assert read(made.encode()) == made_of[:count]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=40), st.integers(34, 2000))
def test_no_data_exceeds_a_limit(data, limit):
    made = Envelope()
    added = [each for each in data if made.add(each, "k", limit=limit)]
    if added:
        assert len(made.encode()) <= limit
        assert [record.data for record in read(made.encode())] == added


def test_a_limit_is_used_well():
    made = Envelope()
    used = sum(made.add(record.data, record.partition_key, limit=100_000) for record in TRUCKS)
    assert 1200 < used < len(TRUCKS)


def test_incompressible_data_grows_by_little():
    data = noise.randbytes(3 * CHUNK)
    made = envelope_of([UserRecord("k", None, data)])
    assert len(made.encode()) < len(data) + 100
    assert made.ratio > 0.99


def test_no_more_records_than_a_reader_takes():
    made = Envelope()
    assert all(made.add(b"", "k") for _ in range(MAX_RECORDS))
    assert not made.add(b"", "k")
    assert len(read(made.encode())) == MAX_RECORDS


def test_no_more_bytes_than_a_reader_takes():
    made = Envelope()
    assert not made.add(bytes(MAX_DATA_SIZE + 1), "k")
    assert all(made.add(bytes(MAX_DATA_SIZE), "k") for _ in range(15))
    assert made.add(bytes(MAX_RAW_SIZE - 5 - 15 * (MAX_DATA_SIZE + 8) - 16), "k")
    assert not made.add(b"x", "k")
    assert not made.add(b"", "l")
    assert not made.add(b"", "k", "5")
    assert made.add(b"", "k")
    assert made.raw_size == MAX_RAW_SIZE
    assert len(read(made.encode())) == 17
