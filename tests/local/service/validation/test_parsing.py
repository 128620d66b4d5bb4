"""The messages for members of a wrong type, and for violated constraints."""

import pytest

from tests.local.support import Api, error_text
from truckstream.local.service.operations.settings.monitoring import SHARD_LEVEL_METRICS
from truckstream.local.service.service import OPERATIONS
from truckstream.local.service.validation.shapes import REQUESTS

#: The name of a number in the messages of the service's parser.
NUMBER = "com.amazon.coral.value.json.numbers.TruncatingBigNumber"


def test_every_operation_has_the_shape_of_its_request():
    assert set(OPERATIONS) == set(REQUESTS)


def test_null_members_are_absent_and_unknown_ones_ignored():
    assert Api()(0, "DescribeStream", StreamName="s", StreamARN=None, Future="x")


@pytest.mark.parametrize(
    ("members", "message"),
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
def test_a_member_of_a_wrong_type_is_a_serialization_error(members, message):
    assert error_text(Api(), 0, "CreateStream", **members) == f"SerializationException: {message}"


@pytest.mark.parametrize(
    ("operation", "members", "message"),
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
def test_each_type_of_member_has_a_message_of_its_own(operation, members, message):
    assert error_text(Api(), 0, operation, **members).startswith(f"SerializationException: {message}")


def test_numbers_are_truncated_to_integers():
    api = Api()
    assert len(api(0, "DescribeStream", StreamName="s", Limit=1.9)["StreamDescription"]["Shards"]) == 1
    message = error_text(
        api, 0, "UpdateShardCount", StreamName="s", ScalingType="UNIFORM_SCALING", TargetShardCount=2**40
    )
    assert message.endswith("Target shard count: 2147483647")


def of_length(least, most):
    return (
        f"must satisfy constraint: [Member must have length less than or equal to {most}, "
        f"Member must have length greater than or equal to {least}]"
    )


ONE_OF_THE_METRICS = (
    f"must satisfy constraint: [Member must satisfy enum value set: [{', '.join((*SHARD_LEVEL_METRICS, 'ALL'))}]]"
)


@pytest.mark.parametrize(
    ("operation", "members", "message"),
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
def test_the_message_shows_the_whole_list_or_map(operation, members, message):
    message = f"ValidationException: 1 validation error detected: {message}"
    assert error_text(Api(), 0, operation, StreamName="s", **members) == message


def test_at_most_ten_violated_constraints_are_named():
    message = error_text(Api(), 0, "PutRecords", StreamName="s", Records=[{"PartitionKey": "k"}] * 501)
    assert message.startswith(
        "ValidationException: 10 validation errors detected: "
        "Value '[com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@0, com"
    )
    assert message.endswith("'records.9.member.data' failed to satisfy constraint: Member must not be null")
