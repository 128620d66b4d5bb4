"""Every case runs against every server; what a server is known to do otherwise is expected to fail, strictly."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.parsers import ResponseParserError

from tests.contract import servers
from tests.contract.differences import reason_of
from tests.contract.support import Streams, kinesis_client

HERE = Path(__file__).parent

#: How a server may show a difference. A mistake in a case itself (a NameError, say) stays an error.
SHOWN_BY = (
    AssertionError,
    ClientError,
    HTTPClientError,
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
        reason = reason_of(item.callspec.params["server"], case_of(item))
        if reason is not None:
            item.add_marker(pytest.mark.xfail(strict=True, raises=SHOWN_BY, reason=reason))


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
        client = kinesis_client(server.endpoint_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def _streams(kinesis):
    return Streams(kinesis)


@pytest.fixture
def stream(_streams):
    """`stream(shards=1)` is the name of a fresh ACTIVE stream; `stream.new_name()` the name of none."""
    yield _streams
    _streams.delete_taken()
