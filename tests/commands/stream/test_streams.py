"""`truckstream streams`: every stream is listed, whatever can be read of it."""

import asyncio
import json

import pytest

from tests.cloud.scripted_aws import ScriptedAws, aws_error
from tests.commands.support import run
from truckstream.cloud.watch.reading.streams import list_streams, read_stream
from truckstream.commands.output.stream_tables import format_stream, format_streams
from truckstream.local import LocalKinesis

CREATED = 1_700_000_000
WHOLE = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}


def arn(name):
    return f"arn:aws:kinesis:us-east-1:123456789012:stream/{name}"


def summary(name, **members):
    return {"StreamName": name, "StreamARN": arn(name), "StreamStatus": "ACTIVE", **members}


def description(name, shards=1, **members):
    details = {"RetentionPeriodHours": 24, "StreamCreationTimestamp": CREATED, "EnhancedMonitoring": []}
    return {"StreamDescriptionSummary": summary(name, **details, OpenShardCount=shards, **members)}


def describe(parameters):
    """The response for any stream; for the one that is called secret, an error."""
    name = parameters["StreamName"]
    if name == "secret":
        return aws_error("AccessDeniedException", "not authorized", "kinesis:DescribeStreamSummary")
    return description(name, EncryptionType="KMS", ConsumerCount=2, StreamModeDetails={"StreamMode": "ON_DEMAND"})


def test_a_stream_without_permission_does_not_hide_the_others():
    mode = {"StreamMode": "PROVISIONED"}
    summaries = [summary("a"), summary("secret", StreamModeDetails=mode), summary("z")]
    page = {"StreamNames": ["a", "secret", "z"], "StreamSummaries": summaries, "HasMoreStreams": False}
    aws = ScriptedAws({"kinesis.list_streams": page, "kinesis.describe_stream_summary": describe})
    found = asyncio.run(list_streams(aws))
    assert format_streams(found).splitlines()[:4] == [
        "stream  status  mode         open shards  retention  encryption  consumers",
        "a       ACTIVE  ON_DEMAND              1       24 h  KMS                 2",
        "secret  ACTIVE  PROVISIONED            ?          ?  ?                   ?",
        "z       ACTIVE  ON_DEMAND              1       24 h  KMS                 2",
    ]
    assert len(found.unread) == 1
    assert "not authorized" in format_streams(found)


def test_all_pages_are_read_also_without_the_optional_members():
    pages = [
        {"StreamNames": ["a", "b"], "HasMoreStreams": True},
        {"StreamNames": ["c"], "HasMoreStreams": False},
    ]
    aws = ScriptedAws({"kinesis.list_streams": pages, "kinesis.describe_stream_summary": describe})
    found = asyncio.run(list_streams(aws))
    assert [stream.name for stream in found.streams] == ["a", "b", "c"]
    assert aws.calls_of("kinesis.list_streams") == [{}, {"ExclusiveStartStreamName": "b"}]


def test_a_stream_that_is_deleted_meanwhile_is_listed_with_what_is_known():
    page = {"StreamNames": ["gone"], "HasMoreStreams": False}
    missing = aws_error("ResourceNotFoundException")
    aws = ScriptedAws({"kinesis.list_streams": page, "kinesis.describe_stream_summary": missing})
    found = asyncio.run(list_streams(aws))
    assert [(stream.name, stream.status) for stream in found.streams] == [("gone", None)]
    assert found.unread == ()


def test_no_streams_is_a_sentence():
    aws = ScriptedAws({"kinesis.list_streams": {"StreamNames": [], "HasMoreStreams": False}})
    assert format_streams(asyncio.run(list_streams(aws))) == "There are no streams in us-east-1."


@pytest.mark.parametrize(("name", "member"), [("trucks", "StreamName"), (arn("trucks"), "StreamARN")])
def test_all_pages_of_shards_are_read(name, member):
    def shard(number):
        numbers = {"StartingSequenceNumber": "1"}
        return {"ShardId": f"shardId-{number:012}", "HashKeyRange": WHOLE, "SequenceNumberRange": numbers}

    pages = [{"Shards": [shard(0)], "NextToken": "more"}, {"Shards": [shard(1)]}]
    responses = {"kinesis.list_shards": pages, "kinesis.describe_stream_summary": description("trucks", 2)}
    aws = ScriptedAws(responses)
    found = asyncio.run(read_stream(aws, name))
    assert [each.shard_id for each in found.shards] == ["shardId-000000000000", "shardId-000000000001"]
    assert aws.calls_of("kinesis.list_shards") == [{member: name}, {"NextToken": "more"}]
    assert "shardId-000000000001  open         100.00%  -" in format_stream(found)


# --- As a user runs it ------------------------------------------------------------------------------


@pytest.fixture
async def kinesis():
    async with LocalKinesis(stream="trucks", own_process=True) as kinesis:
        yield kinesis


async def streams(kinesis, tmp_path, *arguments):
    """Run the command without region and credentials."""
    endpoint = ("--endpoint-url", kinesis.endpoint_url)
    return await asyncio.to_thread(run, "streams", *arguments, *endpoint, cwd=tmp_path, HOME=str(tmp_path))


async def test_the_shards_of_a_stream_after_a_split_and_a_merge(kinesis, tmp_path):
    first, *later = (f"shardId-{number:012}" for number in range(5))
    await kinesis.call("SplitShard", StreamName="trucks", ShardToSplit=first, NewStartingHashKey=str(2**126))
    await kinesis.call("MergeShards", StreamName="trucks", ShardToMerge=later[0], AdjacentShardToMerge=later[1])
    status, out, err = await streams(kinesis, tmp_path, "trucks", "--json")
    assert (status, err) == (0, "")
    shards = json.loads(out)["shards"]
    assert [(shard["shard_id"], shard["state"], shard["parents"], shard["share"]) for shard in shards] == [
        (first, "closed", [], 1.0),
        (later[0], "closed", [first], 0.25),
        (later[1], "closed", [first], 0.75),
        (later[2], "open", [later[0], later[1]], 1.0),
    ]


async def test_the_table_lists_each_stream(kinesis, tmp_path):
    await kinesis.call("CreateStream", StreamName="buses", ShardCount=3)
    status, out, err = await streams(kinesis, tmp_path)
    assert (status, err) == (0, "")
    assert [line.split()[:4] for line in out.splitlines()[1:]] == [
        ["buses", "ACTIVE", "PROVISIONED", "3"],
        ["trucks", "ACTIVE", "PROVISIONED", "1"],
    ]


async def test_a_missing_stream_names_the_command_that_lists_those_that_exist(kinesis, tmp_path):
    status, _, err = await streams(kinesis, tmp_path, "nowhere")
    assert status == 3
    assert f"truckstream streams --endpoint-url {kinesis.endpoint_url} lists the streams that exist" in err


def test_a_missing_region_is_an_error_outside_of_this_machine(tmp_path):
    status, _, err = run("streams", cwd=tmp_path, HOME=str(tmp_path))
    assert (status, "region is not set" in err) == (2, True)
