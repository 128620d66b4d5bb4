"""Failed requests by their consequence for the records: perhaps stored, not sent, rejected."""

import asyncio
import email.utils
import json
import re
import socket
import threading
import time

import pytest
import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.kinesis.servers import (
    HANG_UP,
    STORED,
    Server,
    error_response,
    http_response,
    leaving_early,
    listening,
    read_slowly,
    serving,
    stored,
)
from tests.kinesis.support import RECORDS, Record, client_of
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.producer import Producer

#: More than the kernel buffers for a connection that the other side does not read.
LARGE = [Record(bytes(8 << 20)), Record(bytes(8 << 20))]

pytestmark = pytest.mark.usefixtures("fake_credentials")


async def failure_of(*script, **options):
    """Return the failure's kind and code for a server with this script, and the number of requests."""
    async with serving(*script) as server, client_of(server.url, request_timeout=0.8, **options) as client:
        with pytest.raises(RequestFailedError) as caught:
            await client.put_records(RECORDS)
    return caught.value.kind, caught.value.code, len(server.received)


# --- Perhaps stored -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (HANG_UP, "Disconnected"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "TimeoutError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "TimeoutError"),
        (b"\x00\x01\x02 what\r\n\r\n", "MalformedResponse"),
        (http_response(body=b"<html>Welcome to the hotel"), "MalformedResponse"),
        (http_response(body={"FailedRecordCount": 0, "Records": []}), "MalformedResponse"),
        (http_response(500, {"__type": "InternalFailure"}), "InternalFailure"),
        (http_response(503, b"<html>Service Unavailable"), "503"),
    ],
)
async def test_an_attempt_without_a_valid_response_is_ambiguous_and_not_retried(given, code):
    kind, failure_code, requests = await failure_of(given)
    assert (kind, requests) == (FailureKind.AMBIGUOUS, 1)
    assert failure_code == code


async def test_a_truncated_response_is_ambiguous():
    async def serve(reader, writer):
        await reader.readuntil(b"]}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        writer.close()
        await writer.wait_closed()

    async with listening(serve) as port, client_of(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(RequestFailedError) as caught:
            await client.put_records(RECORDS)
    assert (caught.value.kind, caught.value.code) == (FailureKind.AMBIGUOUS, "Disconnected")


async def test_silence_is_ambiguous():
    async def keep_silent(_received):
        await asyncio.Event().wait()

    assert await failure_of(keep_silent) == (FailureKind.AMBIGUOUS, "TimeoutError", 1)


async def test_a_response_before_the_end_of_the_request_counts_and_closes_the_connection():
    """A proxy that rejects a request for its size does not wait for its end."""
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http_response(413))
        await writer.drain()
        await reader.read()

    async with listening(serve) as port, client_of(f"http://127.0.0.1:{port}") as client:
        for _ in range(2):
            with pytest.raises(RequestFailedError) as caught:
                await client.put_records(LARGE)
            assert (caught.value.kind, caught.value.code) == (FailureKind.POISONED, "413")
    assert len(connections) == 2


# --- Not sent -------------------------------------------------------------------------------------


async def test_a_request_to_a_closed_port_was_not_sent():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client_of(f"http://127.0.0.1:{unused.getsockname()[1]}") as client:
            with pytest.raises(RequestFailedError) as caught:
                await client.put_records(RECORDS)
    assert caught.value.kind is FailureKind.NOT_SENT


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("leave", "code"), [("reset", "ConnectionResetError|BrokenPipeError|Disconnected"), ("hang", "TimeoutError")]
)
def test_a_request_that_was_not_taken_to_its_last_byte_was_not_sent(run, leave, code):
    """No record of it can be stored, even if the server reads its beginning."""

    async def story():
        async with (
            listening(leaving_early(leave), limit=1_000) as port,
            client_of(f"http://127.0.0.1:{port}", request_timeout=0.5) as client,
        ):
            with pytest.raises(RequestFailedError) as caught:
                await client.put_records(LARGE)
        return caught.value

    failure = run(story())
    assert failure.kind is FailureKind.NOT_SENT
    assert re.fullmatch(code, failure.code)


async def test_sending_slowly_is_not_silence():
    """The time for the response begins when the request has been sent."""

    async def serve(reader, writer):
        await read_slowly(reader)
        writer.write(http_response(body={"FailedRecordCount": 0, "Records": [STORED] * 2}))
        await writer.drain()

    async with (
        listening(serve, limit=1 << 19) as port,
        client_of(f"http://127.0.0.1:{port}", request_timeout=0.8) as client,
    ):
        assert len(await client.put_records(LARGE)) == 2


async def test_a_request_to_an_unknown_host_was_not_sent():
    async with client_of("http://nowhere.invalid") as client:
        with pytest.raises(RequestFailedError) as caught:
            await client.put_records(RECORDS)
    assert caught.value.kind is FailureKind.NOT_SENT


@pytest.fixture
def hasty_server():
    """A server in a thread that closes each connection after its response; its URL, and the bytes of each request."""
    listening = socket.create_server(("127.0.0.1", 0))
    body = json.dumps({"FailedRecordCount": 0, "Records": [STORED] * 2}).encode()
    bytes_by_connection = []

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                received = b""
                while b"]}" not in received:
                    received += connection.recv(65_536)
                connection.sendall(http_response(body=body))
                bytes_by_connection.append(len(received))

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}", bytes_by_connection
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_kept_connection_that_the_server_closed_is_not_used(run, hasty_server):
    """The kernel knows of the closing, the event loop not yet: nothing is written, and the next one is tried."""
    url, bytes_by_connection = hasty_server

    async def story():
        async with client_of(url) as client:
            for number in range(1, 4):
                assert len(await client.put_records(RECORDS)) == 2
                while len(bytes_by_connection) < number:
                    time.sleep(0.001)  # noqa: ASYNC251 - the loop must not see the connection close
                time.sleep(0.02)  # noqa: ASYNC251

    run(story())
    assert len(bytes_by_connection) == 3


async def test_connections_are_kept():
    async with serving() as server, client_of(server.url) as client:
        for _ in range(3):
            await client.put_records(RECORDS)
        await asyncio.gather(client.put_records(RECORDS), client.put_records(RECORDS))
    assert server.connections == 2


async def test_bytes_on_an_idle_connection_end_it():
    """They belong to no request, and cannot be the response to the next one."""
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        await Server().serve(reader, writer)

    async with listening(serve) as port, client_of(f"http://127.0.0.1:{port}") as client:
        assert len(await client.put_records(RECORDS)) == 2
        writers[0].write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writers[0].wait_closed()  # the client has hung up
        assert len(await client.put_records(RECORDS)) == 2
    assert len(writers) == 2


async def test_a_stalled_connection_does_not_hold_up_the_others():
    arrived, release = asyncio.Event(), asyncio.Event()

    async def stall(received):
        arrived.set()
        await release.wait()
        return stored(received)

    async with serving(stall) as server, client_of(server.url) as client:
        stalled = asyncio.create_task(client.put_records(RECORDS))
        await arrived.wait()
        for _ in range(5):
            await client.put_records(RECORDS)
        assert not stalled.done()
        release.set()
        assert len(await stalled) == 2


async def test_a_cancelled_request_leaves_no_half_read_connection():
    arrived = asyncio.Event()

    async def stall(_received):
        arrived.set()
        await asyncio.Event().wait()

    async with serving(stall) as server, client_of(server.url) as client:
        request = asyncio.create_task(client.put_records(RECORDS))
        await arrived.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert len(await client.put_records(RECORDS)) == 2
    assert [received.connection for received in server.received] == [1, 2]


# --- Rejected -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind", "code"),
    [
        (error_response("ProvisionedThroughputExceededException"), FailureKind.THROTTLED, None),
        (error_response("KMSThrottlingException"), FailureKind.THROTTLED, None),
        (error_response("ValidationException"), FailureKind.POISONED, None),
        (error_response("AccessDeniedException"), FailureKind.PERMANENT, None),
        (
            error_response("com.amazonaws.kinesis.v20131202#KMSDisabledException"),
            FailureKind.PERMANENT,
            "KMSDisabledException",
        ),
        (error_response("InvalidSignatureException", "does not match"), FailureKind.PERMANENT, None),
        (http_response(413, b"too large"), FailureKind.POISONED, "413"),
        (http_response(429), FailureKind.THROTTLED, "429"),
        (http_response(404, b"no such page"), FailureKind.PERMANENT, "404"),
    ],
)
async def test_an_error_is_classified_and_not_retried(given, kind, code):
    code = code or given.split(b'"__type": "', 1)[1].split(b'"', 1)[0].decode()
    assert await failure_of(given) == (kind, code, 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status):
    """Signed records are sent to the address in their signature and to no other."""
    async with serving() as elsewhere:
        assert await failure_of(http_response(status, Location=elsewhere.url)) == (
            FailureKind.PERMANENT,
            str(status),
            1,
        )
    assert elsewhere.received == []


# --- Through aiohttp ------------------------------------------------------------------------------


def session_with_connector_args():
    session = get_session()
    session.set_default_client_config(AioConfig(connector_args={"use_dns_cache": False}))
    return session


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (HANG_UP, FailureKind.AMBIGUOUS),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", FailureKind.AMBIGUOUS),
        (http_response(503), FailureKind.AMBIGUOUS),
        (http_response(307, Location="http://127.0.0.1:1"), FailureKind.PERMANENT),
        (error_response("ProvisionedThroughputExceededException"), FailureKind.THROTTLED),
    ],
)
async def test_a_failure_through_aiohttp_means_the_same(given, kind):
    failure_kind, _, requests = await failure_of(given, session=session_with_connector_args())
    assert (failure_kind, requests) == (kind, 1)


async def test_a_request_that_aiohttp_cannot_connect_was_not_sent():
    async with client_of("http://127.0.0.1:1", session=session_with_connector_args()) as client:
        with pytest.raises(RequestFailedError) as caught:
            await client.put_records(RECORDS)
    assert caught.value.kind is FailureKind.NOT_SENT


async def test_records_through_aiohttp():
    async with serving() as server, client_of(server.url, session=session_with_connector_args()) as client:
        for _ in range(2):
            assert len(await client.put_records(RECORDS)) == 2
    assert server.connections == 1
    assert server.received[0].headers["accept"] == "*/*"  # aiohttp sends this header, our own client does not


# --- Clocks ---------------------------------------------------------------------------------------


def signed_at(received):
    stamp = received.headers["x-amz-date"]
    return time.mktime(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - time.timezone


def http_date(ahead):
    return email.utils.formatdate(time.time() + ahead, usegmt=True)


@pytest.mark.parametrize("ahead", [600, -3600])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", "Signature expired: 20250115T143025Z is now earlier than 20250115T144025Z"),
        ("InvalidSignatureException", "Signature not yet current: 20250115T150025Z is still later than …"),
        ("RequestExpired", ""),
    ],
)
async def test_a_skewed_clock_is_corrected_by_the_services_date(ahead, code, message):
    """The request is signed again, and later requests have the right time at once."""
    skewed = error_response(code, message.replace("…", ""), Date=http_date(ahead))
    async with serving(skewed) as server, client_of(server.url) as client:
        assert len(await client.put_records(RECORDS)) == 2
        await client.put_records(RECORDS)
    offsets = [round((signed_at(received) - time.time()) / 60) * 60 for received in server.received]
    assert offsets == [0, ahead, ahead]


async def test_a_signature_that_is_rejected_twice_is_reported_as_skew():
    """A request is retried once, and not at all if the Date header agrees with our clock."""
    expired = [error_response("RequestExpired", Date=http_date(ahead)) for ahead in (600, 1200)]
    assert await failure_of(*expired) == (FailureKind.CLOCK_SKEW, "RequestExpired", 2)
    assert await failure_of(error_response("RequestExpired", Date=http_date(0))) == (
        FailureKind.CLOCK_SKEW,
        "RequestExpired",
        1,
    )


SHARD = {
    "ShardId": "shardId-000000000000",
    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)},
    "SequenceNumberRange": {"StartingSequenceNumber": "1"},
}


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "tomorrow"])
async def test_a_date_that_cannot_be_the_services_leaves_no_record_in_doubt(date):
    """With the year 9999 no request could be signed any more, and records that were never sent seemed to be stored."""
    late = [error_response("RequestExpired", Date=date)] * 2

    def respond(received):
        if received.operation == "PutRecords":
            return late.pop() if late else stored(received)
        return http_response(body={"Shards": [SHARD]}) if received.operation == "ListShards" else error_response("Any")

    async with (
        serving(*[respond] * 5) as server,
        Producer("trucks", region_name="us-east-1", endpoint_url=server.url, linger=0.0) as producer,
    ):
        ack = await (await producer.put(b"a", "TRUCK_001"))
    assert (ack.attempts, ack.maybe_duplicate) == (3, False)
    assert all(abs(signed_at(received) - time.time()) < 60 for received in server.received)


async def test_a_request_may_be_late_and_also_have_expired_credentials():
    """Each problem is corrected once, in any order."""
    script = [error_response("RequestExpired", Date=http_date(600)), error_response("ExpiredTokenException")]
    for order in (script, script[::-1]):
        kind, _, requests = await failure_of(*order)
        assert kind is FailureKind.CREDENTIALS  # the environment has no other credentials
        assert requests == order.index(script[1]) + 1
