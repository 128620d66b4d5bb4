"""Clients that leak connections, hang, or send without end: the server stays small and serves everybody else."""

import asyncio
import json
import os
import resource
import ssl
import subprocess
import sys
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager

import pytest

from tests.local.http.http2_client import http2_client
from tests.local.raw_http import exchange, request
from truckstream.local import Fault
from truckstream.local.faulty_service import FaultyService
from truckstream.local.http.endpoint import Endpoint
from truckstream.local.http.limits.server_limits import ServerLimits
from truckstream.local.options import Options
from truckstream.local.virtual_clock import wall_clock

MIB = 2**20


@asynccontextmanager
async def serving(faults=(), **limits):
    """Serve with these limits, and yield the port."""
    options = Options(stream="s", quotas=False, faults=faults)
    endpoint = Endpoint(FaultyService(options, wall_clock()), options, ServerLimits(**limits))
    url = await endpoint.open()
    try:
        yield int(url.rpartition(":")[2])
    finally:
        await endpoint.close()


@asynccontextmanager
async def connected(port, sent=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        yield reader, writer
    finally:
        writer.close()


async def ask(port, sent=None):
    """Return the status and the document of the response to one request."""
    status, body = await exchange(port, sent or request())
    return int(status.split()[1]), json.loads(body)


# --- Connections ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHost: loc", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
async def test_a_connection_without_a_request_is_closed(sent):
    async with serving(idle_seconds=0.05) as port, connected(port, sent) as (reader, _):
        await reader.read()  # until the server closes it


async def test_a_connection_that_is_kept_alive_is_closed_when_it_is_not_used():
    async with serving(idle_seconds=0.05) as port, connected(port, request(keep_alive=True)) as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")


async def test_a_stalled_response_is_not_idle():
    """It ends when its client gives up, and not with the time for idle connections."""
    async with serving(idle_seconds=0.01) as port:
        stall = json.dumps({"kind": "stall", "count": 1}).encode()
        assert (await ask(port, request(stall, path="/_truckstream/faults")))[0] == 200
        async with connected(port, request(keep_alive=True)) as (stalled, _), connected(port) as (idle, _):
            await idle.read()  # the server closes this one, which was opened later
            assert not stalled.at_eof()


async def test_idle_connections_make_room_for_new_ones():
    async with serving(connections=3) as port, connected(port) as (first, _), connected(port), connected(port):
        assert (await ask(port))[0] == 200
        assert await first.read() == b""


async def test_a_connection_too_many_is_refused_with_the_reason():
    async with serving(connections=1) as port:
        async with connected(port, request(b"{", length=2, keep_alive=True)) as (busy, writer):
            status, document = 200, {}
            while status == 200:  # until the server has read the head of the request
                status, document = await ask(port)
                if busy.at_eof():
                    pytest.fail("the busy connection was closed")
            assert (status, document["__type"]) == (503, "ServiceUnavailable")
            assert "has 1 connections with requests, its maximum" in document["message"]
            writer.write(b"}")
            assert (await busy.readline()) == b"HTTP/1.1 200 OK\r\n"
        while (await ask(port))[0] != 200:
            pass


async def test_a_refused_connection_without_a_request_is_closed():
    async with (
        serving(connections=1) as port,
        connected(port, request(b"{", length=2, keep_alive=True, Expect="100-continue")) as busy,
    ):
        assert (await busy[0].readline()) == b"HTTP/1.1 100 Continue\r\n"
        async with connected(port) as (reader, _):
            assert await reader.read() == b""


@contextmanager
def few_files(*, tls):
    """Serve from a process that may open 64 files, and yield the port and the certificate authority."""
    options = json.dumps({"stream": "s", "tls": tls})
    process = subprocess.Popen(
        [sys.executable, "-m", "truckstream.local", f"--options={options}", "--while-stdin-is-open"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),  # noqa: PLW1509 - no threads here
    )
    with process:
        ready = json.loads(process.stdout.readline())
        yield ready["port"], ready["ca_pem"]
        process.stdin.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_hundred_silent_connections_keep_nobody_out_of_64_files(tls):
    with few_files(tls=tls) as (port, ca_pem):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        context = ssl.create_default_context(cadata=ca_pem) if tls else None
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            with closing(writer):
                writer.write(request())
                assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
        for _, writer in silent:
            writer.close()


async def test_without_files_an_idle_connection_is_closed_for_a_new_one(caplog):
    """As if the process itself had opened all its files."""
    async with serving() as port, connected(port) as (idle, _):
        with ExitStack() as files:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            files.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            async with connected(port, request(keep_alive=True)) as (busy, _):
                await busy.readline()
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            taken = []
            try:
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                os.close(taken.pop())  # for the client's end; none is left for the server's
            second = asyncio.create_task(asyncio.open_connection("127.0.0.1", port))
            assert await idle.read() == b""
            for number in taken:
                os.close(number)
            (await second)[1].close()
            writer.close()
            assert not reader.at_eof()
    assert "cannot accept a connection: Too many open files" in caplog.text


# --- Bodies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [(), (Fault("reset-request"),)], ids=["whole", "half"])
async def test_a_body_that_does_not_arrive_is_a_timeout(faults):
    async with serving(faults, body_seconds=0.05) as port:
        status, document = await ask(port, request(b"{", length=4))
        assert (status, document["__type"]) == (408, "RequestTimeout")
        assert "within 0.05 s" in document["message"]


async def test_bodies_have_a_limit_in_total_and_a_finished_one_makes_room():
    large = b" " * (3 * MIB) + b"{}"
    async with serving(body_bytes=5 * MIB, connection_body_bytes=4 * MIB) as port:
        async with connected(port, request(large[:-1], length=len(large), keep_alive=True)) as (unfinished, writer):
            await writer.drain()
            status, document = 200, {}
            while status == 200:  # until the server has received so much of the other one
                status, document = await ask(port, request(large))
            assert (status, document["__type"]) == (503, "ServiceUnavailable")
            assert (await ask(port))[0] == 200
            writer.write(large[-1:])
            assert (await unfinished.readline()) == b"HTTP/1.1 200 OK\r\n"
        assert (await ask(port, request(large)))[0] == 200


async def test_a_client_that_does_not_read_its_response_is_disconnected():
    body = json.dumps({"StreamName": "s", "Data": "A" * 1_000_000, "PartitionKey": "k"}).encode()
    async with serving(send_seconds=0.1) as port:
        for _ in range(12):
            assert (await ask(port, request(body, operation="PutRecord")))[0] == 200
        start = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
        iterator = json.dumps(start).encode()
        _, found = await ask(port, request(iterator, operation="GetShardIterator"))
        async with connected(port) as (reader, writer):
            writer.transport.pause_reading()
            writer.write(request(json.dumps(found).encode(), operation="GetRecords", keep_alive=True))
            while not writer.is_closing():
                writer.write(b"GET / HTTP/1.1\r\n")  # fails when the server has closed its end
                await asyncio.sleep(0.01)
            assert reader.exception() is not None


async def test_responses_that_nobody_reads_have_a_limit():
    sent = request()
    async with serving(connection_response_bytes=10) as port, connected(port, sent) as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 503 Service Unavailable")


# --- HTTP/2 -----------------------------------------------------------------------------------------


def status_of(response):
    return response["headers"][":status"]


async def test_http2_bodies_have_a_limit_for_their_connection():
    async with serving(connection_body_bytes=4 * MIB) as port, http2_client(port) as client:
        first, second = client.begin(), client.begin()
        await client.upload(first, b" " * (3 * MIB))
        await client.upload(second, b" " * (3 * MIB))
        assert status_of(await client.response(second)) == "503"
        await client.upload(first, b"{}")
        client.finish(first)
        assert status_of(await client.response(first)) == "200"


async def test_an_http2_body_that_does_not_arrive_is_a_timeout_and_its_stream_is_reset():
    async with serving(body_seconds=0.05) as port, http2_client(port) as client:
        number = client.begin()
        assert status_of(await client.response(number)) == "408"
        await client.happens(lambda: number in client.resets)
        again = client.begin()
        await client.upload(again, b"{}")
        client.finish(again)
        assert status_of(await client.response(again)) == "200"


async def test_a_body_that_the_endpoint_does_not_read_is_not_acknowledged():
    """A client cannot send more than its window of a request that stalls before the body."""
    async with serving(connection_body_bytes=8 * MIB) as port, http2_client(port) as client:
        number = client.begin(("content-length", str(7 * MIB)))
        await client.upload(number, b" " * (7 * MIB))
        client.finish(number)
        assert status_of(await client.response(number)) == "400"  # blanks are no JSON


async def test_a_client_that_resets_requests_all_the_time_is_disconnected():
    async with serving() as port, http2_client(port) as client:
        for _ in range(400):
            client.give_up(client.begin())
        await client.happens(lambda: client.end)
        assert client.end.error_code.name == "ENHANCE_YOUR_CALM"
        assert (await ask(port))[0] == 200


async def test_a_request_that_is_reset_at_once_leaves_nothing_behind():
    async with serving() as port, http2_client(port) as client:
        before = len(asyncio.all_tasks())
        for _ in range(100):
            client.give_up(client.begin())
        await client("ListStreams")
        for _ in range(100):
            if len(asyncio.all_tasks()) <= before:
                return
            await asyncio.sleep(0)
        pytest.fail("requests that were reset still run")


async def test_foreign_names_are_refused_over_http2_too():
    async with serving() as port, http2_client(port) as client:
        number = client.begin(authority="evil.test")
        client.finish(number)
        response = await client.response(number)
        assert status_of(response) == "403"
        assert json.loads(response["body"])["message"].startswith("Host is 'evil.test'")
