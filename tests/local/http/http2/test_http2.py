"""The endpoint over HTTP/2: large bodies through small windows, concurrent requests, resets and subscriptions."""

import asyncio
import json
import ssl
from contextlib import asynccontextmanager

import pytest
import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

from tests.local.raw_http import JSON, port_of
from truckstream.local import Fault, LocalKinesis

SHARD = "shardId-000000000000"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture
async def kinesis():
    async with LocalKinesis(stream="s", quotas=False) as local:
        yield local


class Client:
    """A minimal HTTP/2 client with the protocol's default windows of 65,535 bytes."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._http2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http2.initiate_connection()
        self._happened = asyncio.Condition()
        self.responses = {}
        self._flush()

    @property
    def protocol(self):
        return self._writer.get_extra_info("ssl_object").selected_alpn_protocol()

    def _flush(self):
        self._writer.write(self._http2.data_to_send())

    async def receive(self):
        """Receive from the server until it closes the connection."""
        while data := await self._reader.read(2**16):
            for event in self._http2.receive_data(data):
                self._take(event)
            self._flush()
            async with self._happened:
                self._happened.notify_all()

    def _take(self, event):
        match event:
            case ResponseReceived():
                self.responses[event.stream_id] = {"headers": dict(event.headers), "body": b"", "end": ""}
            case DataReceived():
                self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.responses[event.stream_id]["body"] += event.data
            case StreamEnded():
                self.responses[event.stream_id]["end"] = "whole"
            case StreamReset():
                self.responses.setdefault(event.stream_id, {"headers": {}, "body": b""})["end"] = "reset"

    async def send(self, operation, **members):
        """Send a request, and return the number of its stream."""
        number = self._http2.get_next_available_stream_id()
        target = {"x-amz-target": f"Kinesis_20131202.{operation}", "content-type": JSON}
        pseudo = {":method": "POST", ":scheme": "http", ":authority": "localhost", ":path": "/"}
        self._http2.send_headers(number, [*pseudo.items(), *target.items()])
        left = json.dumps(members).encode()
        while left:
            room = min(self._http2.local_flow_control_window(number), self._http2.max_outbound_frame_size)
            if room:
                self._http2.send_data(number, left[:room])
                left = left[room:]
                self._flush()
            else:
                await self.happens(lambda: self._http2.local_flow_control_window(number) > 0)
        self._http2.end_stream(number)
        self._flush()
        return number

    async def happens(self, condition):
        async with self._happened:
            await self._happened.wait_for(condition)

    async def __call__(self, operation, **members):
        """Return the document of the response, or "reset" if its stream was reset."""
        number = await self.send(operation, **members)
        await self.happens(lambda: self.responses.get(number, {}).get("end"))
        response = self.responses[number]
        return json.loads(response["body"] or b"null") if response["end"] == "whole" else response["end"]

    def give_up(self, number):
        self._http2.reset_stream(number)
        self._flush()


@asynccontextmanager
async def connected(kinesis, context=None):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(kinesis), ssl=context)
    client = Client(reader, writer)
    receiving = asyncio.create_task(client.receive())
    yield client
    receiving.cancel()
    writer.close()


async def read(client):
    iterator = await client("GetShardIterator", StreamName="s", ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")
    return (await client("GetRecords", ShardIterator=iterator["ShardIterator"]))["Records"]


async def test_a_large_request_and_response_fit_through_small_windows(kinesis):
    records = [{"Data": "A" * 1_000_000, "PartitionKey": "k"}] * 8
    async with connected(kinesis) as client:
        assert (await client("PutRecords", StreamName="s", Records=records))["FailedRecordCount"] == 0
        assert [record["Data"] for record in await read(client)] == ["A" * 1_000_000] * 8


async def test_responses_of_one_connection_have_the_numbers_of_their_requests(kinesis):
    async with connected(kinesis) as client:
        keys = [f"K{number}" for number in range(50)]
        puts = [client("PutRecord", StreamName="s", Data="QQ==", PartitionKey=key) for key in keys]
        numbers = [response["SequenceNumber"] for response in await asyncio.gather(*puts)]
        found = {record["SequenceNumber"]: record["PartitionKey"] for record in await read(client)}
        assert [found[number] for number in numbers] == keys


async def test_an_error_has_its_status_and_headers(kinesis):
    async with connected(kinesis) as client:
        response = await client("DescribeStreamSummary", StreamName="unknown")
        assert response["__type"] == "ResourceNotFoundException"
        headers = client.responses[1]["headers"]
        assert (headers[":status"], headers["content-type"]) == ("400", JSON)
        assert not {"connection", "transfer-encoding"} & headers.keys()


async def test_a_body_over_the_limit_is_rejected_and_the_connection_stays_open(kinesis):
    async with connected(kinesis) as client:
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
    async with connected(kinesis) as client:
        assert (await client("ListStreams"))["StreamNames"] == ["s"]


@pytest.mark.parametrize("kind", ["reset-before", "reset-request", "reset-after", "reset-answer"])
async def test_a_fault_resets_its_stream_and_the_connection_stays_open(kinesis, kind):
    await kinesis.inject(Fault(kind, operations=("PutRecord",), count=1))
    async with connected(kinesis) as client:
        put = {"StreamName": "s", "Data": "QQ==", "PartitionKey": "k"}
        assert await client("PutRecord", **put) == "reset"
        assert (await client("PutRecord", **put))["ShardId"] == SHARD
        assert len(await read(client)) == (2 if kind in {"reset-after", "reset-answer"} else 1)


async def test_a_subscription_sends_events_until_its_consumer_disconnects(kinesis):
    async with connected(kinesis) as client:
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
        async with connected(kinesis, context) as client:
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
            async with connected(kinesis, context) as client:
                responses = [await client("PutRecord", **put) for _ in range(2)]
                return responses[0], responses[1]["ShardId"], len(await read(client))

    assert uvloop.run(course()) == ("reset", SHARD, 2)


async def test_it_closes_while_clients_are_connected():
    async with LocalKinesis(stream="s") as kinesis:
        silent = await asyncio.open_connection("127.0.0.1", port_of(kinesis))
        context = connected(kinesis)
        client = await context.__aenter__()
        await client("ListStreams")
    assert await silent[0].read() == b""
    silent[1].close()
    await context.__aexit__(None, None, None)
