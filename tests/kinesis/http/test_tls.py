"""Over TLS too, connections are kept, and a failed request is known to have been sent or not."""

import asyncio

import pytest
import uvloop

from tests.kinesis.servers import HANG_UP, leaving_early, listening, serving
from tests.kinesis.support import RECORDS, Record, client_of
from truckstream.kinesis.failures import FailureKind, RequestFailedError

#: More than the kernel buffers for a connection that the other side does not read.
LARGE = [Record(bytes(8 << 20)), Record(bytes(8 << 20))]

pytestmark = [
    pytest.mark.usefixtures("fake_credentials"),
    pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"]),
]


@pytest.fixture(autouse=True)
def trusted(ca_file, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)


async def failure_of(client, records):
    with pytest.raises(RequestFailedError) as caught:
        await client.put_records(records)
    return caught.value.kind


def test_connections_are_kept(run, tls):
    """The first requests come together, before the certificates are loaded."""

    async def story():
        async with serving(tls=tls) as server, client_of(server.url) as client:
            for _ in range(2):
                await asyncio.gather(*(client.put_records(RECORDS) for _ in range(3)))
            return server.connections

    assert run(story()) == 3


@pytest.mark.parametrize("records", [RECORDS, LARGE], ids=["small", "large"])
def test_a_request_that_was_read_may_be_stored(run, tls, records):
    async def story():
        async with serving(HANG_UP, tls=tls) as server, client_of(server.url) as client:
            return await failure_of(client, records)

    assert run(story()) is FailureKind.AMBIGUOUS


@pytest.mark.parametrize("leave", ["reset", "hang"])
def test_a_request_that_was_not_taken_to_its_last_byte_was_not_sent(run, tls, leave):
    async def story():
        async with (
            listening(leaving_early(leave), tls, limit=1_000) as port,
            client_of(f"https://127.0.0.1:{port}", request_timeout=1.0) as client,
        ):
            return await failure_of(client, LARGE)

    assert run(story()) is FailureKind.NOT_SENT
