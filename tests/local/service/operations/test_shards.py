"""ListShards, SplitShard, MergeShards and UpdateShardCount. Times are seconds after the start."""

import pytest

from tests.local.support import T0, Api, error_text, split

HASH_MAX = 2**128 - 1


def test_a_closed_shard_stays_readable_and_its_last_page_names_its_children():
    api = Api()
    api.put(0, 2)
    split(api, 10)
    response = api.read(11)
    assert len(response["Records"]) == 2
    assert "NextShardIterator" not in response
    assert response["ChildShards"] == [
        {
            "ShardId": "shardId-000000000001",
            "ParentShards": ["shardId-000000000000"],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**127 - 1)},
        },
        {
            "ShardId": "shardId-000000000002",
            "ParentShards": ["shardId-000000000000"],
            "HashKeyRange": {"StartingHashKey": str(2**127), "EndingHashKey": str(HASH_MAX)},
        },
    ]
    parent, low, _ = api(12, "ListShards", StreamName="s")["Shards"]
    numbers = parent["SequenceNumberRange"]
    last = response["Records"][-1]["SequenceNumber"]
    child_start = low["SequenceNumberRange"]["StartingSequenceNumber"]
    assert int(last) < int(numbers["EndingSequenceNumber"]) < int(child_start)
    assert low["ParentShardId"] == "shardId-000000000000"
    assert "EndingSequenceNumber" not in low["SequenceNumberRange"]


def test_a_merge_has_two_parents():
    api = Api(shards=2)
    api(
        1,
        "MergeShards",
        StreamName="s",
        ShardToMerge="shardId-000000000000",
        AdjacentShardToMerge="shardId-000000000001",
    )
    child = api(2, "ListShards", StreamName="s")["Shards"][2]
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == ("shardId-000000000000", "shardId-000000000001")
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(HASH_MAX)}


def test_after_a_split_records_go_to_the_children():
    """This includes keys whose shard is cached."""
    api = Api()
    assert api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k")["ShardId"][-1] == "0"
    split(api, 1)
    assert api(1, "PutRecord", StreamName="s", Data=b"", PartitionKey="k")["ShardId"][-1] in "12"


def test_each_filter_of_list_shards_selects_its_shards():
    """Shard 0 is split at 100 into 1 and 2, and 2 at 200 into 3 and 4."""
    api = Api()
    split(api, 100)
    split(api, 200, shard=2, point=2**127 + 2**126)
    assert api.shards(300) == [0, 1, 2, 3, 4]
    assert api.shards(300, ExclusiveStartShardId="shardId-000000000002") == [3, 4]

    def listed(kind, **members):
        return api.shards(300, ShardFilter={"Type": kind, **members})

    assert listed("AT_LATEST") == [1, 3, 4]
    assert listed("AT_TRIM_HORIZON") == [0]
    assert listed("FROM_TRIM_HORIZON") == [0, 1, 2, 3, 4]
    assert listed("AFTER_SHARD_ID", ShardId="shardId-000000000001") == [2, 3, 4]
    assert listed("AT_TIMESTAMP", Timestamp=T0 + 150) == [1, 2]
    assert listed("FROM_TIMESTAMP", Timestamp=T0 + 150) == [1, 2, 3, 4]
    assert listed("FROM_TIMESTAMP", Timestamp=0) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "chosen",
    [{"Type": "AFTER_SHARD_ID"}, {"Type": "AT_TIMESTAMP"}, {"Type": "AT_LATEST", "ShardId": "x"}],
)
def test_a_filter_needs_exactly_its_own_member(chosen):
    text = error_text(Api(), 0, "ListShards", StreamName="s", ShardFilter=chosen)
    assert text.startswith("InvalidArgumentException: ")


def test_a_page_by_token_keeps_the_filter_of_the_first():
    api = Api(shards=3)
    split(api, 1, shard=1, point=2**127)
    first = api(2, "ListShards", StreamName="s", MaxResults=2, ShardFilter={"Type": "AT_LATEST"})
    second = api(3, "ListShards", NextToken=first["NextToken"])
    assert [shard["ShardId"][-1] for page in (first, second) for shard in page["Shards"]] == ["0", "2", "3", "4"]
    assert error_text(api, 303, "ListShards", NextToken=first["NextToken"]).startswith("ExpiredNextTokenException")


def test_a_closed_shard_disappears_with_its_last_record():
    api = Api()
    split(api, 10)
    assert api.shards(86_409) == [0, 1, 2]
    assert api.shards(86_411) == [1, 2]


@pytest.mark.parametrize("point", [0, 1, HASH_MAX, HASH_MAX + 1])
def test_a_split_needs_a_point_inside_the_shard(point):
    text = error_text(
        Api(), 0, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(point)
    )
    assert text == (
        f"InvalidArgumentException: NewStartingHashKey {point} used in SplitShard() on shard shardId-000000000000 in "
        "stream s under account 000000000000 is not both greater than one plus the shard's StartingHashKey 0 and less "
        "than the shard's EndingHashKey 340282366920938463463374607431768211455."
    )


def test_only_open_adjacent_shards_can_be_merged():
    api = Api(shards=3)

    def merge(one, other):
        ids = {"ShardToMerge": f"shardId-{one:012}", "AdjacentShardToMerge": f"shardId-{other:012}"}
        return error_text(api, 1, "MergeShards", StreamName="s", **ids)

    assert "are not an adjacent pair of shards eligible for merging" in merge(0, 2)
    assert "are not an adjacent pair" in merge(1, 1)
    assert "are not an adjacent pair" in merge(1, 0)  # AdjacentShardToMerge must be the upper one
    assert merge(0, 9) == (
        "ResourceNotFoundException: Could not find shard shardId-000000000009 in stream s under account 000000000000."
    )
    split(api, 1, shard=1, point=2**127)
    assert "has already been merged or split" in merge(0, 1)


def test_a_shard_may_be_named_by_its_number():
    """The service was recorded to use only the digits after the dash."""
    api = Api(shards=2)
    api.put(0, 1, ExplicitHashKey="0")
    for name in ("shardId-0", "0", "shardId-000000000000"):
        place = {"StreamName": "s", "ShardId": name, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = api(0, "GetShardIterator", **place)["ShardIterator"]
        assert len(api(0, "GetRecords", ShardIterator=iterator)["Records"]) == 1
    api(1, "MergeShards", StreamName="s", ShardToMerge="shardId-0", AdjacentShardToMerge="1")
    assert api.shards(1) == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shardId-000000000009", "Shard shardId-000000000009 in stream s under account 000000000000 does not exist"),
        ("nonsense", "Could not find shard nonsense in stream s under account 000000000000."),
        ("shardId-", "Could not find shard shardId- in stream s under account 000000000000."),
    ],
)
def test_the_error_names_the_missing_shard(name, text):
    place = {"StreamName": "s", "ShardId": name, "ShardIteratorType": "LATEST"}
    assert error_text(Api(), 0, "GetShardIterator", **place) == f"ResourceNotFoundException: {text}"


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (3, 2), (4, 6), (5, 3), (4, 4)])
def test_update_shard_count_creates_shards_of_equal_size(before, after):
    api = Api(shards=before)
    api(1, "UpdateShardCount", StreamName="s", TargetShardCount=after, ScalingType="UNIFORM_SCALING")
    shards = api.stream(1).open_shards
    assert len(shards) == after
    sizes = [shard.hash_range.end - shard.hash_range.start + 1 for shard in shards]
    assert sum(sizes) == 2**128
    assert max(sizes) - min(sizes) < after
    assert {len(shard.parents) for shard in api.stream(1).shards.values()} <= {0, 1, 2}


@pytest.mark.parametrize("target", [1, 9])
def test_a_stream_scales_at_most_by_a_factor_of_two(target):
    text = error_text(
        Api(shards=4), 0, "UpdateShardCount", StreamName="s", TargetShardCount=target, ScalingType="UNIFORM_SCALING"
    )
    assert "current open shard count. Current open shard count: 4 Target shard count:" in text


def test_a_stream_scales_ten_times_a_day():
    api = Api(shards=2)
    members = {"StreamName": "s", "ScalingType": "UNIFORM_SCALING"}
    for hour in range(10):
        api(hour * 3_600, "UpdateShardCount", TargetShardCount=2 + hour % 2, **members)
    assert error_text(api, 86_399, "UpdateShardCount", TargetShardCount=2, **members).startswith(
        "LimitExceededException"
    )
    api(86_401, "UpdateShardCount", TargetShardCount=2, **members)
