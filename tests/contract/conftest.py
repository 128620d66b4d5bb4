"""Every case runs against every server; what a server is known to do otherwise is expected to fail, strictly."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, ParamValidationError  # noqa: A004
from botocore.parsers import ResponseParserError

from tests.contract import servers
from tests.contract.differences import BREAKS_THE_MODEL, SPOILED_BY, UNDECIDED, reason_of
from tests.contract.support import Streams, kinesis_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def case_of(item: Any) -> str:
    """The case's name as the tables have it: without the server, with its other parameters."""
    others = [each for each in item.callspec._idlist if each != item.callspec.params["server"]]
    return f"{item.originalname}[{'-'.join(others)}]" if others else item.originalname


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent != HERE or "server" not in getattr(getattr(item, "callspec", None), "params", {}):
            continue
        server, case = item.callspec.params["server"], case_of(item)
        if server != servers.TRUCKSTREAM:
            item.add_marker(pytest.mark.external)
        undecided = UNDECIDED.get((server, case))
        if reason := undecided or reason_of(server, case):
            item.add_marker(pytest.mark.xfail(strict=undecided is None, raises=SHOWN_BY, reason=reason))


def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[Any]) -> None:
    """After a lost connection, no answer in time, or a case that spoils it, the next case has a new server."""
    server = getattr(item, "funcargs", {}).get("server")
    if server is None or call.when != "call":
        return
    lost = call.excinfo is not None and isinstance(call.excinfo.value, LOST)
    if lost or (server.name, case_of(item)) in SPOILED_BY:
        server.end()


@dataclass(frozen=True)
class Contestant:
    """A server that runs, with a client and the streams that cases take of it."""

    server: servers.Server
    kinesis: Any
    streams: Streams


@pytest.fixture(scope="session")
def contestant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Contestant]]:
    """`contestant(name)` is the same to the end of the session, however often cases go from one server to another."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(name: str) -> Contestant:
            server = stack.enter_context(servers.running(name, tmp_path_factory.mktemp("servers")))
            client = stack.enter_context(contextlib.closing(client_of(server)))
            await_answer(client)
            return Contestant(server, client, Streams(client))

        yield start


def await_answer(client: Any) -> None:
    """What a server loads for its first answer may take longer than a client waits, on a busy machine."""
    for _ in range(10):
        with contextlib.suppress(*LOST):
            client.list_streams()
            return


def client_of(server: servers.Server) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"):
            patch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, "/dev/null")
        return kinesis_client(server.endpoint_url, known_breaks=BREAKS_THE_MODEL.get(server.name, ()))


@pytest.fixture(scope="session", params=list(servers.TITLES))
def server(request: pytest.FixtureRequest, contestant: Callable[[str], Contestant]) -> servers.Server:
    return contestant(request.param).server


@pytest.fixture(scope="session")
def kinesis(server: servers.Server, contestant: Callable[[str], Contestant]) -> Any:
    return contestant(server.name).kinesis


@pytest.fixture(scope="session")
def all_streams(server: servers.Server, contestant: Callable[[str], Contestant]) -> Streams:
    return contestant(server.name).streams


@pytest.fixture(autouse=True)
def _alive(request: pytest.FixtureRequest) -> None:
    """A server that the last case ended is started again, so that one difference is counted once."""
    if "server" in request.fixturenames and request.getfixturevalue("server").start():
        await_answer(request.getfixturevalue("kinesis"))
        request.getfixturevalue("all_streams").forget()


@pytest.fixture
def stream(all_streams: Streams) -> Streams:
    """`stream(shards=1)` is the name of a fresh ACTIVE stream; `stream.new_name()` is the name of none."""
    return all_streams
