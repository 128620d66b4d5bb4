"""User records of a page: aggregates, hash ranges, and the start."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.consumer.reading.support import SHARD, aggregated, places, plain
from truckstream.consumer.leases.lease import AT_TIMESTAMP, LATEST, SHARD_END, TRIM_HORIZON, Checkpoint
from truckstream.consumer.reading.user_records import UserRecords, position_of
from truckstream.envelope import Envelope
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.reading.position import Position
from truckstream.kpl import MAGIC, Aggregate

START = Checkpoint(TRIM_HORIZON)
MIDDLE = 2**127


def md5_of(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest(), "big")


def taking(start=START, hash_range=None, outside="deliver"):
    return UserRecords(SHARD, hash_range, start, outside)


def test_a_page_of_plain_records_is_returned_as_it_is():
    records = [plain(1), plain(2)]
    assert taking().take(records) is records


def test_an_empty_page_is_empty():
    assert taking(Checkpoint("5")).take([]) == []


@pytest.mark.parametrize("kind", [Aggregate, Envelope])
def test_user_records_share_the_number_of_their_aggregate(kind):
    records = [plain(1), aggregated(2, [(b"a", "TRUCK_001", None), (b"b", "TRUCK_002", "7")], kind), plain(3)]
    taken = taking().take(records)
    assert places(taken) == [(1, None), (2, 0), (2, 1), (3, None)]
    assert [record.data for record in taken] == [b"data", b"a", b"b", b"data"]
    last = taken[2]
    assert (last.partition_key, last.explicit_hash_key, last.arrival, last.shard_id) == ("TRUCK_002", "7", 0.002, SHARD)


def test_a_broken_aggregate_stays_one_record_with_its_reason():
    message = b"\x1a\xff"  # a record of 127 bytes or more that has none
    broken = plain(2, MAGIC + message + hashlib.md5(message).digest())
    taken = taking().take([plain(1), broken, plain(3)])
    assert places(taken) == [(1, None), (2, None), (3, None)]
    assert [record.aggregate_error for record in taken] == [None, "truncated", None]
    assert taken[1].data == broken.data


@pytest.mark.parametrize(("end", "reason"), [(9, "truncated"), (-1, "wrong_checksum")])
def test_a_broken_envelope_stays_one_record_with_its_reason(end, reason):
    whole = aggregated(2, [(b"a", "TRUCK_001", None)], Envelope)
    taken = taking().take([plain(1), broken := plain(2, whole.data[:end])])
    assert taken == [plain(1), broken]
    assert taken[1].aggregate_error == reason


def test_a_checkpoint_inside_an_envelope_is_where_the_next_reader_goes_on():
    records = [aggregated(2, [(b"%d" % n, "k", None) for n in range(5)], Envelope), plain(3)]
    assert places(taking(Checkpoint("2", 2)).take(records)) == [(2, 3), (2, 4), (3, None)]


def test_text_of_any_alphabet_is_returned_as_it_is():
    records = [plain(1, text.encode()) for text in ("é", "ж", "字", "🚚", "\U0010ffff")]
    assert taking().take(records) is records


def test_bytes_with_the_magic_number_and_another_md5_are_a_plain_record():
    [record] = taking().take([plain(2, MAGIC + bytes(40))])
    assert record.aggregate_error is None
    assert record.in_shard


def lower_half(outside, contents):
    return taking(hash_range=(0, MIDDLE - 1), outside=outside).take([aggregated(1, contents)])


@pytest.mark.parametrize("hash_key", ["0", str(MIDDLE - 1), str(MIDDLE), str(2**128 - 1)])
def test_an_explicit_hash_key_decides_the_shard(hash_key):
    [record] = lower_half("deliver", [(b"a", "TRUCK_001", hash_key)])
    assert record.in_shard == (int(hash_key) < MIDDLE)


def test_user_records_outside_the_shard_are_marked_or_dropped_and_the_others_keep_their_numbers():
    keys = [f"TRUCK_{number:03}" for number in range(40)]
    contents = [(key.encode(), key, None) for key in keys]
    marked = lower_half("deliver", contents)
    assert [record.in_shard for record in marked] == [md5_of(key) < MIDDLE for key in keys]
    kept = lower_half("drop", contents)
    assert places(kept) == [(1, index) for index, key in enumerate(keys) if md5_of(key) < MIDDLE]
    assert 0 < len(kept) < 40


@pytest.mark.parametrize("text", ["", "x", "-1", "9" * 5_000, "007"])
def test_what_is_no_hash_key_leaves_the_choice_to_the_partition_key(text):
    keys = ["TRUCK_001", "TRUCK_002", "TRUCK_003", "TRUCK_004"]
    taken = lower_half("deliver", [(b"a", key, text) for key in keys])
    assert [record.in_shard for record in taken] == [md5_of(key) < MIDDLE for key in keys]


def test_without_a_hash_range_all_records_belong_to_the_shard():
    [record] = taking(outside="drop").take([aggregated(1, [(b"a", "k", "5")])])
    assert record.in_shard


def test_a_plain_record_is_never_outside():
    assert taking(hash_range=(5, 5), outside="drop").take([plain(1)]) == [plain(1)]


def test_the_records_up_to_the_checkpoint_are_removed():
    contents = [(bytes([index]), "k", None) for index in range(4)]
    records = [plain(9), aggregated(10, contents), plain(11)]
    assert places(taking(Checkpoint("10", 1)).take(records)) == [(10, 2), (10, 3), (11, None)]


def test_numbers_compare_as_integers():
    assert places(taking(Checkpoint("9")).take([plain(9), plain(10)])) == [(10, None)]


def test_the_start_may_lie_pages_away():
    """Records that share a number, and pages that end with the checkpoint's record."""
    records = taking(Checkpoint("10", 2))
    contents = [(b"x", "k", None)] * 3
    assert records.take([plain(8)]) == []
    assert records.take([]) == []
    assert records.take([aggregated(10, contents)]) == []
    assert records.take([plain(10)]) == []
    following = [plain(11)]
    assert places(records.take(following)) == [(11, None)]
    assert records.take(following) is following


@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    cuts=st.sets(st.integers(0, 12)),
    data=st.data(),
)
def test_whatever_the_checkpoint_and_the_pages_exactly_the_rest_is_returned(counts, cuts, data):
    """A count is the number of user records of an aggregate; 0 stands for a plain record."""
    numbers = [8 + 3 * index for index in range(len(counts))]
    stream = [
        aggregated(number, [(b"x", "k", None)] * count) if count else plain(number)
        for number, count in zip(numbers, counts, strict=True)
    ]
    every = places(taking().take(stream))
    last = data.draw(st.sampled_from(every))
    records = taking(Checkpoint(str(last[0]), last[1] or 0))
    begin = numbers.index(last[0])  # as AT_SEQUENCE_NUMBER does
    edges = sorted({begin, len(stream), *(cut for cut in cuts if begin < cut < len(stream))})
    pages = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert [place for page in pages for place in places(records.take(page))] == every[every.index(last) + 1 :]


@pytest.mark.parametrize(
    ("checkpoint", "position"),
    [
        (Checkpoint(TRIM_HORIZON), Position("TRIM_HORIZON")),
        (Checkpoint(LATEST), Position("LATEST")),
        (Checkpoint(AT_TIMESTAMP), Position("AT_TIMESTAMP", timestamp=1.5)),
        (Checkpoint("17", 3), Position("AT_SEQUENCE_NUMBER", "17")),
    ],
)
def test_a_checkpoint_is_a_position(checkpoint, position):
    assert position_of(checkpoint, 1.5) == position


def test_an_ended_shard_and_a_missing_time_have_no_position():
    with pytest.raises(InvalidArgumentError, match="nothing to read"):
        position_of(Checkpoint(SHARD_END), 1.0)
    with pytest.raises(InvalidArgumentError, match="start_time"):
        position_of(Checkpoint(AT_TIMESTAMP))
