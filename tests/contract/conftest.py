"""Every case runs against every server; what a server is known to do otherwise is expected to fail, strictly."""

import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, ParamValidationError  # noqa: A004
from botocore.parsers import ResponseParserError

from tests.contract import servers
from tests.contract.differences import BREAKS_THE_MODEL, NOT_RUN, SPOILED_BY, reason_of
from tests.contract.support import Streams, kinesis_client

HERE = Path(__file__).parent

#: No answer: the server died, or takes longer than a client waits.
LOST = (ConnectionError, HTTPClientError)

#: How a server may show a difference. A mistake in a case itself (a NameError, say) stays an error.
SHOWN_BY = (
    *LOST,
    AssertionError,
    ClientError,
    KeyError,
    ParamValidationError,
    ResponseParserError,
    pytest.fail.Exception,
)


def case_of(item):
    """The case's name as the tables have it: without the server, with its other parameters."""
    others = [each for each in item.callspec._idlist if each != item.callspec.params["server"]]
    return f"{item.originalname}[{'-'.join(others)}]" if others else item.originalname


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent != HERE or "server" not in getattr(getattr(item, "callspec", None), "params", {}):
            continue
        server, case = item.callspec.params["server"], case_of(item)
        if (slow := NOT_RUN.get((server, case))) and not os.environ.get("CONTRACT_ALL"):
            item.add_marker(pytest.mark.skip(reason=f"{slow}; CONTRACT_ALL=1 runs it"))
        reason = reason_of(server, case)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(strict=True, raises=SHOWN_BY, reason=reason))


def pytest_runtest_makereport(item, call):
    """After a lost connection, no answer in time, or a case that spoils it, the next case has a new server."""
    server = getattr(item, "funcargs", {}).get("server")
    if server is None or call.when != "call":
        return
    lost = call.excinfo is not None and isinstance(call.excinfo.value, LOST)
    if lost or (server.name, case_of(item)) in SPOILED_BY:
        server.end()


@pytest.fixture(scope="session", params=list(servers.TITLES))
def server(request, tmp_path_factory):
    with servers.running(request.param, tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def kinesis(server):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"):
            patch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, "/dev/null")
        client = kinesis_client(server.endpoint_url, known_breaks=BREAKS_THE_MODEL.get(server.name, ()))
    yield client
    client.close()


@pytest.fixture(scope="session")
def all_streams(kinesis):
    return Streams(kinesis)


@pytest.fixture(autouse=True)
def _alive(request):
    """A server that the last case ended is started again, so that one difference is counted once."""
    if "server" in request.fixturenames and request.getfixturevalue("server").start():
        request.getfixturevalue("all_streams").forget()


@pytest.fixture
def stream(all_streams):
    """`stream(shards=1)` is the name of a fresh ACTIVE stream; `stream.new_name()` is the name of none."""
    return all_streams
