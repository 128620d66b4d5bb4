"""Requests of foreign web pages and under foreign names are refused; those of this machine pass."""

import asyncio
import json

import aiohttp
import pytest

from tests.local.raw_http import JSON, port_of
from truckstream.errors import InvalidArgumentError
from truckstream.local import LocalKinesis, RefusedError
from truckstream.local.http.security.allowed_hosts import AllowedHosts


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost:4567", "localhost.", "app.localhost:80", "127.0.0.1", "127.8.9.10:1"),
        *("[::1]", "[::1]:4567", "[::ffff:127.0.0.1]:4567"),
    ],
)
def test_the_loopback_names_of_this_machine_are_allowed(host):
    assert AllowedHosts("127.0.0.1").allows_host(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.test", "localhost.evil.test", "evillocalhost", "127.0.0.1.evil.test", "192.168.1.5", "0.0.0.0"),
        *("localhost:port", "localhost:4567:1", "user@localhost", "evil.test#localhost", "localhost/", "[::1", "[::2]"),
        *("localhost,evil.test", "localhost evil.test", "loc\u0430lhost", "127.0.0.1\n", "localhost:\uff14"),
    ],
)
def test_other_names_are_refused(host):
    assert not AllowedHosts("127.0.0.1").allows_host(host)


def test_the_host_that_the_server_listens_on_and_configured_names_are_allowed():
    allowed = AllowedHosts("192.168.1.5", ["Kinesis", "fd00:0::1"])
    assert all(map(allowed.allows_host, ("192.168.1.5:4567", "kinesis:4567", "KINESIS", "[fd00::1]:4567", "localhost")))
    assert not allowed.allows_host("kinesis.evil.test")
    assert not allowed.allows_host("192.168.1.6")
    assert AllowedHosts("kinesis.test").allows_host("kinesis.test:4567")


@pytest.mark.parametrize("everywhere", ["0.0.0.0", "::", ""])
def test_a_server_on_all_addresses_is_called_by_any_address_but_not_by_any_name(everywhere):
    allowed = AllowedHosts(everywhere)
    assert all(map(allowed.allows_host, ("0.0.0.0:4567", "192.168.1.5:4567", "[fd00::1]", "localhost")))
    assert not allowed.allows_host("evil.test:4567")
    assert not allowed.allows_origin("http://203.0.113.9")


def test_pages_of_this_machine_and_of_configured_hosts_are_allowed():
    allowed = AllowedHosts("127.0.0.1", ["dashboard.test"])
    for origin in ("http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080", "https://dashboard.test"):
        assert allowed.allows_origin(origin)
    for origin in (
        *("null", "", "localhost", "https://evil.test", "http://localhost.evil.test", "file://", "ftp://localhost"),
        *("http://localhost@evil.test", "http://evil.test#localhost", "http://localhost/", "chrome-extension://abc"),
    ):
        assert not allowed.allows_origin(origin)


def test_a_refusal_names_the_value_and_the_option_and_cuts_a_long_one():
    with pytest.raises(RefusedError, match=r"Host is 'evil.test': must name this machine .* --allow-host NAME"):
        AllowedHosts("127.0.0.1").check(["localhost", "evil.test"], [])
    with pytest.raises(RefusedError, match="Origin is 'null': must name"):
        AllowedHosts("127.0.0.1").check(["localhost"], ["null"])
    with pytest.raises(RefusedError) as caught:
        AllowedHosts("127.0.0.1").check(["a" * 8_000], [])
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("name", ["http://kinesis", "kinesis:4567", "", "*", "a b", "kinesis/"])
def test_a_name_that_is_no_host_is_an_error(name):
    with pytest.raises(InvalidArgumentError, match=r"allowed_hosts is .*: must be a host's name or address without"):
        LocalKinesis(allowed_hosts=[name])


def test_one_text_instead_of_a_list_is_an_error():
    with pytest.raises(InvalidArgumentError, match="allowed_hosts is 'kinesis': must be a list of names"):
        LocalKinesis(allowed_hosts="kinesis")


# --- Over the wire ----------------------------------------------------------------------------------


@pytest.fixture
async def kinesis():
    async with LocalKinesis("s", allowed_hosts=["kinesis"]) as local:
        yield local


async def send(kinesis, *head, body=b""):
    """Send a request, and return the status, headers and body of its response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(kinesis))
    lines = [*head, "Connection: close", f"Content-Length: {len(body)}", "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    raw, _, received = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    status, *pairs = raw.decode().split("\r\n")
    return int(status.split()[1]), dict(pair.split(": ", 1) for pair in pairs), received


LIST = (f"Content-Type: {JSON}", "X-Amz-Target: Kinesis_20131202.ListStreams")


@pytest.mark.parametrize(
    "head",
    [
        ("POST / HTTP/1.1", "Host: evil.test"),
        ("POST / HTTP/1.1", "Host: evil.test:80"),
        ("POST / HTTP/1.0",),
        ("POST / HTTP/1.1", "Host:"),
        ("POST http://evil.test/ HTTP/1.1", "Host: localhost"),
        ("POST http://localhost/ HTTP/1.1", "Host: evil.test"),
        ("POST http://[fd00::1]:4567/ HTTP/1.1", "Host: localhost"),
        ("POST / HTTP/1.1", "Host: localhost", "Origin: https://evil.test"),
        ("POST / HTTP/1.1", "Host: localhost", "Origin: null"),
        ("POST / HTTP/1.1", "Host: localhost", "Origin: http://localhost", "Origin: https://evil.test"),
        ("OPTIONS / HTTP/1.1", "Host: localhost", "Origin: https://evil.test", "Access-Control-Request-Method: POST"),
        ("OPTIONS * HTTP/1.1", "Host: evil.test"),
        ("POST /_truckstream/call?operation=DeleteStream HTTP/1.1", "Host: localhost", "Origin: https://evil.test"),
        ("GET /_truckstream/stored HTTP/1.1", "Host: evil.test"),
        ("DELETE /_truckstream/faults HTTP/1.1", "Host: localhost", "Origin: null"),
    ],
    ids=" | ".join,
)
async def test_a_foreign_name_or_page_is_refused_before_anything_is_carried_out(kinesis, head):
    status, headers, body = await send(kinesis, *head, *LIST, body=b'{"StreamName":"s"}')
    assert (status, json.loads(body)["__type"]) == (403, "AccessDeniedException")
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert (await kinesis.call("ListStreams"))["StreamNames"] == ["s"]


@pytest.mark.parametrize("hosts", [(), ("Host: localhost", "Host: evil.test")], ids=["none", "two"])
async def test_a_request_has_one_host(kinesis, hosts):
    status, _, _ = await send(kinesis, "POST / HTTP/1.1", *hosts, *LIST, body=b"{}")
    assert status == 400


@pytest.mark.parametrize(
    "head",
    [
        ("POST / HTTP/1.1", "Host: localhost"),
        ("POST / HTTP/1.0", "Host: 127.0.0.1"),
        ("POST / HTTP/1.1", "Host: kinesis:4567"),
        ("POST http://kinesis:4567/any HTTP/1.1", "Host: kinesis:4567"),
        ("POST http://[::1]:4567/ HTTP/1.1", "Host: [::1]:4567"),
        ("POST / HTTP/1.1", "Host: localhost", "Origin: http://localhost:3000"),
    ],
    ids=" | ".join,
)
async def test_a_name_of_this_machine_or_a_configured_one_is_served(kinesis, head):
    status, _, body = await send(kinesis, *head, *LIST, body=b"{}")
    assert (status, json.loads(body)["StreamNames"]) == (200, ["s"])


async def test_a_page_of_this_machine_may_call_the_api_and_the_paths_for_tests(kinesis):
    origin = "http://localhost:3000"
    async with aiohttp.ClientSession(headers={"Origin": origin}) as session:
        asked = {"Access-Control-Request-Headers": "x-amz-target", "Access-Control-Request-Method": "POST"}
        for path in ("/", "/_truckstream/faults"):
            async with session.options(kinesis.endpoint_url + path, headers=asked) as answer:
                assert (answer.status, answer.headers["Access-Control-Allow-Headers"]) == (200, "x-amz-target")
                assert answer.headers["Access-Control-Allow-Methods"] == "POST"
                assert (answer.headers["Access-Control-Allow-Origin"], answer.headers["Vary"]) == (origin, "Origin")
        headers = {"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": JSON}
        async with session.post(kinesis.endpoint_url, data=b"{}", headers=headers) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)
            assert answer.headers["Vary"] == "Origin"
            assert "x-amzn-RequestId" in answer.headers["Access-Control-Expose-Headers"]
        async with session.get(f"{kinesis.endpoint_url}/_truckstream/stats") as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)


@pytest.mark.parametrize("path", ["/_truckstream/faults", "/_truckstream/call?operation=DeleteStream"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_change_whose_type_a_form_can_send_is_refused(kinesis, path, content_type):
    head = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}")
    status, _, body = await send(kinesis, *head, body=b'{"StreamName":"s","kind":"delete"}')
    assert (status, "must be application/json" in json.loads(body)["message"]) == (415, True)
    assert (await kinesis.call("ListStreams"))["StreamNames"] == ["s"]


async def test_an_operation_is_not_carried_out_by_get(kinesis):
    status, _, _ = await send(kinesis, "GET /_truckstream/call?operation=DeleteStream HTTP/1.1", "Host: localhost")
    assert status == 405


async def test_a_deeply_nested_document_is_a_bad_request(kinesis):
    nested = b"[" * 5_000_000
    head = ("POST /_truckstream/faults HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    assert (await send(kinesis, *head, body=nested))[0] == 400
    policy = {"ResourceARN": kinesis.stream_arn, "Policy": "[" * 100_000}
    with pytest.raises(RefusedError, match="The policy is not JSON"):
        await kinesis.call("PutResourcePolicy", **policy)
