"""Subscriptions to the local Kinesis over HTTP/2: pages, ends, errors, faults, backpressure."""

import asyncio
import contextlib
import socket
import sys

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded, StreamReset, WindowUpdated

from tests.kinesis.servers import listening
from tests.kinesis.support import Record, client_of
from truckstream.errors import ConfigurationError
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.fan_out import http2_connection, subscription
from truckstream.kinesis.reading.position import Position
from truckstream.local import LocalKinesis, VirtualClock
from truckstream.local.faults import Fault
from truckstream.local.protocol import event_stream

TRIM_HORIZON = Position("TRIM_HORIZON")
SHARD = "shardId-000000000000"

pytestmark = pytest.mark.usefixtures("fake_credentials")


async def failure_of(awaitable):
    with pytest.raises(RequestFailedError) as caught:
        await awaitable
    return caught.value


@contextlib.asynccontextmanager
async def consumer_of(kinesis, **options):
    """A client, and the ARN of a consumer that is ACTIVE."""
    async with client_of(kinesis.endpoint_url, kinesis.stream_name, **options) as client:
        yield client, await client.register_consumer("lake")


async def read_records(pages, count):
    """Return the first `count` records and their last page."""
    records = []
    async for page in pages:
        records += page.records
        if len(records) >= count:
            return records, page
    raise AssertionError(f"the subscription ended after {len(records)} records")


async def test_records_come_in_order_and_a_new_subscription_goes_on_after_them():
    clock = VirtualClock()
    async with LocalKinesis(quotas=False, clock=clock) as kinesis, consumer_of(kinesis) as (client, arn):
        await client.put_records([Record(b"a"), Record(b"b")])
        async with contextlib.aclosing(client.subscribe(arn, SHARD, TRIM_HORIZON)) as pages:
            records, page = await read_records(pages, 2)
            await client.put_records([Record(b"c")])
            more, page = await read_records(pages, 1)
        clock.advance(6)
        await client.put_records([Record(b"d")])
        position = Position("AFTER_SEQUENCE_NUMBER", sequence_number=page.continuation)
        async with contextlib.aclosing(client.subscribe(arn, SHARD, position)) as pages:
            rest, _ = await read_records(pages, 1)
    assert [record.data for record in records + more + rest] == [b"a", b"b", b"c", b"d"]
    assert {record.shard_id for record in records} == {SHARD}
    assert page.size > 0


async def test_the_end_of_a_shard_names_its_children_and_ends_the_subscription():
    async with LocalKinesis(quotas=False) as kinesis, consumer_of(kinesis) as (client, arn):
        await client.put_records([Record(b"a")])
        await kinesis.call("SplitShard", StreamName=kinesis.stream_name, ShardToSplit=SHARD, NewStartingHashKey="7")
        pages = [page async for page in client.subscribe(arn, SHARD, TRIM_HORIZON)]
    assert [record.data for page in pages for record in page.records] == [b"a"]
    assert pages[-1].continuation is None
    assert [child.parent_ids for child in pages[-1].children] == [(SHARD,), (SHARD,)]


async def test_a_subscription_ends_after_five_minutes():
    clock = VirtualClock()
    async with LocalKinesis(clock=clock) as kinesis, consumer_of(kinesis) as (client, arn):
        pages = client.subscribe(arn, SHARD, TRIM_HORIZON)
        first = await anext(pages)
        clock.advance(300)
        rest = [page async for page in pages]
    assert first.continuation is not None
    assert [page.records for page in rest] == []


async def test_many_subscriptions_share_a_connection_up_to_the_limit(monkeypatch):
    """The local Kinesis allows 100 streams on a connection; here a connection has room for three."""
    room = property(lambda self: self.is_open and len(self._streams) < 3)
    monkeypatch.setattr(http2_connection.SubscriptionConnection, "has_room", room)
    async with LocalKinesis(shards=8) as kinesis, consumer_of(kinesis) as (client, arn):
        shards = [shard.shard_id for shard in await client.list_shards()]
        subscriptions = [client.subscribe(arn, shard_id, TRIM_HORIZON) for shard_id in shards]
        await asyncio.gather(*(anext(pages) for pages in subscriptions))
        [pool] = client._endpoint._http2_pools.values()
        assert [len(connection._streams) for connection in pool._connections] == [3, 3, 2]
        for pages in subscriptions:
            await pages.aclose()
        assert [len(connection._streams) for connection in pool._connections] == [0, 0, 0]


async def test_tls(monkeypatch):
    async with LocalKinesis(tls=True, check_signatures=True) as kinesis:
        session = get_session()
        keys = kinesis.credentials[0]
        session.set_credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
        monkeypatch.setenv("AWS_CA_BUNDLE", kinesis.ca_file)
        async with consumer_of(kinesis, session=session) as (client, arn):
            await client.put_records([Record(b"a")])
            async with contextlib.aclosing(client.subscribe(arn, SHARD, TRIM_HORIZON)) as pages:
                records, _ = await read_records(pages, 1)
    assert [record.data for record in records] == [b"a"]


async def test_a_large_event():
    """Events of 2 MiB are larger than the window of a stream."""
    async with LocalKinesis(quotas=False) as kinesis, consumer_of(kinesis) as (client, arn):
        data = [bytes([number]) * 1_000_000 for number in range(6)]
        for each in data:
            await client.put_records([Record(each)])
        async with contextlib.aclosing(client.subscribe(arn, SHARD, TRIM_HORIZON)) as pages:
            records, page = await read_records(pages, 6)
    assert [record.data for record in records] == data
    assert page.size > http2_connection.STREAM_WINDOW


# --- Errors and faults -----------------------------------------------------------------------------


async def test_refused_subscriptions():
    """Without quotas, because each consumer may call SubscribeToShard five times a second."""
    async with LocalKinesis(quotas=False) as kinesis, consumer_of(kinesis) as (client, arn):
        unknown = await failure_of(anext(client.subscribe(arn, "shardId-000000000009", TRIM_HORIZON)))
        nobody = await failure_of(anext(client.subscribe(arn[:-1] + "x", SHARD, TRIM_HORIZON)))
        first = client.subscribe(arn, SHARD, TRIM_HORIZON)
        await anext(first)
        second = await failure_of(anext(client.subscribe(arn, SHARD, TRIM_HORIZON)))
        await first.aclose()
    assert (unknown.kind, unknown.code) == (FailureKind.PERMANENT, "ResourceNotFoundException")
    assert nobody.kind in {FailureKind.PERMANENT, FailureKind.POISONED}
    assert (second.kind, second.code) == (FailureKind.THROTTLED, "ResourceInUseException")


async def test_a_subscription_that_another_one_takes_over():
    clock = VirtualClock()
    async with LocalKinesis(clock=clock) as kinesis, consumer_of(kinesis) as (client, arn):
        first = client.subscribe(arn, SHARD, TRIM_HORIZON)
        await anext(first)
        clock.advance(6)
        second = client.subscribe(arn, SHARD, TRIM_HORIZON)
        await anext(second)
        failure = await failure_of(read_records(first, 1))  # perhaps after an event without records
        await second.aclose()
    assert failure.code == "ResourceInUseException"


@pytest.mark.parametrize("kind", ["reset-before", "reset-after", "error-before", "error-after", "access-denied"])
async def test_a_fault_fails_one_subscription(kind):
    async with LocalKinesis() as kinesis, consumer_of(kinesis) as (client, arn):
        await kinesis.inject(Fault(kind, count=1, operations=("SubscribeToShard",)))
        await client.put_records([Record(b"a")])
        failure = await failure_of(anext(client.subscribe(arn, SHARD, TRIM_HORIZON)))
        another = await client.register_consumer("another")  # the first one may have its subscription already
        async with contextlib.aclosing(client.subscribe(another, SHARD, TRIM_HORIZON)) as pages:
            records, _ = await read_records(pages, 1)
    assert failure.kind is (FailureKind.PERMANENT if kind == "access-denied" else FailureKind.AMBIGUOUS)
    assert [record.data for record in records] == [b"a"]


async def test_a_service_that_never_responds():
    async with LocalKinesis() as kinesis, consumer_of(kinesis, request_timeout=1.0) as (client, arn):
        await kinesis.inject(Fault("stall", count=1, operations=("SubscribeToShard",)))
        failure = await failure_of(anext(client.subscribe(arn, SHARD, TRIM_HORIZON)))
        async with contextlib.aclosing(client.subscribe(arn, SHARD, TRIM_HORIZON)) as pages:
            assert (await anext(pages)).records == []  # over a new connection: the first one seemed dead
    assert (failure.kind, failure.message) == (FailureKind.AMBIGUOUS, "1 s without a response")


async def test_a_silent_subscription_fails(monkeypatch):
    monkeypatch.setattr(subscription, "SILENCE_SECONDS", 0.2)
    async with (
        LocalKinesis(clock=VirtualClock()) as kinesis,  # its time stands still, so it sends one event
        consumer_of(kinesis) as (client, arn),
    ):
        pages = client.subscribe(arn, SHARD, TRIM_HORIZON)
        failure = await failure_of(read_records(pages, 1))
    assert (failure.kind, failure.message) == (FailureKind.AMBIGUOUS, "0.2 s of silence")


async def test_the_server_goes_away():
    async with contextlib.AsyncExitStack() as stack:
        kinesis = await stack.enter_async_context(LocalKinesis())
        client, arn = await stack.enter_async_context(consumer_of(kinesis))
        pages = client.subscribe(arn, SHARD, TRIM_HORIZON)
        await anext(pages)
        await kinesis.__aexit__(None, None, None)
        failure = await failure_of(read_records(pages, 1))
    assert failure.kind is FailureKind.AMBIGUOUS


async def test_closing_the_client_fails_its_subscriptions():
    async with LocalKinesis() as kinesis:
        async with consumer_of(kinesis) as (client, arn):
            pages = client.subscribe(arn, SHARD, TRIM_HORIZON)
            await anext(pages)
            waiting = asyncio.ensure_future(anext(pages))
            await asyncio.sleep(0)
        failure = await failure_of(waiting)
    assert (failure.kind, failure.code) == (FailureKind.AMBIGUOUS, "Closed")


async def test_a_cancelled_reader_resets_its_stream():
    async with LocalKinesis() as kinesis, consumer_of(kinesis) as (client, arn):
        pages = client.subscribe(arn, SHARD, TRIM_HORIZON)
        await anext(pages)
        [connection] = next(iter(client._endpoint._http2_pools.values()))._connections
        assert len(connection._streams) == 1
        waiting = asyncio.ensure_future(anext(pages))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert connection._streams == {}
        assert connection.is_open


# --- A server of frames ----------------------------------------------------------------------------


class FrameServer:
    """Accepts one subscription, and records what the client's side of HTTP/2 does."""

    def __init__(self):
        self.http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.events = []
        self.changed = asyncio.Event()
        self.requested = asyncio.Event()

    async def serve(self, reader, writer):
        self.writer = writer
        self.http2.initiate_connection()
        self.flush()
        while data := await self.read(reader):
            for event in self.http2.receive_data(data):
                self.events.append(event)
                if isinstance(event, StreamEnded):
                    self.http2.send_headers(event.stream_id, [(":status", "200")])
                    self.requested.set()
            self.flush()
            self.changed.set()

    @staticmethod
    async def read(reader):
        try:
            return await reader.read(65_536)
        except ConnectionError:
            return b""

    def flush(self):
        self.writer.write(self.http2.data_to_send())

    async def send(self, data):
        """Send as much as flow control allows, and return the number of bytes."""
        sent = 0
        while room := min(
            self.http2.local_flow_control_window(1), self.http2.max_outbound_frame_size, len(data) - sent
        ):
            self.http2.send_data(1, data[sent : sent + room])
            sent += room
        self.flush()
        await self.writer.drain()
        return sent

    @property
    def opened(self):
        """Bytes by which the client has opened the stream's window."""
        return sum(each.delta for each in self.events if isinstance(each, WindowUpdated) and each.stream_id)

    async def until(self, kind):
        while not any(isinstance(event, kind) for event in self.events):
            self.changed.clear()
            await self.changed.wait()


@contextlib.asynccontextmanager
async def frame_server():
    server = FrameServer()
    async with listening(server.serve) as port, client_of(f"http://127.0.0.1:{port}") as client:
        yield server, client


def event_of(size):
    return event_stream.event("SubscribeToShardEvent", b'{"Records":[],"X":"%b"}' % (b"x" * size), "json")


async def test_a_reader_that_is_busy_stops_the_service():
    """No more than one window is sent until the reader asks for the next page, and then more."""
    async with frame_server() as (server, client):
        pages = client.subscribe("arn", "shard", TRIM_HORIZON)
        first = asyncio.ensure_future(anext(pages))
        await server.requested.wait()
        assert server.http2.max_outbound_frame_size == http2_connection.MAX_FRAME_BYTES
        assert server.http2.remote_settings.initial_window_size == http2_connection.STREAM_WINDOW
        event = event_of(200_000)
        await server.send(event)
        await first
        flood, sent = event * 20, 0
        for _ in range(5):  # the client's loop runs, and its reader does not
            sent += await server.send(flood[sent:])
            await asyncio.sleep(0.02)
        assert server.opened <= len(event)  # only for the page that was taken
        assert sent <= http2_connection.STREAM_WINDOW
        await anext(pages)
        while not (more := await server.send(flood[sent:])):
            server.changed.clear()
            await server.changed.wait()
        assert more > 0
        await pages.aclose()
        await server.until(StreamReset)


async def test_a_stream_that_ends_within_an_event():
    async with frame_server() as (server, client):
        pages = client.subscribe("arn", "shard", TRIM_HORIZON)
        first = asyncio.ensure_future(anext(pages))
        await server.requested.wait()
        await server.send(event_of(10)[:-1])
        server.http2.end_stream(1)
        server.flush()
        failure = await failure_of(first)
    assert (failure.kind, failure.code) == (FailureKind.AMBIGUOUS, "MalformedResponse")


async def test_the_service_resets_a_stream():
    async with frame_server() as (server, client):
        pages = client.subscribe("arn", "shard", TRIM_HORIZON)
        first = asyncio.ensure_future(anext(pages))
        await server.requested.wait()
        await server.send(event_of(10))
        server.http2.reset_stream(1, 2)
        server.flush()
        assert (await first).records == []  # the event before the reset counts
        failure = await failure_of(anext(pages))
    assert (failure.kind, failure.code) == (FailureKind.AMBIGUOUS, "StreamReset")


@pytest.mark.parametrize("respond", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b""])
async def test_an_endpoint_without_http2(respond):
    async def serve(reader, writer):
        await reader.read(10)
        writer.write(respond)
        writer.close()

    async with listening(serve) as port, client_of(f"http://127.0.0.1:{port}") as client:
        failure = await failure_of(anext(client.subscribe("arn", "shard", TRIM_HORIZON)))
    assert failure.kind is FailureKind.NOT_SENT


async def test_an_endpoint_whose_tls_does_not_offer_http2(tls, ca_file, monkeypatch):
    async def serve(reader, _writer):
        await reader.read()

    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)
    async with listening(serve, tls) as port, client_of(f"https://127.0.0.1:{port}") as client:
        failure = await failure_of(anext(client.subscribe("arn", "shard", TRIM_HORIZON)))
    assert (failure.kind, failure.code) == (FailureKind.PERMANENT, "NoHttp2")


async def test_a_closed_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client_of(f"http://127.0.0.1:{unused.getsockname()[1]}") as client:
            failure = await failure_of(anext(client.subscribe("arn", "shard", TRIM_HORIZON)))
    assert failure.kind is FailureKind.NOT_SENT


# --- Settings that exclude fan-out -------------------------------------------------------------------


async def test_a_proxy_is_refused_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.test:3128")
    async with client_of("https://kinesis.test") as client:
        with pytest.raises(ConfigurationError, match=r"through a proxy \(http://proxy.test:3128\)") as caught:
            await anext(client.subscribe("arn", "shard", TRIM_HORIZON))
    assert "secret" not in str(caught.value)


async def test_connector_args_are_refused():
    session = get_session()
    session.set_default_client_config(AioConfig(connector_args={"use_dns_cache": False}))
    async with client_of("http://kinesis.test", session=session) as client:
        with pytest.raises(ConfigurationError, match="connector_args"):
            await anext(client.subscribe("arn", "shard", TRIM_HORIZON))


async def test_a_missing_h2_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "truckstream.kinesis.fan_out.http2_pool", None)
    async with client_of("http://kinesis.test") as client:
        with pytest.raises(ConfigurationError, match=r"pip install 'truckstream\[fan-out\]'"):
            await anext(client.subscribe("arn", "shard", TRIM_HORIZON))
