"""The context manager, its endpoint over plain HTTP, and the child process."""

import asyncio
import base64
import json
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from truckstream.errors import InvalidArgumentError, UsageError
from truckstream.local import EndpointError, LocalKinesis, LocalKinesisError, RefusedError

JSON = "application/x-amz-json-1.1"


async def post(url, target, body, content_type=JSON):
    """Send one POST, and return the status, the headers and the body."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers={"X-Amz-Target": target, "Content-Type": content_type}) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


async def test_its_stream_is_active_at_once():
    async with LocalKinesis(stream="trucks", shards=3) as kinesis:
        assert kinesis.stream_name == "trucks"
        assert kinesis.stream_arn == "arn:aws:kinesis:us-east-1:000000000000:stream/trucks"
        assert kinesis.endpoint_url.startswith("http://127.0.0.1:")
        summary = (await kinesis.call("DescribeStreamSummary", StreamARN=kinesis.stream_arn))[
            "StreamDescriptionSummary"
        ]
        assert (summary["StreamStatus"], summary["OpenShardCount"]) == ("ACTIVE", 3)
        assert (await kinesis.stats()).operations == {"DescribeStreamSummary": 1}


async def test_a_response_has_the_form_of_the_service():
    async with LocalKinesis() as kinesis:
        record = {"Data": base64.b64encode(b"hello").decode(), "PartitionKey": "k", "ExplicitHashKey": None}
        body = json.dumps({"StreamName": kinesis.stream_name, "Records": [record]})
        status, headers, answer = await post(kinesis.endpoint_url, "Kinesis_20131202.PutRecords", body)
        assert status == 200
        assert headers["Content-Type"] == JSON
        assert len(headers["x-amzn-RequestId"]) == 36
        stored = json.loads(answer)["Records"][0]
        assert stored["ShardId"] == "shardId-000000000000"
        assert len(stored["SequenceNumber"]) == 56
        status, _, answer = await post(
            kinesis.endpoint_url,
            "Kinesis_20131202.AddTagsToStream",
            json.dumps({"StreamName": kinesis.stream_name, "Tags": {"a": "b"}}),
        )
        assert (status, answer) == (200, b"")


@pytest.mark.parametrize(
    ("target", "content_type", "body", "status", "answer"),
    [
        ("Kinesis_20131202.Levitate", JSON, b"{}", 400, {"__type": "UnknownOperationException"}),
        ("PutRecords", JSON, b"{}", 400, {"__type": "UnknownOperationException"}),
        ("Kinesis_20131202.ListStreams", JSON, b"{", 400, {"__type": "SerializationException"}),
        ("Kinesis_20131202.PutRecords", JSON, b'{"Records": [', 400, {"__type": "SerializationException"}),
        ("Kinesis_20131202.PutRecords", JSON, b'{"Records": "\xff"}', 400, {"__type": "SerializationException"}),
        (
            "Kinesis_20131202.PutRecords",
            JSON,
            b'{"StreamName": "s", "Records": [{"Data": "%%", "PartitionKey": "k"}]}',
            400,
            {"__type": "SerializationException"},
        ),
        (
            "Kinesis_20131202.PutRecords",
            JSON,
            b'{"StreamName": "s", "Records": [{"Data": "eA==", "PartitionKey": 1}]}',
            400,
            {
                "__type": "SerializationException",
                "Message": "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an "
                "String",
            },
        ),
        (
            "Kinesis_20131202.PutRecords",
            JSON,
            b'{"StreamName": "s", "Records": [{"PartitionKey": "k"}]}',
            400,
            {
                "__type": "ValidationException",
                "message": "1 validation error detected: Value null at 'records.1.member.data' failed to satisfy "
                "constraint: Member must not be null",
            },
        ),
    ],
)
async def test_an_invalid_request_is_rejected(target, content_type, body, status, answer):
    async with LocalKinesis() as kinesis:
        got, _, document = await post(kinesis.endpoint_url, target, body, content_type)
    assert got == status
    assert json.loads(document).items() >= answer.items()


async def test_a_client_that_expects_100_continue_gets_it():
    """As curl does with large bodies."""
    async with (
        LocalKinesis() as kinesis,
        aiohttp.ClientSession() as session,
        session.post(
            kinesis.endpoint_url,
            data=b"{}",
            headers={"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": JSON},
            expect100=True,
            timeout=aiohttp.ClientTimeout(5),
        ) as answer,
    ):
        assert json.loads(await answer.read())["StreamNames"] == [kinesis.stream_name]


async def test_a_body_over_the_limit_is_413():
    async with LocalKinesis() as kinesis:
        status, _, document = await post(kinesis.endpoint_url, "Kinesis_20131202.PutRecords", b"x" * (16 * 2**20 + 1))
        assert (status, json.loads(document)["message"]) == (413, "The body of a request has at most 16777216 bytes.")
        status, _, _ = await post(kinesis.endpoint_url, "Kinesis_20131202.ListStreams", b"{}")
        assert status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_a_request_for_no_operation_is_denied(method):
    async with (
        LocalKinesis() as kinesis,
        aiohttp.ClientSession() as session,
        session.request(method, kinesis.endpoint_url + "/whatever") as answer,
    ):
        assert answer.status == 403
        assert "Unable to determine service/operation name to be authorized" in await answer.text()


async def test_the_path_does_not_matter():
    async with LocalKinesis() as kinesis:
        status, _, _ = await post(f"{kinesis.endpoint_url}/any/where", "Kinesis_20131202.ListStreams", b"{}")
    assert status == 200


async def test_an_unknown_control_path_is_404():
    async with (
        LocalKinesis() as kinesis,
        aiohttp.ClientSession() as session,
        session.get(f"{kinesis.endpoint_url}/_truckstream/fault") as answer,
    ):
        assert answer.status == 404
        assert "/_truckstream/fault is none of /_truckstream/call, " in (await answer.json())["message"]


async def test_quotas_follow_the_clock_that_it_is_given():
    """1,000 records fill the first second; half a second later there is room for 500."""
    now = 1_000.0
    async with LocalKinesis(clock=lambda: now) as kinesis:

        async def put(count):
            records = [{"Data": b"x", "PartitionKey": "k"}] * count
            answer = await kinesis.call("PutRecords", StreamName=kinesis.stream_name, Records=records)
            return count - answer["FailedRecordCount"]

        assert [await put(500), await put(500), await put(500)] == [500, 500, 0]
        now += 0.5
        assert [await put(500), await put(500)] == [500, 0]


async def test_without_quotas_it_accepts_everything():
    async with LocalKinesis(quotas=False) as kinesis:
        records = [{"Data": bytes(10_000), "PartitionKey": "k"}] * 500
        for _ in range(4):
            answer = await kinesis.call("PutRecords", StreamName=kinesis.stream_name, Records=records)
            assert answer["FailedRecordCount"] == 0
        assert (await kinesis.stats()).shards["shardId-000000000000"].bytes_in == 4 * 500 * 10_001


async def test_a_child_process_serves_the_same():
    async with LocalKinesis(stream="trucks", shards=2, own_process=True) as kinesis:
        put = await kinesis.call("PutRecord", StreamName="trucks", Data=b"x", PartitionKey="k")
        stats = await kinesis.stats()
        assert stats.shards[put["ShardId"]].records_in == stats.records_in == stats.requests == 1
        with pytest.raises(RefusedError, match="ResourceNotFoundException: Stream x under account"):
            await kinesis.call("DescribeStream", StreamName="x")
        with pytest.raises(UsageError, match="not open in this process"):
            _ = kinesis.service
        process = kinesis._child._process
    assert process.returncode == 0


async def test_before_it_is_open_it_raises_an_error():
    kinesis = LocalKinesis()
    for asked in (kinesis.stats(), kinesis.clear_faults(), kinesis.call("ListStreams")):
        with pytest.raises(UsageError, match="not open"):
            await asked


async def test_a_taken_port_is_an_error():
    async with LocalKinesis() as first:
        port = int(first.endpoint_url.rpartition(":")[2])
        with pytest.raises(EndpointError, match=f"cannot listen on 127.0.0.1 port {port}"):
            await LocalKinesis(port=port).__aenter__()
        with pytest.raises(LocalKinesisError, match=f"cannot listen on 127.0.0.1 port {port}"):
            await LocalKinesis(port=port, own_process=True).__aenter__()


@pytest.mark.parametrize("options", [{"shards": 0}, {"clock": lambda: 0.0, "own_process": True}])
def test_wrong_arguments_are_rejected(options):
    with pytest.raises(InvalidArgumentError):
        LocalKinesis(**options)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
async def test_the_program_ends_cleanly_on_a_signal(signal_number):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "truckstream.local", '--options={"shards": 2, "stream": "mine", "quotas": false}'),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    started = json.loads(await process.stdout.readline())
    assert started["stream_name"] == "mine"
    assert started["endpoint_url"].endswith(f":{started['port']}")
    process.send_signal(signal_number)
    rest, errors = await process.communicate()
    assert (process.returncode, rest, errors) == (0, b"", b"")


async def test_the_child_ends_when_its_parent_is_killed():
    """A killed parent cannot clean up, but the child notices that its standard input closes."""
    code = """
import asyncio, sys
from truckstream.local import LocalKinesis
async def main():
    async with LocalKinesis(own_process=True) as kinesis:
        print(kinesis._child._process.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    for _ in range(100):
        if not is_running(child):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the child runs on")


def is_running(pid):
    """Return whether the process is running. An orphan that ended can stay a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
