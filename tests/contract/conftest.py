"""Run every case against every server. A case with a known difference is a strict expected failure."""

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

#: No response: the server ended, or took longer than the client's timeout.
LOST = (ConnectionError, HTTPClientError)

#: The exceptions by which a difference may show. Any other, such as a NameError in a case, remains an error.
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
    """Return the name of the case in the tables: with its parameters, except the server."""
    others = [each for each in item.callspec._idlist if each != item.callspec.params["server"]]
    return f"{item.originalname}[{'-'.join(others)}]" if others else item.originalname


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent != HERE or "server" not in getattr(getattr(item, "callspec", None), "params", {}):
            continue
        server, case = item.callspec.params["server"], case_of(item)
        if server != servers.TRUCKSTREAM:
            item.add_marker(pytest.mark.external)
        if undecided := UNDECIDED.get((server, case)):
            # Either outcome would be accepted, so that running it, for up to 20 s, could show nothing.
            item.add_marker(pytest.mark.xfail(run=False, reason=undecided))
        elif reason := reason_of(server, case):
            item.add_marker(pytest.mark.xfail(strict=True, raises=SHOWN_BY, reason=reason))


def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[Any]) -> None:
    """End the server after a lost connection, a timeout, or a case that leaves it unusable. `_alive` starts another."""
    server = getattr(item, "funcargs", {}).get("server")
    if server is None or call.when != "call":
        return
    lost = call.excinfo is not None and isinstance(call.excinfo.value, LOST)
    if lost or (server.name, case_of(item)) in SPOILED_BY:
        server.end()


@dataclass(frozen=True)
class Contestant:
    """A running server, with a client and a supply of streams for the cases."""

    server: servers.Server
    kinesis: Any
    streams: Streams


@pytest.fixture(scope="session")
def contestant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Contestant]]:
    """Return a function that starts a server when it is first called with its name, and keeps it for the session."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(name: str) -> Contestant:
            server = stack.enter_context(servers.running(name, tmp_path_factory.mktemp("servers")))
            client = stack.enter_context(contextlib.closing(client_of(server)))
            await_response(client)
            return Contestant(server, client, Streams(client))

        yield start


def await_response(client: Any) -> None:
    """Wait for the first response, because a server may load for longer than the client's timeout on a busy machine."""
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
    """Start the server again if the last case ended it, so that one difference does not fail the next case too."""
    if "server" in request.fixturenames and request.getfixturevalue("server").start():
        await_response(request.getfixturevalue("kinesis"))
        request.getfixturevalue("all_streams").forget()


@pytest.fixture
def stream(all_streams: Streams) -> Streams:
    """`stream(shards=1)` returns the name of a new ACTIVE stream; `stream.new_name()` returns an unused name."""
    return all_streams
