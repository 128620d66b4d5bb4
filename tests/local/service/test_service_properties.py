"""Properties for any sequence of calls: quotas over any window, partition of hash keys, order of sequence numbers."""

from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given, settings

from tests.local.support import Api
from truckstream.local import RefusedError

MIB = 2**20
QUICK = settings(max_examples=60)

#: Seconds since the previous request, number of records, and bytes of each record.
requests = st.lists(
    st.tuples(st.floats(0, 1.5), st.integers(1, 500), st.sampled_from([2, 500, 5_000, 20_000])),
    min_size=2,
    max_size=25,
)


@QUICK
@given(requests)
def test_no_window_accepts_more_than_its_quota_and_one_burst(requests):
    """Over any window of w seconds: (1 + w) x 1,000 records, and (1 + w) MiB."""
    api = Api()
    at, accepted = 0.0, []
    for pause, count, size in requests:
        at += pause
        records = api.put(at, count, size=size)
        accepted.append((at, records, records * size))
    for first in range(len(accepted)):
        records = sent = 0
        for end, count, size in accepted[first:]:
            records += count
            sent += size
            window = end - accepted[first][0]
            # A float of the present time has a resolution of 0.24 µs, in which a quarter of a byte arrives at 1 MiB/s.
            assert records <= 1_000 * (1 + window) + 0.01
            assert sent <= MIB * (1 + window) + 10


@QUICK
@given(requests)
def test_everything_within_the_quota_is_accepted(requests):
    """After a pause of a second, as many records as fit the quota of a second are accepted."""
    api = Api()
    at = 0.0
    for pause, count, size in requests:
        at += 1.000001 + pause
        fitting = min(count, 500, MIB // size)
        assert api.put(at, fitting, size=size) == fitting


@QUICK
@given(st.lists(st.floats(0, 1), min_size=2, max_size=60))
def test_no_window_has_more_reads_than_the_quota_and_one_burst(pauses):
    api = Api()
    iterator = api.iterator(0)
    at, admitted = 0.0, []
    for pause in pauses:
        at += pause
        try:
            api(at, "GetRecords", ShardIterator=iterator)
        except RefusedError:
            continue
        admitted.append(at)
    for first, start in enumerate(admitted):
        for count, end in enumerate(admitted[first:], 1):
            assert count <= 5 * (1 + end - start) + 0.01


#: A split (open shard, point in it), a merge (lower shard, order of the two) or a resize (factor), as fractions.
reshards = st.lists(
    st.one_of(
        st.tuples(st.just("split"), st.floats(0, 1), st.floats(0.01, 0.99)),
        st.tuples(st.just("merge"), st.floats(0, 1), st.booleans()),
        st.tuples(st.just("resize"), st.floats(0.5, 2), st.none()),
    ),
    max_size=10,
)


def reshard(api, at, kind, which, how):
    """Make one change through the API, which may reject it with one of two errors."""
    shards = api.stream(at).open_shards
    chosen = shards[min(int(which * len(shards)), len(shards) - 1)]
    try:
        if kind == "split":
            low, high = chosen.hash_range
            point = low + int((high - low) * how)
            api(at, "SplitShard", StreamName="s", ShardToSplit=chosen.shard_id, NewStartingHashKey=str(point))
        elif kind == "merge":
            pair = shards[shards.index(chosen) :][:2]
            ids = [shard.shard_id for shard in (pair if how else reversed(pair))]
            if len(ids) == 2:
                api(at, "MergeShards", StreamName="s", ShardToMerge=ids[0], AdjacentShardToMerge=ids[1])
        else:
            count = max(1, int(len(shards) * which))
            api(at, "UpdateShardCount", StreamName="s", TargetShardCount=count, ScalingType="UNIFORM_SCALING")
    except RefusedError as error:
        assert error.code in {"InvalidArgumentException", "LimitExceededException"}  # noqa: PT017 - not every one fails


@QUICK
@given(st.integers(1, 5), reshards, st.sampled_from([0.0, 0.3, 5.0]))
def test_the_open_shards_always_partition_the_hash_keys(shards, reshards, pause):
    api = Api(shards=shards, limited=False)
    for number, step in enumerate(reshards):
        reshard(api, number * pause, *step)
        ranges = [shard.hash_range for shard in api.stream().open_shards]
        assert ranges[0].start == 0
        assert ranges[-1].end == 2**128 - 1
        assert all(left.end + 1 == right.start for left, right in pairwise(ranges))
        assert all(low <= high for low, high in ranges)


@QUICK
@given(st.integers(1, 3), reshards, st.sampled_from([0.0, 0.3, 5.0]))
def test_sequence_numbers_increase_in_a_shard_and_from_parent_to_child(shards, reshards, pause):
    """The records of each key, read from parents first, have the order in which they were put."""
    api = Api(shards=shards, limited=False)
    keys = [f"KEY_{number}" for number in range(8)]
    put = {key: [] for key in keys}
    for number, step in enumerate([*reshards, None]):
        for key in keys:
            response = api(number * pause, "PutRecord", StreamName="s", Data=b"", PartitionKey=key)
            put[key].append(int(response["SequenceNumber"]))
        if step is not None:
            reshard(api, number * pause, *step)
    for numbers in put.values():
        assert all(first < second for first, second in pairwise(numbers))
    everything = [number for numbers in put.values() for number in numbers]
    assert len(set(everything)) == len(everything)
    described = api(99, "ListShards", StreamName="s")["Shards"]
    read = [
        int(record["SequenceNumber"])
        for shard in described
        for record in api.read(99, shard=int(shard["ShardId"][-12:]))["Records"]
    ]
    assert sorted(read) == sorted(everything)
    starts = {shard["ShardId"]: int(shard["SequenceNumberRange"]["StartingSequenceNumber"]) for shard in described}
    ends = {shard["ShardId"]: int(shard["SequenceNumberRange"].get("EndingSequenceNumber", 0)) for shard in described}
    for shard in described:
        for parent in ("ParentShardId", "AdjacentParentShardId"):
            if parent in shard:
                assert ends[shard[parent]] < starts[shard["ShardId"]]


@QUICK
@given(st.lists(st.tuples(st.floats(0, 40_000), st.integers(1, 5)), min_size=1, max_size=20), st.integers(1, 7))
def test_a_reader_receives_each_record_once_for_any_page_size(writes, limit):
    """Records may expire meanwhile: those that are left are read in the order in which they were put."""
    api = Api(limited=False)
    at, numbers = 0.0, []
    for pause, count in writes:
        at += pause
        entry = {"Data": b"", "PartitionKey": "k"}
        response = api(at, "PutRecords", StreamName="s", Records=[entry] * count)
        numbers += [(at, record["SequenceNumber"]) for record in response["Records"]]
    kept = [number for arrival, number in numbers if arrival > at - 86_400 + 0.001]
    page = api.read(at, limit=limit)
    seen = []
    while page["Records"]:
        seen += [record["SequenceNumber"] for record in page["Records"]]
        page = api(at, "GetRecords", ShardIterator=page["NextShardIterator"], Limit=limit)
    assert seen[len(seen) - len(kept) :] == kept
    assert len(seen) <= len(numbers)
