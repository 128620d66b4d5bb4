"""The endpoint over HTTP/2: large bodies through small windows, concurrent requests, resets and subscriptions."""

import asyncio
import ssl

import pytest
import uvloop

from tests.local.http.http2_client import http2_client
from tests.local.raw_http import JSON, port_of
from truckstream.local import Fault, LocalKinesis

SHARD = "shardId-000000000000"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture
async def kinesis():
    async with LocalKinesis(stream="s", quotas=False) as local:
        yield local


async def read(client):
    iterator = await client("GetShardIterator", StreamName="s", ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")
    return (await client("GetRecords", ShardIterator=iterator["ShardIterator"]))["Records"]


async def test_a_large_request_and_response_fit_through_small_windows(kinesis):
    records = [{"Data": "A" * 1_000_000, "PartitionKey": "k"}] * 8
    async with http2_client(port_of(kinesis)) as client:
        assert (await client("PutRecords", StreamName="s", Records=records))["FailedRecordCount"] == 0
        assert [record["Data"] for record in await read(client)] == ["A" * 1_000_000] * 8


async def test_responses_of_one_connection_have_the_numbers_of_their_requests(kinesis):
    async with http2_client(port_of(kinesis)) as client:
        keys = [f"K{number}" for number in range(50)]
        puts = [client("PutRecord", StreamName="s", Data="QQ==", PartitionKey=key) for key in keys]
        numbers = [response["SequenceNumber"] for response in await asyncio.gather(*puts)]
        found = {record["SequenceNumber"]: record["PartitionKey"] for record in await read(client)}
        assert [found[number] for number in numbers] == keys


async def test_an_error_has_its_status_and_headers(kinesis):
    async with http2_client(port_of(kinesis)) as client:
        response = await client("DescribeStreamSummary", StreamName="unknown")
        assert response["__type"] == "ResourceNotFoundException"
        headers = client.responses[1]["headers"]
        assert (headers[":status"], headers["content-type"]) == ("400", JSON)
        assert not {"connection", "transfer-encoding"} & headers.keys()


async def test_a_body_over_the_limit_is_rejected_and_the_connection_stays_open(kinesis):
    async with http2_client(port_of(kinesis)) as client:
        response = await client("PutRecord", StreamName="s", Data="A" * 17_000_000, PartitionKey="k")
        assert (response["__type"], client.responses[1]["headers"][":status"]) == ("RequestEntityTooLarge", "413")
        assert (await client("PutRecord", StreamName="s", Data="QQ==", PartitionKey="k"))["ShardId"] == SHARD


@pytest.mark.parametrize(
    "frames",
    [b"\x00\x00\x04\x00\x00\x00\x00\x00\x01data", b"\x00\x00\x03\x01\x05\x00\x00\x00\x01\x00\x01\xff"],
    ids=["no stream", "header"],
)
async def test_invalid_frames_after_the_preface_close_the_connection(kinesis, frames):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(kinesis))
    writer.write(PREFACE + frames)
    assert b"\x00\x00" in await asyncio.wait_for(reader.read(), 5)
    writer.close()
    async with http2_client(port_of(kinesis)) as client:
        assert (await client("ListStreams"))["StreamNames"] == ["s"]


@pytest.mark.parametrize("kind", ["reset-before", "reset-request", "reset-after", "reset-answer"])
async def test_a_fault_resets_its_stream_and_the_connection_stays_open(kinesis, kind):
    await kinesis.inject(Fault(kind, operations=("PutRecord",), count=1))
    async with http2_client(port_of(kinesis)) as client:
        put = {"StreamName": "s", "Data": "QQ==", "PartitionKey": "k"}
        assert await client("PutRecord", **put) == "reset"
        assert (await client("PutRecord", **put))["ShardId"] == SHARD
        assert len(await read(client)) == (2 if kind in {"reset-after", "reset-answer"} else 1)


async def test_a_subscription_sends_events_until_its_consumer_disconnects(kinesis):
    async with http2_client(port_of(kinesis)) as client:
        consumer = await client("RegisterStreamConsumer", StreamARN=kinesis.stream_arn, ConsumerName="reader")
        arn, position = consumer["Consumer"]["ConsumerARN"], {"Type": "TRIM_HORIZON"}
        members = {"ConsumerARN": arn, "ShardId": SHARD, "StartingPosition": position}
        number = await client.send("SubscribeToShard", **members)
        await client("PutRecord", StreamName="s", Data="aGVsbG8=", PartitionKey="k")
        await client.happens(lambda: b"aGVsbG8=" in client.responses.get(number, {"body": b""})["body"])
        client.give_up(number)
        assert await client("PutRecord", StreamName="s", Data="QQ==", PartitionKey="k")


@pytest.mark.parametrize("request_line", [PREFACE, b"PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n"])
async def test_the_first_bytes_decide_the_version_however_they_are_split(kinesis, request_line):
    """The server answers HTTP/2 with a SETTINGS frame, and HTTP/1.1 with a status line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(kinesis))
    for octet in request_line:
        writer.write(bytes([octet]))
        await asyncio.sleep(0)
    first = await reader.readexactly(9)
    writer.close()
    assert first == b"HTTP/1.1 " if request_line.startswith(b"PUT") else first[3] == 4


async def test_https_negotiates_it_before_the_first_request():
    async with LocalKinesis(stream="s", tls=True) as kinesis:
        context = ssl.create_default_context(cafile=kinesis.ca_file)
        context.set_alpn_protocols(["h2"])
        async with http2_client(port_of(kinesis), context) as client:
            assert client.protocol == "h2"
            assert (await client("ListStreams"))["StreamNames"] == ["s"]


@pytest.mark.parametrize("tls", [False, True])
def test_it_runs_on_uvloop_as_well(tls):
    """The command uses uvloop, which has transports and TLS of its own."""

    async def course():
        async with LocalKinesis(stream="s", tls=tls) as kinesis:
            context = None
            if tls:
                context = ssl.create_default_context(cafile=kinesis.ca_file)
                context.set_alpn_protocols(["h2"])
            put = {"StreamName": "s", "Data": "A" * 500_000, "PartitionKey": "k"}
            await kinesis.inject(Fault("reset-after", operations=("PutRecord",), count=1))
            async with http2_client(port_of(kinesis), context) as client:
                responses = [await client("PutRecord", **put) for _ in range(2)]
                return responses[0], responses[1]["ShardId"], len(await read(client))

    assert uvloop.run(course()) == ("reset", SHARD, 2)


async def test_it_closes_while_clients_are_connected():
    async with LocalKinesis(stream="s") as kinesis:
        silent = await asyncio.open_connection("127.0.0.1", port_of(kinesis))
        context = http2_client(port_of(kinesis))
        client = await context.__aenter__()
        await client("ListStreams")
    assert await silent[0].read() == b""
    silent[1].close()
    await context.__aexit__(None, None, None)
