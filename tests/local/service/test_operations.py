"""The API without a loop: routing, numbers, pages, iterators, refusals. Times are seconds after the stream's start."""

import base64
import hashlib

import pytest

from tests.local.support import ARN, T0, Api
from truckstream.local import RefusedError
from truckstream.local.service.operations.settings.monitoring import SHARD_LEVEL_METRICS
from truckstream.local.service.service import OPERATIONS
from truckstream.local.service.validation.shapes import REQUESTS

HASH_MAX = 2**128 - 1


def refusal(api, at, operation, **members):
    with pytest.raises(RefusedError) as caught:
        api(at, operation, **members)
    return str(caught.value)


# --- Writing --------------------------------------------------------------------------------------


def test_a_key_lies_on_the_shard_whose_range_holds_its_md5():
    api = Api(shards=7, limited=False)
    ranges = [
        (shard["ShardId"], int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]))
        for shard in api(0, "ListShards", StreamName="s")["Shards"]
    ]
    for number in range(100):
        key = f"TRUCK_{number}_é"
        answer = api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey=key)
        hashed = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
        assert answer["ShardId"] == next(name for name, start, end in ranges if start <= hashed <= end)


@pytest.mark.parametrize(("explicit", "shard"), [(0, 0), (2**127 - 1, 0), (2**127, 1), (HASH_MAX, 1)])
def test_an_explicit_hash_key_overrides_the_key(explicit, shard):
    api = Api(shards=2)
    entry = {"Data": b"", "PartitionKey": "k", "ExplicitHashKey": str(explicit)}
    assert api(0, "PutRecord", StreamName="s", **entry)["ShardId"][-1] == str(shard)
    assert api(0, "PutRecords", StreamName="s", Records=[entry])["Records"][0]["ShardId"][-1] == str(shard)


def test_sequence_numbers_have_the_services_shape_and_grow():
    api = Api()
    numbers = [api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k")["SequenceNumber"] for _ in range(3)]
    (shard,) = api(0, "ListShards", StreamName="s")["Shards"]
    numbers.insert(0, shard["SequenceNumberRange"]["StartingSequenceNumber"])
    assert {len(number) for number in numbers} == {56}
    assert all(number.startswith("49") for number in numbers)
    assert sorted(numbers, key=int) == numbers
    assert len(set(numbers)) == 4


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "'records' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        ([{"Data": b"", "PartitionKey": "k"}] * 501, "'records' failed to satisfy constraint: Member must have length"),
        ([{"PartitionKey": "k"}], "Value null at 'records.1.member.data' failed"),
        ([{"Data": b""}], "Value null at 'records.1.member.partitionKey' failed"),
        (
            [{"Data": b"", "PartitionKey": ""}],
            "'records.1.member.partitionKey' failed to satisfy constraint: Member must",
        ),
        ([{"Data": b"", "PartitionKey": "k" * 257}], "Member must have length less than or equal to 256"),
        (
            [{"Data": b"", "PartitionKey": "k", "ExplicitHashKey": "-1"}],
            "Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})",
        ),
    ],
)
def test_a_record_that_breaks_a_constraint_refuses_the_request(records, said):
    api = Api()
    text = refusal(api, 0, "PutRecords", StreamName="s", Records=records)
    assert text.startswith("ValidationException: 1 validation error detected: Value")
    assert said in text
    assert api.service.shard_stats("s", T0)["shardId-000000000000"].records_in == 0


def test_one_bad_record_among_good_ones_stores_none():
    api = Api()
    good, bad = {"Data": b"", "PartitionKey": "k"}, {"Data": b"", "PartitionKey": ""}
    text = refusal(api, 0, "PutRecords", StreamName="s", Records=[good, good, bad])
    assert "records.3.member.partitionKey" in text
    assert api.read(1)["Records"] == []


def test_every_broken_constraint_is_named():
    api = Api()
    records = [{"Data": b"", "PartitionKey": "k"}, {"PartitionKey": ""}]
    text = refusal(api, 0, "PutRecords", StreamName="no stream", Records=records)
    assert text == (
        "ValidationException: 3 validation errors detected: "
        "Value 'no stream' at 'streamName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
        "Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null; "
        "Value '' at 'records.2.member.partitionKey' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )


def test_keys_of_256_characters_and_records_of_1_mib_with_their_key_are_taken():
    api = Api()
    key = "é" * 256
    assert api.put(0, key=key, size=2**20) == 1
    entry = {"Data": bytes(2**20), "PartitionKey": "k"}
    for operation, members, path in (
        ("PutRecord", entry, "data"),
        ("PutRecords", {"Records": [entry]}, "records.1.member.data"),
    ):
        assert refusal(api, 9, operation, StreamName="s", **members) == (
            f"ValidationException: 1 validation error detected: "
            f"Value 'java.nio.HeapByteBuffer[pos=0 lim=1048577 cap=1048577]' at '{path}' failed to satisfy constraint: "
            "Member must have length less than or equal to 1048576"
        )


def test_a_stream_may_take_larger_records_and_no_request_more_than_10_mib():
    api = Api()
    api(0, "CreateStream", StreamName="large", ShardCount=1, MaxRecordSizeInKiB=10_240)
    entry = {"Data": bytes(9 * 2**20), "PartitionKey": "k"}
    assert api(0, "PutRecords", StreamName="large", Records=[entry])["FailedRecordCount"] == 0
    text = refusal(api, 0, "PutRecords", StreamName="large", Records=[entry, entry])
    assert text == "InvalidArgumentException: Records size exceeds 10 MB limit"


def test_a_hash_key_over_128_bits_is_refused():
    assert refusal(Api(), 0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k", ExplicitHashKey=str(2**128)) == (
        "InvalidArgumentException: Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
        "Specified value was 340282366920938463463374607431768211456"
    )


def test_a_dry_run_of_what_would_succeed_does_nothing():
    api = Api()
    entry = {"Data": b"", "PartitionKey": "k"}
    iterator = api.iterator(0)
    for operation, members in (
        ("PutRecord", {"StreamName": "s", **entry}),
        ("PutRecords", {"StreamName": "s", "Records": [entry]}),
        ("GetShardIterator", {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"}),
        ("GetRecords", {"ShardIterator": iterator}),
    ):
        assert refusal(api, 0, operation, DryRun=True, **members).startswith("DryRunOperationException")
    assert api.read(0)["Records"] == []
    assert refusal(api, 0, "PutRecord", StreamName="t", DryRun=True, **entry).startswith("ResourceNotFoundException")


# --- Quotas ---------------------------------------------------------------------------------------


def test_a_shard_takes_1000_records_a_second():
    api = Api()
    assert [api.put(0, 500), api.put(0, 500), api.put(0, 500)] == [500, 500, 0]
    assert api.put(0.25, 500) == 250
    assert [api.put(10, 500) for _ in range(3)] == [500, 500, 0]


def test_a_shard_takes_1_mib_a_second_of_data_and_keys():
    api = Api()
    assert api.put(0, 20, size=100_000) == 10  # 1,048,576 bytes
    assert api.put(0.5, 20, size=100_000) == 5
    assert api.put(0.5, 1, size=80_000) == 0
    stats = api.service.shard_stats("s", T0)["shardId-000000000000"]
    assert (stats.records_in, stats.bytes_in, stats.records_throttled) == (15, 1_500_000, 26)


def test_a_throttled_record_is_named_and_smaller_ones_go_on():
    api = Api()
    sizes = (600_000, 600_000, 400_000)
    records = [{"Data": bytes(size), "PartitionKey": "k"} for size in sizes]
    answer = api(0, "PutRecords", StreamName="s", Records=records)
    text = "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."
    assert [record.get("ErrorMessage") for record in answer["Records"]] == [None, text, None]
    assert refusal(api, 0, "PutRecord", StreamName="s", Data=bytes(600_000), PartitionKey="k") == (
        f"ProvisionedThroughputExceededException: {text}"
    )


def test_a_record_over_a_seconds_quota_waits_for_a_full_bucket_and_leaves_a_debt():
    api = Api(shards=0)
    api(0, "CreateStream", StreamName="s", ShardCount=1, MaxRecordSizeInKiB=10_240)
    assert api.put(0, size=3 * 2**20) == 1
    assert [api.put(at, size=1_000) for at in (0.5, 1.9)] == [0, 0]
    assert api.put(2.1, size=1_000) == 1
    assert api.put(2.9, size=3 * 2**20) == 0


def test_a_shard_is_read_five_times_a_second():
    api = Api()
    iterator = api.iterator(0)
    for _ in range(5):
        api(0, "GetRecords", ShardIterator=iterator)
    assert refusal(api, 0.1, "GetRecords", ShardIterator=iterator).startswith("ProvisionedThroughputExceededException")
    api(0.2, "GetRecords", ShardIterator=iterator)


def test_after_10_mib_a_shard_is_not_read_for_five_seconds():
    """The API's own words of GetRecords."""
    api = Api()
    for second in range(11):
        api.put(second, size=2**20)
    answer = api.read(20)
    assert len(answer["Records"]) == 10
    for at in (20.1, 24.9):
        assert refusal(api, at, "GetRecords", ShardIterator=answer["NextShardIterator"]).startswith("Provisioned")
    assert len(api(25.1, "GetRecords", ShardIterator=answer["NextShardIterator"])["Records"]) == 1


def test_without_quotas_nothing_is_throttled():
    api = Api(limited=False)
    assert sum(api.put(0, 500, size=20_000) for _ in range(10)) == 5_000


# --- Reading --------------------------------------------------------------------------------------


def test_the_five_kinds_of_iterator():
    api = Api()
    numbers = []
    for second in range(5):
        answer = api(second, "PutRecord", StreamName="s", Data=b"%d" % second, PartitionKey="k")
        numbers.append(answer["SequenceNumber"])

    def first(kind, **members):
        return "".join(record["Data"].decode() for record in api.read(9, kind, **members)["Records"])

    assert first("TRIM_HORIZON") == "01234"
    assert first("LATEST") == ""
    assert first("AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[2]) == "234"
    assert first("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[2]) == "34"
    assert first("AT_TIMESTAMP", Timestamp=T0 + 2.5) == "34"


def test_a_shards_own_starting_number_begins_at_its_first_record():
    api = Api()
    api.put(0, 3)
    start = api(0, "ListShards", StreamName="s")["Shards"][0]["SequenceNumberRange"]["StartingSequenceNumber"]
    assert len(api.read(1, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=start)["Records"]) == 3


EITHER = (
    "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
    "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified"
)


@pytest.mark.parametrize(
    ("kind", "members", "said"),
    [
        ("LATEST", {"StartingSequenceNumber": "1"}, f"{EITHER} LATEST and also a StartingSequenceNumber."),
        ("AT_TIMESTAMP", {"StartingSequenceNumber": "1"}, f"{EITHER} AT_TIMESTAMP and also a StartingSequenceNumber."),
        ("AT_SEQUENCE_NUMBER", {}, f"{EITHER} AT_SEQUENCE_NUMBER and no StartingSequenceNumber."),
        ("AT_TIMESTAMP", {}, "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP."),
        ("LATEST", {"Timestamp": T0}, "Timestamp is only valid for an iterator of type AT_TIMESTAMP."),
        ("AT_TIMESTAMP", {"Timestamp": T0 + 99}, "The timestampInMillis parameter cannot be greater than"),
        (
            "AT_SEQUENCE_NUMBER",
            {"StartingSequenceNumber": "9" * 60},
            f"StartingSequenceNumber {'9' * 60} used in GetShardIterator on shard shardId-000000000000 in stream s",
        ),
        (
            "AT_SEQUENCE_NUMBER",
            {"StartingSequenceNumber": "5"},
            "Invalid StartingSequenceNumber. It encodes shardId-000000000005, while it was used in a call to a shard",
        ),
    ],
)
def test_iterators_that_make_no_sense_are_refused(kind, members, said):
    api = Api()
    text = refusal(
        api,
        1,
        "GetShardIterator",
        StreamName="s",
        ShardId="shardId-000000000000",
        ShardIteratorType=kind,
        **members,
    )
    assert text.startswith(f"InvalidArgumentException: {said}")


def test_a_number_of_another_shard_is_refused_by_name():
    api = Api(shards=2)
    number = api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k", ExplicitHashKey=str(HASH_MAX))
    text = refusal(
        api,
        0,
        "GetShardIterator",
        StreamName="s",
        ShardId="shardId-000000000000",
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=number["SequenceNumber"],
    )
    assert "It encodes shardId-000000000001, while it was used in a call to a shard with shardId-000000000000" in text


def test_an_iterator_expires_after_five_minutes():
    api = Api()
    iterator = api.iterator(0)
    api(300, "GetRecords", ShardIterator=iterator)
    text = refusal(api, 301, "GetRecords", ShardIterator=iterator)
    assert text.startswith(
        "ExpiredIteratorException: Iterator expired. The iterator was created at time Mon Nov 23 00:00:00 UTC 2026 "
        "while right now it is Mon Nov 23 00:05:01 UTC 2026"
    )
    assert refusal(api, 0, "GetRecords", ShardIterator="x") == "InvalidArgumentException: Invalid ShardIterator."


def test_a_reader_follows_its_iterators_to_the_tip():
    api = Api()
    api.put(0, 5)
    first = api.read(10, limit=3)
    assert (len(first["Records"]), first["MillisBehindLatest"]) == (3, 10_000)
    second = api(11, "GetRecords", ShardIterator=first["NextShardIterator"])
    assert (len(second["Records"]), second["MillisBehindLatest"]) == (2, 0)
    third = api(12, "GetRecords", ShardIterator=second["NextShardIterator"])
    assert (third["Records"], third["MillisBehindLatest"]) == ([], 0)
    assert "NextShardIterator" in third


def test_a_call_gives_at_most_10000_records():
    api = Api(limited=False)
    for _ in range(21):
        api.put(0, 500)
    assert len(api.read(1)["Records"]) == 10_000
    assert refusal(api, 1, "GetRecords", ShardIterator=api.iterator(1), Limit=10_001) == (
        "ValidationException: 1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 10000"
    )


def test_records_expire_with_the_retention_period():
    api = Api()
    api.put(0, 3)
    api.put(3_600, 2)
    iterator = api.iterator(86_400)
    assert len(api(86_400, "GetRecords", ShardIterator=iterator)["Records"]) == 5
    assert len(api(86_402, "GetRecords", ShardIterator=iterator)["Records"]) == 2
    api(86_403, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    assert len(api.read(100_000)["Records"]) == 2


def test_less_retention_trims_at_once():
    api = Api()
    api(0, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    api.put(1, 3)
    assert len(api.read(100_000)["Records"]) == 3
    api(100_001, "DecreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=24)
    assert api.read(100_003)["Records"] == []


@pytest.mark.parametrize(("moment", "count"), [(-50, 5), (0, 5), (0.0005, 4), (1, 4), (1.001, 3), (4, 1), (9, 0)])
def test_a_time_finds_the_first_record_at_or_after_it(moment, count):
    """Times are whole milliseconds; one before the oldest record is the trim horizon."""
    api = Api()
    for second in range(5):
        api.put(second)
    assert len(api.read(9, "AT_TIMESTAMP", Timestamp=T0 + moment)["Records"]) == count


def test_a_call_gives_at_most_10_mib_and_one_record_whatever_its_size():
    api = Api(limited=False)
    api(0, "UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=10_240)
    for size in (6, 3, 1, 10):
        api.put(0, 1, size=size * 2**20)
    first = api.read(0)
    assert [len(record["Data"]) + 1 for record in first["Records"]] == [6 * 2**20, 3 * 2**20, 2**20]
    rest = api(0, "GetRecords", ShardIterator=first["NextShardIterator"])
    assert len(rest["Records"]) == 1


def test_a_reader_is_behind_by_the_age_of_what_it_has_not_read():
    api = Api(limited=False)
    for second in range(3):
        api.put(second)
    behind = [api.read(10.25, limit=limit)["MillisBehindLatest"] for limit in (1, 2, 3)]
    assert behind == [9_250, 8_250, 0]
    split(api, 11)
    assert api.read(12, limit=1)["MillisBehindLatest"] == 11_000


def test_an_iterator_at_the_tip_of_a_closed_shard_ends_it():
    api = Api()
    api.put(0)
    split(api, 1)
    answer = api.read(2, "LATEST")
    assert (answer["Records"], len(answer["ChildShards"])) == ([], 2)
    assert "NextShardIterator" not in answer


def test_a_page_token_expires_after_300_seconds():
    api = Api(shards=2)
    token = api(0, "ListShards", StreamName="s", MaxResults=1)["NextToken"]
    assert len(api(300, "ListShards", NextToken=token)["Shards"]) == 1
    assert refusal(api, 301, "ListShards", NextToken=token).startswith("ExpiredNextTokenException")


# --- Shards ---------------------------------------------------------------------------------------


def split(api, at, shard=0, point=2**127):
    api(at, "SplitShard", StreamName="s", ShardToSplit=f"shardId-{shard:012}", NewStartingHashKey=str(point))


def test_a_closed_shard_stays_readable_and_ends_with_its_children():
    api = Api()
    api.put(0, 2)
    split(api, 10)
    answer = api.read(11)
    assert len(answer["Records"]) == 2
    assert "NextShardIterator" not in answer
    assert answer["ChildShards"] == [
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
    last = answer["Records"][-1]["SequenceNumber"]
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


def test_records_go_to_the_children_from_the_split_on():
    """Also those under a key whose shard was remembered."""
    api = Api()
    assert api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k")["ShardId"][-1] == "0"
    split(api, 1)
    assert api(1, "PutRecord", StreamName="s", Data=b"", PartitionKey="k")["ShardId"][-1] in "12"


def test_the_filters_of_list_shards():
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
def test_a_filter_needs_its_own_member_and_no_other(chosen):
    text = refusal(Api(), 0, "ListShards", StreamName="s", ShardFilter=chosen)
    assert text.startswith("InvalidArgumentException: ")


def test_a_page_keeps_the_filter_of_the_first():
    api = Api(shards=3)
    split(api, 1, shard=1, point=2**127)
    first = api(2, "ListShards", StreamName="s", MaxResults=2, ShardFilter={"Type": "AT_LATEST"})
    second = api(3, "ListShards", NextToken=first["NextToken"])
    assert [shard["ShardId"][-1] for page in (first, second) for shard in page["Shards"]] == ["0", "2", "3", "4"]
    assert refusal(api, 303, "ListShards", NextToken=first["NextToken"]).startswith("ExpiredNextTokenException")


def test_a_closed_shard_disappears_with_its_last_record():
    api = Api()
    split(api, 10)
    assert api.shards(86_409) == [0, 1, 2]
    assert api.shards(86_411) == [1, 2]


@pytest.mark.parametrize("point", [0, 1, HASH_MAX, HASH_MAX + 1])
def test_a_split_needs_a_point_inside(point):
    text = refusal(
        Api(), 0, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(point)
    )
    assert text == (
        f"InvalidArgumentException: NewStartingHashKey {point} used in SplitShard() on shard shardId-000000000000 in "
        "stream s under account 000000000000 is not both greater than one plus the shard's StartingHashKey 0 and less "
        "than the shard's EndingHashKey 340282366920938463463374607431768211455."
    )


def test_only_open_neighbours_merge():
    api = Api(shards=3)

    def merge(one, other):
        ids = {"ShardToMerge": f"shardId-{one:012}", "AdjacentShardToMerge": f"shardId-{other:012}"}
        return refusal(api, 1, "MergeShards", StreamName="s", **ids)

    assert "are not an adjacent pair of shards eligible for merging" in merge(0, 2)
    assert "are not an adjacent pair" in merge(1, 1)
    assert "are not an adjacent pair" in merge(1, 0)  # the adjacent one is above
    assert merge(0, 9) == (
        "ResourceNotFoundException: Could not find shard shardId-000000000009 in stream s under account 000000000000."
    )
    split(api, 1, shard=1, point=2**127)
    assert "has already been merged or split" in merge(0, 1)


def test_a_shards_number_will_do_for_its_id():
    """As recorded of the service, which reads the digits behind the dash."""
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
def test_a_reader_is_told_which_shard_is_not_there(name, text):
    place = {"StreamName": "s", "ShardId": name, "ShardIteratorType": "LATEST"}
    assert refusal(Api(), 0, "GetShardIterator", **place) == f"ResourceNotFoundException: {text}"


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (3, 2), (4, 6), (5, 3), (4, 4)])
def test_update_shard_count_leaves_shards_of_one_size(before, after):
    api = Api(shards=before)
    api(1, "UpdateShardCount", StreamName="s", TargetShardCount=after, ScalingType="UNIFORM_SCALING")
    shards = api.stream(1).open_shards
    assert len(shards) == after
    sizes = [shard.hash_range.end - shard.hash_range.start + 1 for shard in shards]
    assert sum(sizes) == 2**128
    assert max(sizes) - min(sizes) < after
    assert {len(shard.parents) for shard in api.stream(1).shards.values()} <= {0, 1, 2}


@pytest.mark.parametrize("target", [1, 9])
def test_a_stream_scales_by_a_factor_of_two_at_most(target):
    text = refusal(
        Api(shards=4), 0, "UpdateShardCount", StreamName="s", TargetShardCount=target, ScalingType="UNIFORM_SCALING"
    )
    assert "current open shard count. Current open shard count: 4 Target shard count:" in text


def test_a_stream_scales_ten_times_a_day():
    api = Api(shards=2)
    members = {"StreamName": "s", "ScalingType": "UNIFORM_SCALING"}
    for hour in range(10):
        api(hour * 3_600, "UpdateShardCount", TargetShardCount=2 + hour % 2, **members)
    assert refusal(api, 86_399, "UpdateShardCount", TargetShardCount=2, **members).startswith("LimitExceededException")
    api(86_401, "UpdateShardCount", TargetShardCount=2, **members)


# --- Streams --------------------------------------------------------------------------------------


def test_a_stream_is_creating_updating_and_deleting_for_a_while_if_asked():
    api = Api(transition_seconds=30)

    def status(at):
        return api(at, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamStatus"]

    assert status(29) == "CREATING"
    assert refusal(api, 29, "PutRecord", StreamName="s", Data=b"", PartitionKey="k").startswith("ResourceNotFound")
    assert status(30) == "ACTIVE"
    split(api, 40)
    assert status(69) == "UPDATING"
    assert api.put(69) == 1
    assert refusal(
        api, 69, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000001", NewStartingHashKey="9"
    ) == ("ResourceInUseException: Stream s under account 000000000000 not ACTIVE, instead in state UPDATING")
    api(80, "DeleteStream", StreamName="s")
    assert status(109) == "DELETING"
    assert refusal(api, 110, "DescribeStreamSummary", StreamName="s") == (
        "ResourceNotFoundException: Stream s under account 000000000000 not found."
    )
    assert api(110, "ListStreams")["StreamNames"] == []


def test_an_iterator_does_not_outlive_its_stream():
    api = Api()
    iterator = api.iterator(0)
    api(1, "DeleteStream", StreamName="s")
    api(2, "CreateStream", StreamName="s", ShardCount=1)
    assert refusal(api, 3, "GetRecords", ShardIterator=iterator).startswith("ResourceNotFoundException")


def test_a_stream_is_named_by_name_or_arn_or_both():
    api = Api()
    for members in ({"StreamName": "s"}, {"StreamARN": ARN}, {"StreamName": "s", "StreamARN": ARN}):
        assert api(0, "DescribeStream", **members)["StreamDescription"]["StreamARN"] == ARN
    assert refusal(api, 0, "DescribeStream").startswith("InvalidArgumentException")
    assert refusal(api, 0, "DescribeStream", StreamName="t", StreamARN=ARN).startswith("InvalidArgumentException")
    other = ARN.replace("000000000000", "111111111111")
    assert refusal(api, 0, "DescribeStream", StreamARN=other) == (
        "ResourceNotFoundException: Stream s under account 111111111111 not found."
    )


def test_creating_has_its_limits():
    api = Api(shards=3, shard_limit=4)
    assert refusal(api, 0, "CreateStream", StreamName="s", ShardCount=1) == (
        "ResourceInUseException: Stream s under account 000000000000 already exists."
    )
    assert refusal(api, 0, "CreateStream", StreamName="t", ShardCount=2).startswith(
        "LimitExceededException: This request would exceed the shard limit for the account 000000000000 in us-east-1. "
        "Current shard count for the account: 3. Limit: 4."
    )
    assert refusal(api, 0, "CreateStream", StreamName="t").startswith("InvalidArgumentException")
    split(api, 0, shard=1, point=2**127)
    assert refusal(
        api, 0, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey="9"
    ).startswith("LimitExceededException")


def test_five_streams_are_created_at_a_time():
    api = Api(shards=0, transition_seconds=10)
    for number in range(5):
        api(0, "CreateStream", StreamName=f"s{number}", ShardCount=1)
    assert refusal(api, 9, "CreateStream", StreamName="s5", ShardCount=1).startswith("LimitExceededException")
    api(10, "CreateStream", StreamName="s5", ShardCount=1)


def test_two_streams_of_one_name_are_told_by_the_second_of_their_creation():
    api = Api()
    api(5, "DeleteStream", StreamName="s")
    api(10.7, "CreateStream", StreamName="s", ShardCount=1)
    assert api.shards(11, StreamCreationTimestamp=T0 + 10) == [0]
    text = refusal(api, 11, "ListShards", StreamName="s", StreamCreationTimestamp=T0)
    assert text.startswith("ResourceNotFoundException")


def test_an_on_demand_stream_has_four_shards_and_is_not_resharded_by_hand():
    api = Api(shards=0)
    api(0, "CreateStream", StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    assert api.shards() == [0, 1, 2, 3]
    text = refusal(api, 0, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey="9")
    assert text == "ValidationException: Request is invalid. Stream s under account 000000000000 is in On-Demand mode."


@pytest.mark.parametrize(
    ("operation", "hours", "said"),
    [
        ("IncreaseStreamRetentionPeriod", 23, "Minimum allowed retention period is 24 hours. Requested retention"),
        ("IncreaseStreamRetentionPeriod", 24, "Requested retention period (24 hours) for stream s can not be shorter"),
        ("DecreaseStreamRetentionPeriod", 49, "Requested retention period (49 hours) for stream s can not be longer"),
    ],
)
def test_retention_has_its_limits(operation, hours, said):
    api = Api()
    api(0, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    text = refusal(api, 1, operation, StreamName="s", RetentionPeriodHours=hours)
    assert text.startswith(f"InvalidArgumentException: {said}")


@pytest.mark.parametrize("hours", [0, 8_761])
def test_retention_is_an_hour_to_a_year_to_the_services_front_end(hours):
    text = refusal(Api(), 1, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=hours)
    assert text.startswith(
        f"ValidationException: 1 validation error detected: Value '{hours}' at 'retentionPeriodHours'"
    )


def test_a_retention_that_is_so_already_leaves_the_stream_active():
    api = Api(transition_seconds=5)
    api(6, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=24)
    assert api(6, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"


def test_a_stream_in_creation_tells_of_no_shards():
    api = Api(transition_seconds=5)
    api(0, "CreateStream", StreamName="t", ShardCount=2)
    assert api(4, "DescribeStream", StreamName="t")["StreamDescription"]["Shards"] == []
    assert len(api(6, "DescribeStream", StreamName="t")["StreamDescription"]["Shards"]) == 2


def test_what_was_written_unencrypted_stays_so():
    api = Api()
    api.put(0)
    api(1, "StartStreamEncryption", StreamName="s", EncryptionType="KMS", KeyId="alias/aws/kinesis")
    api.put(2)
    api(3, "StopStreamEncryption", StreamName="s", EncryptionType="KMS", KeyId="alias/aws/kinesis")
    api.put(4)
    assert [record.get("EncryptionType") for record in api.read(5)["Records"]] == [None, "KMS", None]


def test_tags_have_their_limits_and_pages():
    api = Api()
    api(0, "AddTagsToStream", StreamName="s", Tags={f"k{number:02}": "v" for number in range(50)})
    assert "cannot have more than 50 tags" in refusal(api, 0, "AddTagsToStream", StreamName="s", Tags={"one more": "v"})
    for at, character in enumerate("^\t\n,;"):
        said = refusal(api, at, "AddTagsToStream", StreamName="s", Tags={"k00": f"a{character}b"})
        assert said.startswith("InvalidArgumentException: Some tags contain invalid characters. Valid characters: Unic")
        assert said == refusal(api, at, "RemoveTagsFromStream", StreamName="s", TagKeys=[f"a{character}b"])
    page = api(0, "ListTagsForStream", StreamName="s", Limit=2, ExclusiveStartTagKey="k10")
    assert page == {"Tags": [{"Key": "k11", "Value": "v"}, {"Key": "k12", "Value": "v"}], "HasMoreTags": True}


#: What the service's parser calls a number.
NUMBER = "com.amazon.coral.value.json.numbers.TruncatingBigNumber"


# --- The tables -----------------------------------------------------------------------------------


def test_every_operation_has_its_requests_shape():
    assert set(OPERATIONS) == set(REQUESTS)


def test_null_members_are_absent_and_unknown_ones_ignored():
    assert Api()(0, "DescribeStream", StreamName="s", StreamARN=None, Future="x")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"StreamName": 1}, f"class {NUMBER} can not be converted to an String"),
        ({"ShardCount": "1"}, "class java.lang.String can not be converted to an Integer"),
        ({"ShardCount": True}, "class java.lang.Boolean can not be converted to an Integer"),
        ({"ShardCount": float("inf")}, f"class {NUMBER} can not be converted to an Integer"),
        ({"ShardCount": b"1"}, "class java.nio.HeapByteBuffer can not be converted to an Integer"),
        ({"ShardCount": object()}, "class java.lang.Object can not be converted to an Integer"),
        ({"StreamModeDetails": []}, "Start of list found where not expected"),
        ({"StreamModeDetails": 1.5}, "Expected null"),
        ({"StreamName": {}}, "Start of structure or map found where not expected."),
        ({"Tags": "a"}, "Expected map or null"),
        ({"Tags": {"a": 1}}, f"class {NUMBER} can not be converted to an String"),
        ({"Tags": {1: "a"}}, f"class {NUMBER} can not be converted to an String"),
    ],
)
def test_a_member_of_another_type_cannot_be_read(members, said):
    assert refusal(Api(), 0, "CreateStream", **members) == f"SerializationException: {said}"


@pytest.mark.parametrize(
    ("operation", "members", "said"),
    [
        ("PutRecords", {"Records": "a"}, "Expected list or null"),
        ("PutRecords", {"DryRun": "maybe"}, "'MAYBE' can not be converted to an Boolean"),
        ("GetShardIterator", {"Timestamp": "now"}, "class java.lang.String can not be converted to milliseconds since"),
        ("PutRecord", {"Data": 1}, f"class {NUMBER} can not be converted to a Blob"),
        ("PutRecord", {"Data": "eA="}, "'eA=' can not be converted to a Blob: Base64 encoded length is expected a"),
        ("PutRecord", {"Data": "eA=%"}, "'eA=%' can not be converted to a Blob: Invalid Base64 character: '='"),
        ("PutRecord", {"Data": "eA%="}, "'eA%=' can not be converted to a Blob: Invalid Base64 character: '%'"),
        ("PutRecord", {"Data": "+/+="}, "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64"),
    ],
)
def test_each_kind_of_member_is_missed_in_words_of_its_own(operation, members, said):
    assert refusal(Api(), 0, operation, **members).startswith(f"SerializationException: {said}")


def test_numbers_are_read_generously():
    api = Api()
    assert len(api(0, "DescribeStream", StreamName="s", Limit=1.9)["StreamDescription"]["Shards"]) == 1
    said = refusal(api, 0, "UpdateShardCount", StreamName="s", ScalingType="UNIFORM_SCALING", TargetShardCount=2**40)
    assert said.endswith("Target shard count: 2147483647")


def of_length(least, most):
    return (
        f"must satisfy constraint: [Member must have length less than or equal to {most}, "
        f"Member must have length greater than or equal to {least}]"
    )


ONE_OF_THE_METRICS = (
    f"must satisfy constraint: [Member must satisfy enum value set: [{', '.join((*SHARD_LEVEL_METRICS, 'ALL'))}]]"
)


@pytest.mark.parametrize(
    ("operation", "members", "said"),
    [
        (
            "AddTagsToStream",
            {"Tags": {"a": "b", "k" * 129: "c"}},
            f"Value '{{a=b, {'k' * 129}=c}}' at 'tags' failed to satisfy constraint: Map keys {of_length(1, 128)}",
        ),
        (
            "AddTagsToStream",
            {"Tags": {"a": "v" * 257}},
            f"Value '{{a={'v' * 257}}}' at 'tags' failed to satisfy constraint: Map value {of_length(0, 256)}",
        ),
        (
            "RemoveTagsFromStream",
            {"TagKeys": ["a", ""]},
            f"Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member {of_length(1, 128)}",
        ),
        (
            "EnableEnhancedMonitoring",
            {"ShardLevelMetrics": ["Everything"]},
            f"Value '[Everything]' at 'shardLevelMetrics' failed to satisfy constraint: Member {ONE_OF_THE_METRICS}",
        ),
    ],
)
def test_of_lists_and_maps_the_whole_is_shown(operation, members, said):
    said = f"ValidationException: 1 validation error detected: {said}"
    assert refusal(Api(), 0, operation, StreamName="s", **members) == said


def test_ten_broken_constraints_are_named_at_most():
    said = refusal(Api(), 0, "PutRecords", StreamName="s", Records=[{"PartitionKey": "k"}] * 501)
    assert said.startswith(
        "ValidationException: 10 validation errors detected: "
        "Value '[com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@0, com"
    )
    assert said.endswith("'records.9.member.data' failed to satisfy constraint: Member must not be null")


# --- Shards by name, and sequence numbers that a client gives -------------------------------------

TOO_LARGE = "shardId-002147483648"


@pytest.mark.parametrize("name", ["7", "shardId-7", "any-0000007", "-7", "shardId-000000000007"])
def test_a_shard_that_is_not_there_is_told_by_its_full_id(name):
    for stream, operation in (("s", "GetShardIterator"), ("nobody", "GetShardIterator")):
        said = refusal(Api(), 0, operation, StreamName=stream, ShardId=name, ShardIteratorType="LATEST")
        assert said == (
            f"ResourceNotFoundException: Shard shardId-000000000007 in stream {stream} under account 000000000000 "
            "does not exist"
        )


@pytest.mark.parametrize("name", ["2147483648", TOO_LARGE, "ABKLFD8", "2.14E4", "shardId", "a--7"])
def test_what_can_be_no_shard_is_told_before_the_stream_is_looked_for(name):
    api = Api()
    requests = {
        "GetShardIterator": {"ShardId": name, "ShardIteratorType": "LATEST"},
        "SplitShard": {"ShardToSplit": name, "NewStartingHashKey": "9"},
        "MergeShards": {"ShardToMerge": "0", "AdjacentShardToMerge": name},
    }
    for operation, members in requests.items():
        assert refusal(api, 0, operation, StreamName="nobody", **members) == (
            f"ResourceNotFoundException: Could not find shard {name} in stream nobody under account 000000000000."
        )


def test_the_largest_number_of_a_shard_is_one():
    said = refusal(Api(), 0, "SplitShard", StreamName="nobody", ShardToSplit="2147483647", NewStartingHashKey="9")
    assert said == "ResourceNotFoundException: Stream nobody under account 000000000000 not found."


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "49590338271490256608559692538361571095921575989136588898",
        str(0x20000000000000000000000000000000000000000000002),
        str(0x20000000000000000000000000000000000000000000001),
        str(0x20000000000000000000000000000000000000800000002),
    ],
)
def test_a_number_of_the_service_orders_a_record(number):
    assert Api()(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k", SequenceNumberForOrdering=number)


@pytest.mark.parametrize(
    "number",
    [
        0x20000000000000000000000000000000000000000000000,
        0x20000000000000000000000000000000000000000000003,
        0x30000000000000000000000000000000000000000000001,
        0x1FFFFFFFFFF7FFFFFFFFFFFFFFF000000000007FFFFFFF2,
        0x2FFFFFFFFFF7FFFFFFFFFFFFFFF000000000007FFFFFFF2,
        0x20000000000800000000000000000000000000000000002,
        0x13BB2CC3D80000000000000000000000,
        10**128,
    ],
    ids=hex,
)
def test_another_number_does_not(number):
    members = {"StreamName": "s", "Data": b"", "PartitionKey": "k", "SequenceNumberForOrdering": str(number)}
    assert refusal(Api(), 0, "PutRecord", **members) == (
        f"InvalidArgumentException: ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream s "
        "under account 000000000000 is invalid."
    )


def test_a_sequence_number_tells_when_its_record_arrived():
    api = Api(shards=20)
    answer = api(7.9, "PutRecord", StreamName="s", Data=b"", PartitionKey="k", ExplicitHashKey=str(HASH_MAX))
    digits = f"{int(answer['SequenceNumber']):x}"
    # 2, when the shard was made, the shard's last digit, the place in it, 00, when it arrived, the shard, 2.
    assert digits == f"2{int(T0):09x}3{1:016x}00{int(T0) + 7:09x}{19:08x}2"


def test_an_iterator_of_a_stream_that_is_gone_misses_its_shard():
    api = Api()
    iterator = api.iterator(0)
    said = "ResourceNotFoundException: Shard shardId-000000000000 in stream s under account 000000000000 does not exist"
    api(0, "DeleteStream", StreamName="s")
    assert refusal(api, 1, "GetRecords", ShardIterator=iterator) == said
    api(1, "CreateStream", StreamName="s", ShardCount=1)
    assert refusal(api, 2, "GetRecords", ShardIterator=iterator) == said


def test_a_number_of_a_stream_that_was_there_before_did_not_come_from_this_one():
    api = Api()
    number = api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k")["SequenceNumber"]
    api(5, "DeleteStream", StreamName="s")
    api(5, "CreateStream", StreamName="s", ShardCount=1)
    place = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number}
    said = refusal(api, 9, "GetShardIterator", StreamName="s", ShardId="0", **place)
    assert said.endswith("is invalid because it did not come from this stream.")


@pytest.mark.parametrize("name", ["s", "s" * 128])
def test_an_iterator_is_as_long_as_the_services(name):
    api = Api()
    api(0, "CreateStream", StreamName=name + "x" * (len(name) == 1), ShardCount=1)
    request = {"StreamName": name + "x" * (len(name) == 1), "ShardId": "0", "ShardIteratorType": "LATEST"}
    length = len(base64.b64decode(api(5, "GetShardIterator", **request)["ShardIterator"]))
    assert length >= 152
    assert length % 16 == 8
