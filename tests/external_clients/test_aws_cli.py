"""The AWS command line: the whole life of a stream, and the error for a stream that does not exist."""

import base64
import json

import pytest

from tests.external_clients.installation import or_skipped, python_with

REQUIREMENTS = (
    "awscli==1.46.3",
    "botocore==1.43.62",
    "colorama==0.4.6",
    "docutils==0.19",
    "jmespath==1.1.0",
    "pyasn1==0.6.5",
    "python-dateutil==2.9.0.post0",
    "pyyaml==6.0.3",
    "rsa==4.7.2",
    "s3transfer==0.19.2",
    "six==1.17.0",
    "urllib3==2.8.0",
)
MIDDLE = 2**127


@pytest.fixture(scope="module")
def aws(server):
    """`aws("list-streams", "--limit", 1)` runs `aws kinesis list-streams --limit 1`."""
    with or_skipped("the AWS command line"):
        python = python_with(*REQUIREMENTS)

    def run(*words):
        return server.run(python, "-m", "awscli", "kinesis", *map(str, words), "--output=json")

    return run


@pytest.fixture
def stream(aws, server):
    """The name of a one-shard stream that the command line creates and deletes."""
    name = server.new_name()
    assert aws("create-stream", "--stream-name", name, "--shard-count", 1).json is None
    assert aws("wait", "stream-exists", "--stream-name", name).json is None
    yield name
    assert aws("delete-stream", "--stream-name", name).json is None
    assert aws("wait", "stream-not-exists", "--stream-name", name).json is None
    assert name not in aws("list-streams").json["StreamNames"]


def shards_of(aws, stream):
    return aws("list-shards", "--stream-name", stream).json["Shards"]


def is_open(shard):
    return "EndingSequenceNumber" not in shard["SequenceNumberRange"]


def read(aws, stream, shard_id, kind="TRIM_HORIZON"):
    """Return the data in the shard, and the whole response."""
    place = ("--stream-name", stream, "--shard-id", shard_id, "--shard-iterator-type", kind)
    iterator = aws("get-shard-iterator", *place).json["ShardIterator"]
    answer = aws("get-records", "--shard-iterator", iterator).json
    return [base64.b64decode(record["Data"]).decode() for record in answer["Records"]], answer


def put_both(aws, stream, *names):
    """Put one record into each half of the hash key range; return the shards that stored them."""
    records = [
        {"Data": name, "PartitionKey": "k", "ExplicitHashKey": str(number * MIDDLE)}
        for number, name in enumerate(names)
    ]
    answer = aws("put-records", "--stream-name", stream, "--records", json.dumps(records)).json
    assert answer["FailedRecordCount"] == 0
    return [record["ShardId"] for record in answer["Records"]]


def test_it_creates_fills_splits_merges_and_reads_a_stream(aws, stream):
    """The fixture deletes the stream with the command line too, and waits until it is gone."""
    taken = aws("put-record", "--stream-name", stream, "--partition-key", "k", "--data", "first").json
    (parent,) = shards_of(aws, stream)
    assert (taken["ShardId"], is_open(parent)) == (parent["ShardId"], True)

    split = ("--shard-to-split", parent["ShardId"], "--new-starting-hash-key", MIDDLE)
    assert aws("split-shard", "--stream-name", stream, *split).json is None
    parent, low, high = shards_of(aws, stream)
    assert [is_open(shard) for shard in (parent, low, high)] == [False, True, True]
    assert low["ParentShardId"] == high["ParentShardId"] == parent["ShardId"]
    assert put_both(aws, stream, "low", "high") == [low["ShardId"], high["ShardId"]]

    records, page = read(aws, stream, parent["ShardId"])
    assert records == ["first"]
    assert "NextShardIterator" not in page
    assert [child["ShardId"] for child in page["ChildShards"]] == [low["ShardId"], high["ShardId"]]
    assert read(aws, stream, low["ShardId"])[0] == ["low"]
    assert read(aws, stream, high["ShardId"])[0] == ["high"]

    merge = ("--shard-to-merge", low["ShardId"], "--adjacent-shard-to-merge", high["ShardId"])
    assert aws("merge-shards", "--stream-name", stream, *merge).json is None
    merged = shards_of(aws, stream)[-1]
    assert (merged["ParentShardId"], merged["AdjacentParentShardId"]) == (low["ShardId"], high["ShardId"])
    assert put_both(aws, stream, "third", "fourth") == [merged["ShardId"]] * 2
    assert read(aws, stream, merged["ShardId"])[0] == ["third", "fourth"]
    assert read(aws, stream, low["ShardId"])[0] == ["low"]


def test_it_resizes_tags_and_retains_a_stream(aws, stream):
    resized = aws(
        "update-shard-count", "--stream-name", stream, "--target-shard-count", 2, "--scaling-type", "UNIFORM_SCALING"
    )
    assert (resized.json["CurrentShardCount"], resized.json["TargetShardCount"]) == (1, 2)
    aws("wait", "stream-exists", "--stream-name", stream)
    assert len([shard for shard in shards_of(aws, stream) if is_open(shard)]) == 2
    assert aws("increase-stream-retention-period", "--stream-name", stream, "--retention-period-hours", 48).json is None
    summary = aws("describe-stream-summary", "--stream-name", stream).json["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["RetentionPeriodHours"]) == (2, 48)

    assert aws("add-tags-to-stream", "--stream-name", stream, "--tags", "team=fleet,cost=low").json is None
    assert aws("remove-tags-from-stream", "--stream-name", stream, "--tag-keys", "cost").json is None
    tags = aws("list-tags-for-stream", "--stream-name", stream).json
    assert tags == {"Tags": [{"Key": "team", "Value": "fleet"}], "HasMoreTags": False}


def test_its_error_names_the_missing_stream(aws):
    answer = aws("describe-stream-summary", "--stream-name", "nobody")
    assert answer.status != 0
    assert answer.out == ""
    assert answer.err.strip() == (
        "An error occurred (ResourceNotFoundException) when calling the DescribeStreamSummary operation: "
        "Stream nobody under account 000000000000 not found."
    )
