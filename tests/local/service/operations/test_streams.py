"""Streams from creation to deletion: states, limits, retention, encryption, tags. Times are seconds after the start."""

import pytest

from tests.local.support import ARN, T0, Api, error_text, split


def test_with_transition_seconds_a_stream_is_creating_updating_and_deleting_for_a_while():
    api = Api(transition_seconds=30)

    def status(at):
        return api(at, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamStatus"]

    assert status(29) == "CREATING"
    assert error_text(api, 29, "PutRecord", StreamName="s", Data=b"", PartitionKey="k").startswith("ResourceNotFound")
    assert status(30) == "ACTIVE"
    split(api, 40)
    assert status(69) == "UPDATING"
    assert api.put(69) == 1
    assert error_text(
        api, 69, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000001", NewStartingHashKey="9"
    ) == ("ResourceInUseException: Stream s under account 000000000000 not ACTIVE, instead in state UPDATING")
    api(80, "DeleteStream", StreamName="s")
    assert status(109) == "DELETING"
    assert error_text(api, 110, "DescribeStreamSummary", StreamName="s") == (
        "ResourceNotFoundException: Stream s under account 000000000000 not found."
    )
    assert api(110, "ListStreams")["StreamNames"] == []


def test_an_iterator_does_not_outlive_its_stream():
    api = Api()
    iterator = api.iterator(0)
    api(1, "DeleteStream", StreamName="s")
    api(2, "CreateStream", StreamName="s", ShardCount=1)
    assert error_text(api, 3, "GetRecords", ShardIterator=iterator).startswith("ResourceNotFoundException")


def test_a_stream_is_identified_by_name_or_arn_or_both():
    api = Api()
    for members in ({"StreamName": "s"}, {"StreamARN": ARN}, {"StreamName": "s", "StreamARN": ARN}):
        assert api(0, "DescribeStream", **members)["StreamDescription"]["StreamARN"] == ARN
    assert error_text(api, 0, "DescribeStream").startswith("InvalidArgumentException")
    assert error_text(api, 0, "DescribeStream", StreamName="t", StreamARN=ARN).startswith("InvalidArgumentException")
    other = ARN.replace("000000000000", "111111111111")
    assert error_text(api, 0, "DescribeStream", StreamARN=other) == (
        "ResourceNotFoundException: Stream s under account 111111111111 not found."
    )


def test_the_creation_of_shards_has_its_limits():
    api = Api(shards=3, shard_limit=4)
    assert error_text(api, 0, "CreateStream", StreamName="s", ShardCount=1) == (
        "ResourceInUseException: Stream s under account 000000000000 already exists."
    )
    assert error_text(api, 0, "CreateStream", StreamName="t", ShardCount=2).startswith(
        "LimitExceededException: This request would exceed the shard limit for the account 000000000000 in us-east-1. "
        "Current shard count for the account: 3. Limit: 4."
    )
    assert error_text(api, 0, "CreateStream", StreamName="t").startswith("InvalidArgumentException")
    split(api, 0, shard=1, point=2**127)
    assert error_text(
        api, 0, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey="9"
    ).startswith("LimitExceededException")


def test_only_five_streams_can_be_creating():
    api = Api(shards=0, transition_seconds=10)
    for number in range(5):
        api(0, "CreateStream", StreamName=f"s{number}", ShardCount=1)
    assert error_text(api, 9, "CreateStream", StreamName="s5", ShardCount=1).startswith("LimitExceededException")
    api(10, "CreateStream", StreamName="s5", ShardCount=1)


def test_two_streams_of_one_name_are_distinguished_by_the_second_of_their_creation():
    api = Api()
    api(5, "DeleteStream", StreamName="s")
    api(10.7, "CreateStream", StreamName="s", ShardCount=1)
    assert api.shards(11, StreamCreationTimestamp=T0 + 10) == [0]
    text = error_text(api, 11, "ListShards", StreamName="s", StreamCreationTimestamp=T0)
    assert text.startswith("ResourceNotFoundException")


def test_an_on_demand_stream_has_four_shards_and_cannot_be_split():
    api = Api(shards=0)
    api(0, "CreateStream", StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    assert api.shards() == [0, 1, 2, 3]
    text = error_text(api, 0, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey="9")
    assert text == "ValidationException: Request is invalid. Stream s under account 000000000000 is in On-Demand mode."


@pytest.mark.parametrize(
    ("operation", "hours", "message"),
    [
        ("IncreaseStreamRetentionPeriod", 23, "Minimum allowed retention period is 24 hours. Requested retention"),
        ("IncreaseStreamRetentionPeriod", 24, "Requested retention period (24 hours) for stream s can not be shorter"),
        ("DecreaseStreamRetentionPeriod", 49, "Requested retention period (49 hours) for stream s can not be longer"),
    ],
)
def test_retention_has_its_limits(operation, hours, message):
    api = Api()
    api(0, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=48)
    text = error_text(api, 1, operation, StreamName="s", RetentionPeriodHours=hours)
    assert text.startswith(f"InvalidArgumentException: {message}")


@pytest.mark.parametrize("hours", [0, 8_761])
def test_a_retention_outside_an_hour_to_a_year_is_a_validation_error(hours):
    text = error_text(Api(), 1, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=hours)
    assert text.startswith(
        f"ValidationException: 1 validation error detected: Value '{hours}' at 'retentionPeriodHours'"
    )


def test_the_present_retention_leaves_the_stream_active():
    api = Api(transition_seconds=5)
    api(6, "IncreaseStreamRetentionPeriod", StreamName="s", RetentionPeriodHours=24)
    assert api(6, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"


def test_a_stream_in_creation_lists_no_shards():
    api = Api(transition_seconds=5)
    api(0, "CreateStream", StreamName="t", ShardCount=2)
    assert api(4, "DescribeStream", StreamName="t")["StreamDescription"]["Shards"] == []
    assert len(api(6, "DescribeStream", StreamName="t")["StreamDescription"]["Shards"]) == 2


def test_encryption_applies_only_to_records_that_are_put_while_it_is_on():
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
    assert "cannot have more than 50 tags" in error_text(
        api, 0, "AddTagsToStream", StreamName="s", Tags={"one more": "v"}
    )
    for at, character in enumerate("^\t\n,;"):
        message = error_text(api, at, "AddTagsToStream", StreamName="s", Tags={"k00": f"a{character}b"})
        assert message.startswith(
            "InvalidArgumentException: Some tags contain invalid characters. Valid characters: Unic"
        )
        assert message == error_text(api, at, "RemoveTagsFromStream", StreamName="s", TagKeys=[f"a{character}b"])
    page = api(0, "ListTagsForStream", StreamName="s", Limit=2, ExclusiveStartTagKey="k10")
    assert page == {"Tags": [{"Key": "k11", "Value": "v"}, {"Key": "k12", "Value": "v"}], "HasMoreTags": True}
