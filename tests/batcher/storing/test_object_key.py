"""Object keys: the arrival time, and a suffix derived from stream, shard and sequence number."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.batcher.support import ARN, ARRIVAL, SHARD, number
from truckstream.batcher.grouping.lines import Lines
from truckstream.batcher.storing.object_key import KeyScheme


def lines(n=0, arrival=ARRIVAL, stream=ARN, shard=SHARD):
    return Lines(stream, shard, [number(n)], [arrival], [b"{}"])


def test_a_flat_key_contains_the_arrival_of_the_first_record():
    """Keys must never change, because a redelivery finds stored objects by them."""
    assert KeyScheme("sensor_data", "flat").key(lines(), 0) == "sensor_data/batch_2025-01-15T14-30-25_u5zsfrve.json"


def test_a_key_is_the_same_in_every_time_zone(monkeypatch):
    """A function and a laptop that store the same records must find each other's objects."""
    monkeypatch.setenv("TZ", "XYZ-5")
    time.tzset()
    try:
        assert KeyScheme("p", "flat").key(lines(), 0) == "p/batch_2025-01-15T14-30-25_u5zsfrve.json"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_text_that_utf8_cannot_encode_makes_a_key_too():
    """JSON may contain half of a surrogate pair. An event with one must not fail for ever."""
    assert KeyScheme("p", "flat").key(lines(stream="\ud800"), 0) != KeyScheme("p", "flat").key(lines(), 0)


def test_a_hive_key_has_partitions():
    key = KeyScheme("sensor_data", "hive").key(lines(), 0)
    assert key == "sensor_data/year=2025/month=01/day=15/hour=14/batch_2025-01-15T14-30-25_u5zsfrve.json"


def test_without_a_prefix_there_is_no_leading_slash():
    assert KeyScheme("", "flat").key(lines(), 0).startswith("batch_2025")


def test_a_longer_suffix_begins_with_the_shorter_one():
    assert re.fullmatch(r".*_u5zsfrve[a-z2-7]{8}\.json", KeyScheme("p", "flat").key(lines(), 0, suffix_length=16))


@pytest.mark.parametrize("other", [lines(n=1), lines(stream=ARN + "2"), lines(shard=SHARD + "1")])
def test_another_stream_shard_or_sequence_number_makes_another_key(other):
    assert KeyScheme("p", "flat").key(other, 0) != KeyScheme("p", "flat").key(lines(), 0)


@given(st.integers(0, 10**40), st.floats(0, 253_402_300_799))
def test_every_key_has_the_documented_form(n, arrival):
    key = KeyScheme("sensor_data", "flat").key(lines(n, arrival), 0)
    assert re.fullmatch(r"sensor_data/batch_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_[a-z0-9]{8}\.json", key)


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        (b'"2025-01-14 23:59:59"', "year=2025/month=01/day=14/hour=23"),
        (b'"2025-01-15T00:30:00+02:00"', "year=2025/month=01/day=14/hour=22"),
        (b'"2025-01-15T00:30:00Z"', "year=2025/month=01/day=15/hour=00"),
        (b"1736898599.5", "year=2025/month=01/day=14/hour=23"),
        *(
            (value, "year=2025/month=01/day=15/hour=14")
            for value in (b"null", b'"noon"', b'""', b"[]", b"1e300", b"NaN")
        ),
        (b'"0001-01-01T00:00:00+14:00"', "year=2025/month=01/day=15/hour=14"),
        (b'"0999-01-01 00:00:00"', "year=2025/month=01/day=15/hour=14"),
    ],
)
def test_the_hour_may_follow_a_field_of_the_record(value, folder):
    """A record without a readable time uses the hour of its arrival. The rest of the key stays the same."""
    made = Lines(ARN, SHARD, [number(0)], [ARRIVAL], [b'{"at":%b}' % value])
    key = KeyScheme("p", "hive", "at").key(made, 0)
    assert key == f"p/{folder}/batch_2025-01-15T14-30-25_u5zsfrve.json"


def test_the_hour_is_that_of_the_first_valid_record():
    lines = [None, b'{"at":"2025-01-14 23:59:59"}', b'{"at":"2024-01-14 23:59:59"}']
    made = Lines(ARN, SHARD, [number(n) for n in range(3)], [ARRIVAL] * 3, lines)
    assert KeyScheme("p", "hive", "at").key(made, 0).startswith("p/year=2025/month=01/day=14/hour=23/batch_")
    empty = Lines(ARN, SHARD, [number(0)], [ARRIVAL], [None])
    assert KeyScheme("p", "hive", "at").key(empty, 0).startswith("p/year=2025/month=01/day=15/hour=14/batch_")
