"""Shard IDs, sequence numbers and iterators in the service's own format."""

import base64

import pytest

from tests.local.support import T0, Api, error_text

HASH_MAX = 2**128 - 1


TOO_LARGE = "shardId-002147483648"


@pytest.mark.parametrize("name", ["7", "shardId-7", "any-0000007", "-7", "shardId-000000000007"])
def test_the_error_for_a_missing_shard_has_its_full_id(name):
    for stream, operation in (("s", "GetShardIterator"), ("unknown", "GetShardIterator")):
        message = error_text(Api(), 0, operation, StreamName=stream, ShardId=name, ShardIteratorType="LATEST")
        assert message == (
            f"ResourceNotFoundException: Shard shardId-000000000007 in stream {stream} under account 000000000000 "
            "does not exist"
        )


@pytest.mark.parametrize("name", ["2147483648", TOO_LARGE, "ABKLFD8", "2.14E4", "shardId", "a--7"])
def test_an_impossible_shard_id_is_rejected_before_the_stream_is_looked_up(name):
    api = Api()
    requests = {
        "GetShardIterator": {"ShardId": name, "ShardIteratorType": "LATEST"},
        "SplitShard": {"ShardToSplit": name, "NewStartingHashKey": "9"},
        "MergeShards": {"ShardToMerge": "0", "AdjacentShardToMerge": name},
    }
    for operation, members in requests.items():
        assert error_text(api, 0, operation, StreamName="unknown", **members) == (
            f"ResourceNotFoundException: Could not find shard {name} in stream unknown under account 000000000000."
        )


def test_the_largest_shard_number_is_valid():
    message = error_text(
        Api(), 0, "SplitShard", StreamName="unknown", ShardToSplit="2147483647", NewStartingHashKey="9"
    )
    assert message == "ResourceNotFoundException: Stream unknown under account 000000000000 not found."


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
def test_a_sequence_number_of_the_services_format_is_valid_for_ordering(number):
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
def test_another_sequence_number_is_invalid_for_ordering(number):
    members = {"StreamName": "s", "Data": b"", "PartitionKey": "k", "SequenceNumberForOrdering": str(number)}
    assert error_text(Api(), 0, "PutRecord", **members) == (
        f"InvalidArgumentException: ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream s "
        "under account 000000000000 is invalid."
    )


def test_a_sequence_number_contains_the_time_of_arrival_and_the_shard():
    api = Api(shards=20)
    response = api(7.9, "PutRecord", StreamName="s", Data=b"", PartitionKey="k", ExplicitHashKey=str(HASH_MAX))
    digits = f"{int(response['SequenceNumber']):x}"
    # 2, when the shard was made, the shard's last digit, the place in it, 00, when it arrived, the shard, 2.
    assert digits == f"2{int(T0):09x}3{1:016x}00{int(T0) + 7:09x}{19:08x}2"


def test_an_iterator_of_a_deleted_stream_does_not_find_its_shard():
    api = Api()
    iterator = api.iterator(0)
    message = (
        "ResourceNotFoundException: Shard shardId-000000000000 in stream s under account 000000000000 does not exist"
    )
    api(0, "DeleteStream", StreamName="s")
    assert error_text(api, 1, "GetRecords", ShardIterator=iterator) == message
    api(1, "CreateStream", StreamName="s", ShardCount=1)
    assert error_text(api, 2, "GetRecords", ShardIterator=iterator) == message


def test_a_sequence_number_of_a_deleted_stream_is_invalid_for_its_successor():
    api = Api()
    number = api(0, "PutRecord", StreamName="s", Data=b"", PartitionKey="k")["SequenceNumber"]
    api(5, "DeleteStream", StreamName="s")
    api(5, "CreateStream", StreamName="s", ShardCount=1)
    place = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number}
    message = error_text(api, 9, "GetShardIterator", StreamName="s", ShardId="0", **place)
    assert message.endswith("is invalid because it did not come from this stream.")


@pytest.mark.parametrize("name", ["s", "s" * 128])
def test_an_iterator_is_as_long_as_that_of_the_service(name):
    api = Api()
    api(0, "CreateStream", StreamName=name + "x" * (len(name) == 1), ShardCount=1)
    request = {"StreamName": name + "x" * (len(name) == 1), "ShardId": "0", "ShardIteratorType": "LATEST"}
    length = len(base64.b64decode(api(5, "GetShardIterator", **request)["ShardIterator"]))
    assert length >= 152
    assert length % 16 == 8
