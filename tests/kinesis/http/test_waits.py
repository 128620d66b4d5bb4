"""Every wait for the service, a proxy or credentials ends, and the failure is true about what was sent.

The servers of these tests keep silent for ever, or send for ever. So a wait without an end fails by pytest's timeout,
and no result depends on how fast this machine is.
"""

import asyncio
import contextlib

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.kinesis.servers import http_response, listening, read_slowly, serving, stored
from tests.kinesis.support import RECORDS, Record, client_of
from truckstream.kinesis import signed_calls
from truckstream.kinesis.attempt import Attempt, current_attempt
from truckstream.kinesis.failures import FailureKind, RequestFailedError

pytestmark = pytest.mark.usefixtures("fake_credentials")

#: More than the kernel buffers for a connection that the other side does not read.
LARGE = [Record(bytes(8 << 20)), Record(bytes(8 << 20))]


async def for_ever(*_arguments):
    await asyncio.Event().wait()


@pytest.fixture(params=["own connections", "aiohttp"])
def session(request):
    """Sessions whose requests go over connections of our own, and through aiohttp."""
    session = get_session()
    if request.param == "aiohttp":
        session.set_default_client_config(AioConfig(connector_args={"use_dns_cache": False}))
    return session


async def failure_of(call):
    with pytest.raises(RequestFailedError) as caught:
        await call
    return caught.value


# --- Before sending -------------------------------------------------------------------------------


async def test_a_proxy_that_never_responds_to_connect(monkeypatch):
    async with listening(for_ever) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        async with client_of("https://kinesis.test", request_timeout=0.3) as client:
            failure = await failure_of(client.put_records(RECORDS))
    assert (failure.kind, failure.message) == (FailureKind.NOT_SENT, "no connection within 0.3 s")


async def test_a_tls_handshake_behind_a_proxy_that_does_not_end(monkeypatch):
    connected = asyncio.Event()

    async def connect_to_silence(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        connected.set()
        await for_ever()

    async with listening(connect_to_silence) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        async with client_of("https://kinesis.test", request_timeout=0.3) as client:
            failure = await failure_of(client.put_records(RECORDS))
    assert connected.is_set()
    assert failure.kind is FailureKind.NOT_SENT


def session_that_hangs(*, times):
    """A session whose first calls for credentials never end."""
    session = get_session()
    session.set_credentials("GIVEN", "s")
    working, calls = session.get_credentials, []

    async def get_credentials():
        calls.append(None)
        if len(calls) <= times:
            await for_ever()
        return await working()

    session.get_credentials = get_credentials
    return session


async def test_credentials_that_never_come(monkeypatch):
    monkeypatch.setattr(signed_calls, "CREDENTIALS_SECONDS", 0.2)
    session = session_that_hangs(times=1)
    async with serving() as server, client_of(server.url, session=session, request_timeout=0.1) as client:
        failure = await failure_of(client.put_records(RECORDS))
        assert (failure.kind, failure.message) == (FailureKind.CREDENTIALS, "no credentials within 0.2 s")
        assert server.received == []
        assert len(await client.put_records(RECORDS)) == 2


async def test_credentials_may_take_longer_than_a_response():
    session = get_session()
    session.set_credentials("GIVEN", "s")
    working = session.get_credentials

    async def get_credentials():
        await asyncio.sleep(0.3)
        return await working()

    session.get_credentials = get_credentials
    async with serving() as server, client_of(server.url, session=session, request_timeout=0.2) as client:
        assert len(await client.put_records(RECORDS)) == 2


async def test_a_withdrawn_attempt_sends_nothing_and_keeps_its_connection(session):
    session.set_credentials("GIVEN", "s")
    working = session.get_credentials
    asked, release = asyncio.Event(), asyncio.Event()

    async def get_credentials():
        asked.set()
        await release.wait()
        return await working()

    session.get_credentials = get_credentials
    async with serving() as server, client_of(server.url, session=session) as client:
        attempt = Attempt()
        current_attempt.set(attempt)
        call = asyncio.create_task(client.put_records(RECORDS))
        await asked.wait()
        assert attempt.withdraw()
        release.set()
        failure = await failure_of(call)
        assert failure.kind is FailureKind.NOT_SENT
        assert [received.operation for received in server.received] == []
        current_attempt.set(Attempt())
        assert len(await client.put_records(RECORDS)) == 2
    assert [received.operation for received in server.received] == ["PutRecords"]


async def test_the_connection_of_a_withdrawn_attempt_is_used_by_the_next():
    session = session_that_hangs(times=0)
    attempts = [Attempt(), Attempt()]
    working = session.get_credentials

    async def get_credentials():
        attempts[0].withdraw()
        return await working()

    session.get_credentials = get_credentials
    async with serving() as server, client_of(server.url, session=session) as client:
        current_attempt.set(attempts[0])
        await failure_of(client.put_records(RECORDS))
        current_attempt.set(attempts[1])
        assert len(await client.put_records(RECORDS)) == 2
    assert server.connections == 1


# --- While sending --------------------------------------------------------------------------------


async def test_a_request_that_is_cut_off_on_a_slow_uplink_was_not_sent():
    """The kernel takes a little all the time, so only the caller's deadline ends it."""

    async def read_too_slowly(reader, _writer):
        while await reader.read(1_000):  # noqa: ASYNC110 - it is slow, and waits for nothing
            await asyncio.sleep(0.05)

    async with listening(read_too_slowly, limit=1_000) as port, client_of(f"http://127.0.0.1:{port}") as client:
        attempt = Attempt()
        current_attempt.set(attempt)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await client.put_records(LARGE)
    assert not attempt.may_have_arrived
    assert attempt.progress == "before its last byte was sent"


async def test_a_request_that_is_cut_off_after_it_was_sent_may_have_arrived(session):
    arrived = asyncio.Event()

    async def keep_silent(_received):
        arrived.set()
        await for_ever()

    async with serving(keep_silent) as server, client_of(server.url, session=session) as client:
        attempt = Attempt()
        current_attempt.set(attempt)
        call = asyncio.create_task(client.put_records(RECORDS))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert attempt.may_have_arrived


async def test_a_server_that_takes_no_more_of_a_request(session):
    async def read_the_head(reader, _writer):
        await reader.readuntil(b"\r\n\r\n")
        await for_ever()

    async with (
        listening(read_the_head, limit=1_000) as port,
        client_of(f"http://127.0.0.1:{port}", session=session, request_timeout=0.3) as client,
    ):
        failure = await failure_of(client.put_records(LARGE))
    assert failure.code == "TimeoutError"
    assert failure.kind in {FailureKind.NOT_SENT, FailureKind.AMBIGUOUS}  # aiohttp does not know how much has left


async def test_a_large_request_over_a_slow_uplink_is_sent_through_aiohttp_too():
    """It takes longer than the time for a response, and each part of it takes less."""
    session = get_session()
    session.set_default_client_config(AioConfig(connector_args={"use_dns_cache": False}))
    done = asyncio.Event()

    async def serve(reader, writer):
        await read_slowly(reader)
        done.set()
        writer.write(http_response(body={"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1"}] * 2}))
        await writer.drain()

    async with (
        listening(serve, limit=1 << 19) as port,
        client_of(f"http://127.0.0.1:{port}", session=session, request_timeout=0.8) as client,
    ):
        assert len(await client.put_records(LARGE)) == 2


# --- The response ---------------------------------------------------------------------------------


async def test_a_response_that_drips(session):
    """Each byte would renew a timeout for silence."""

    async def drip(reader, writer):
        await reader.readuntil(b"]}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with (
        listening(drip) as port,
        client_of(f"http://127.0.0.1:{port}", session=session, request_timeout=0.4) as client,
    ):
        failure = await failure_of(client.put_records(RECORDS))
    assert (failure.kind, failure.code) == (FailureKind.AMBIGUOUS, "TimeoutError")


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n\r\n", b"Connection: close\r\n\r\n"])
async def test_a_response_without_an_end(session, head):
    async def flood(reader, writer):
        await reader.readuntil(b"]}")
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                await writer.drain()

    async with listening(flood) as port, client_of(f"http://127.0.0.1:{port}", session=session) as client:
        failure = await failure_of(client.put_records(RECORDS))
    assert failure.kind is FailureKind.AMBIGUOUS
    assert "the response has over 8388608 bytes" in failure.message


async def test_a_listing_without_an_end():
    def another_page(_received):
        return http_response(body={"Shards": [], "NextToken": "more"})

    async with serving(*[another_page] * 1_000) as server, client_of(server.url) as client:
        failure = await failure_of(client.list_shards())
        assert (failure.kind, failure.message) == (FailureKind.AMBIGUOUS, "ListShards has over 200 pages")
        server.script[:] = [stored]
        assert len(await client.put_records(RECORDS)) == 2
