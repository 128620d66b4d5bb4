"""Bodies are encoded when they are needed, and not kept while a response is awaited."""

import asyncio

import pytest

from tests.kinesis.servers import error_response, serving, stored
from tests.kinesis.support import RECORDS, client_of
from truckstream.kinesis import client as client_module
from truckstream.kinesis.encoding import encode_body
from truckstream.kinesis.outgoing_body import OutgoingBody

pytestmark = pytest.mark.usefixtures("fake_credentials")


def test_a_body_is_encoded_again_only_after_it_was_let_go():
    encoded = []
    body = OutgoingBody(lambda: encoded.append(b"x") or b"body")
    assert (body.content, body.content, len(encoded)) == (b"body", b"body", 1)
    body.let_go()
    assert (body.content, len(encoded)) == (b"body", 2)


async def test_nobody_keeps_the_body_while_the_response_is_awaited(monkeypatch):
    freed = asyncio.Event()

    class Body(bytes):
        def __del__(self):
            freed.set()

    async def respond_when_it_is_freed(received):
        await freed.wait()
        return stored(received)

    monkeypatch.setattr(client_module, "encode_body", lambda *arguments: Body(encode_body(*arguments)))
    async with serving(respond_when_it_is_freed) as server, client_of(server.url) as client:
        assert len(await client.put_records(RECORDS)) == 2


async def test_a_request_that_is_signed_again_has_the_same_body():
    skewed = error_response("RequestExpired", Date="Mon, 01 Dec 2036 12:00:00 GMT")
    async with serving(skewed) as server, client_of(server.url) as client:
        assert len(await client.put_records(RECORDS)) == 2
    first, second = server.received
    assert first.body == second.body != b""
    assert first.headers["x-amz-date"] != second.headers["x-amz-date"]
