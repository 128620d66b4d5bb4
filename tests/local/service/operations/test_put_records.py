"""PutRecord and PutRecords: routing, sequence numbers, limits and dry runs. Times are seconds after the start."""

import hashlib

import pytest

from tests.local.support import T0, Api, error_text

HASH_MAX = 2**128 - 1


def test_a_key_belongs_to_the_shard_whose_range_contains_its_md5():
    api = Api(shards=7, limited=False)
    ranges = [
        (shard["ShardId"], int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]))
        for shard in api(0, "ListShards", StreamName="s")["Shards"]
    ]
    for number in range(100):
        key = f"TRUCK_{number}_é"
        response = api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey=key)
        hashed = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
        assert response["ShardId"] == next(name for name, start, end in ranges if start <= hashed <= end)


@pytest.mark.parametrize(("explicit", "shard"), [(0, 0), (2**127 - 1, 0), (2**127, 1), (HASH_MAX, 1)])
def test_an_explicit_hash_key_overrides_the_partition_key(explicit, shard):
    api = Api(shards=2)
    entry = {"Data": b"", "PartitionKey": "k", "ExplicitHashKey": str(explicit)}
    assert api(0, "PutRecord", StreamName="s", **entry)["ShardId"][-1] == str(shard)
    assert api(0, "PutRecords", StreamName="s", Records=[entry])["Records"][0]["ShardId"][-1] == str(shard)


def test_sequence_numbers_have_the_services_format_and_increase():
    api = Api()
    numbers = [api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k")["SequenceNumber"] for _ in range(3)]
    (shard,) = api(0, "ListShards", StreamName="s")["Shards"]
    numbers.insert(0, shard["SequenceNumberRange"]["StartingSequenceNumber"])
    assert {len(number) for number in numbers} == {56}
    assert all(number.startswith("49") for number in numbers)
    assert sorted(numbers, key=int) == numbers
    assert len(set(numbers)) == 4


@pytest.mark.parametrize(
    ("records", "message"),
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
def test_a_record_that_violates_a_constraint_fails_the_request(records, message):
    api = Api()
    text = error_text(api, 0, "PutRecords", StreamName="s", Records=records)
    assert text.startswith("ValidationException: 1 validation error detected: Value")
    assert message in text
    assert api.service.shard_stats("s", T0)["shardId-000000000000"].records_in == 0


def test_an_invalid_record_prevents_the_storage_of_the_others():
    api = Api()
    good, bad = {"Data": b"", "PartitionKey": "k"}, {"Data": b"", "PartitionKey": ""}
    text = error_text(api, 0, "PutRecords", StreamName="s", Records=[good, good, bad])
    assert "records.3.member.partitionKey" in text
    assert api.read(1)["Records"] == []


def test_the_error_names_every_violated_constraint():
    api = Api()
    records = [{"Data": b"", "PartitionKey": "k"}, {"PartitionKey": ""}]
    text = error_text(api, 0, "PutRecords", StreamName="no stream", Records=records)
    assert text == (
        "ValidationException: 3 validation errors detected: "
        "Value 'no stream' at 'streamName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
        "Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null; "
        "Value '' at 'records.2.member.partitionKey' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )


def test_the_limits_are_256_characters_a_key_and_1_mib_a_record_with_its_key():
    api = Api()
    key = "é" * 256
    assert api.put(0, key=key, size=2**20) == 1
    entry = {"Data": bytes(2**20), "PartitionKey": "k"}
    for operation, members, path in (
        ("PutRecord", entry, "data"),
        ("PutRecords", {"Records": [entry]}, "records.1.member.data"),
    ):
        assert error_text(api, 9, operation, StreamName="s", **members) == (
            f"ValidationException: 1 validation error detected: "
            f"Value 'java.nio.HeapByteBuffer[pos=0 lim=1048577 cap=1048577]' at '{path}' failed to satisfy constraint: "
            "Member must have length less than or equal to 1048576"
        )


def test_a_stream_may_accept_larger_records_but_no_request_over_10_mib():
    api = Api()
    api(0, "CreateStream", StreamName="large", ShardCount=1, MaxRecordSizeInKiB=10_240)
    entry = {"Data": bytes(9 * 2**20), "PartitionKey": "k"}
    assert api(0, "PutRecords", StreamName="large", Records=[entry])["FailedRecordCount"] == 0
    text = error_text(api, 0, "PutRecords", StreamName="large", Records=[entry, entry])
    assert text == "InvalidArgumentException: Records size exceeds 10 MB limit"


def test_a_hash_key_over_128_bits_is_rejected():
    assert error_text(
        Api(), 0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k", ExplicitHashKey=str(2**128)
    ) == (
        "InvalidArgumentException: Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
        "Specified value was 340282366920938463463374607431768211456"
    )


def test_a_dry_run_of_a_valid_request_does_nothing():
    api = Api()
    entry = {"Data": b"", "PartitionKey": "k"}
    iterator = api.iterator(0)
    for operation, members in (
        ("PutRecord", {"StreamName": "s", **entry}),
        ("PutRecords", {"StreamName": "s", "Records": [entry]}),
        ("GetShardIterator", {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"}),
        ("GetRecords", {"ShardIterator": iterator}),
    ):
        assert error_text(api, 0, operation, DryRun=True, **members).startswith("DryRunOperationException")
    assert api.read(0)["Records"] == []
    assert error_text(api, 0, "PutRecord", StreamName="t", DryRun=True, **entry).startswith("ResourceNotFoundException")
