"""GetShardIterator and GetRecords: positions, pages, expiry and retention. Times are seconds after the start."""

import pytest

from tests.local.support import ARN, T0, Api, error_text, split

HASH_MAX = 2**128 - 1


def test_each_type_of_iterator_starts_at_its_record():
    api = Api()
    numbers = []
    for second in range(5):
        response = api(second, "PutRecord", StreamName="s", Data=b"%d" % second, PartitionKey="k")
        numbers.append(response["SequenceNumber"])

    def first(kind, **members):
        return "".join(record["Data"].decode() for record in api.read(9, kind, **members)["Records"])

    assert first("TRIM_HORIZON") == "01234"
    assert first("LATEST") == ""
    assert first("AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[2]) == "234"
    assert first("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[2]) == "34"
    assert first("AT_TIMESTAMP", Timestamp=T0 + 2.5) == "34"


def test_the_starting_sequence_number_of_a_shard_is_the_position_of_its_first_record():
    api = Api()
    api.put(0, 3)
    start = api(0, "ListShards", StreamName="s")["Shards"][0]["SequenceNumberRange"]["StartingSequenceNumber"]
    assert len(api.read(1, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=start)["Records"]) == 3


EITHER = (
    "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
    "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified"
)


@pytest.mark.parametrize(
    ("kind", "members", "message"),
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
def test_an_iterator_with_contradictory_members_is_rejected(kind, members, message):
    api = Api()
    text = error_text(
        api,
        1,
        "GetShardIterator",
        StreamName="s",
        ShardId="shardId-000000000000",
        ShardIteratorType=kind,
        **members,
    )
    assert text.startswith(f"InvalidArgumentException: {message}")


def test_the_error_for_a_sequence_number_of_another_shard_names_both_shards():
    api = Api(shards=2)
    number = api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k", ExplicitHashKey=str(HASH_MAX))
    text = error_text(
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
    text = error_text(api, 301, "GetRecords", ShardIterator=iterator)
    assert text.startswith(
        "ExpiredIteratorException: Iterator expired. The iterator was created at time Mon Nov 23 00:00:00 UTC 2026 "
        "while right now it is Mon Nov 23 00:05:01 UTC 2026"
    )
    assert error_text(api, 0, "GetRecords", ShardIterator="x") == "InvalidArgumentException: Invalid ShardIterator."


def test_the_next_iterators_lead_to_the_tip():
    api = Api()
    api.put(0, 5)
    first = api.read(10, limit=3)
    assert (len(first["Records"]), first["MillisBehindLatest"]) == (3, 10_000)
    second = api(11, "GetRecords", ShardIterator=first["NextShardIterator"])
    assert (len(second["Records"]), second["MillisBehindLatest"]) == (2, 0)
    third = api(12, "GetRecords", ShardIterator=second["NextShardIterator"])
    assert (third["Records"], third["MillisBehindLatest"]) == ([], 0)
    assert "NextShardIterator" in third


def test_a_call_returns_at_most_10000_records():
    api = Api(limited=False)
    for _ in range(21):
        api.put(0, 500)
    assert len(api.read(1)["Records"]) == 10_000
    assert error_text(api, 1, "GetRecords", ShardIterator=api.iterator(1), Limit=10_001) == (
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


def test_a_shorter_retention_trims_immediately():
    api = Api()
    api(0, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    api.put(1, 3)
    assert len(api.read(100_000)["Records"]) == 3
    api(100_001, "DecreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=24)
    assert api.read(100_003)["Records"] == []


@pytest.mark.parametrize(("moment", "count"), [(-50, 5), (0, 5), (0.0005, 4), (1, 4), (1.001, 3), (4, 1), (9, 0)])
def test_an_iterator_by_time_starts_at_the_first_record_at_or_after_it(moment, count):
    """Times are rounded to milliseconds; a time before the oldest record is the trim horizon."""
    api = Api()
    for second in range(5):
        api.put(second)
    assert len(api.read(9, "AT_TIMESTAMP", Timestamp=T0 + moment)["Records"]) == count


def test_a_call_returns_at_most_10_mib_but_always_one_record():
    api = Api(limited=False)
    api(0, "UpdateMaxRecordSize", StreamARN=ARN, MaxRecordSizeInKiB=10_240)
    for size in (6, 3, 1, 10):
        api.put(0, 1, size=size * 2**20)
    first = api.read(0)
    assert [len(record["Data"]) + 1 for record in first["Records"]] == [6 * 2**20, 3 * 2**20, 2**20]
    rest = api(0, "GetRecords", ShardIterator=first["NextShardIterator"])
    assert len(rest["Records"]) == 1


def test_a_reader_is_behind_by_the_age_of_its_oldest_unread_record():
    api = Api(limited=False)
    for second in range(3):
        api.put(second)
    behind = [api.read(10.25, limit=limit)["MillisBehindLatest"] for limit in (1, 2, 3)]
    assert behind == [9_250, 8_250, 0]
    split(api, 11)
    assert api.read(12, limit=1)["MillisBehindLatest"] == 11_000


def test_an_iterator_at_the_tip_of_a_closed_shard_has_no_successor():
    api = Api()
    api.put(0)
    split(api, 1)
    response = api.read(2, "LATEST")
    assert (response["Records"], len(response["ChildShards"])) == ([], 2)
    assert "NextShardIterator" not in response


def test_a_page_token_expires_after_300_seconds():
    api = Api(shards=2)
    token = api(0, "ListShards", StreamName="s", MaxResults=1)["NextToken"]
    assert len(api(300, "ListShards", NextToken=token)["Shards"]) == 1
    assert error_text(api, 301, "ListShards", NextToken=token).startswith("ExpiredNextTokenException")
