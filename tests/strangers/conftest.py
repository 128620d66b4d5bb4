"""One truckstream.local with its quotas, in a process of its own, for clients in processes of theirs."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Seconds that a client may take for one program of a test, and a test with its client's installation.
PROGRAM_SECONDS = 40


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.external)
            item.add_marker(pytest.mark.timeout(180))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON; None if it printed nothing."""
        assert self.status == 0, self.err
        return json.loads(self.out) if self.out.strip() else None


@dataclass(frozen=True, slots=True)
class Server:
    """Where the local Kinesis is, and how a client in a process of its own is told of it."""

    endpoint_url: str
    region_name: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_name(self) -> str:
        """A name that no stream has."""
        return f"strangers-{next(self._numbers)}"

    @property
    def environment(self) -> Mapping[str, str]:
        """This process's, with credentials that are worth nothing and no profile, proxy or endpoint of the user's."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "PYTHON")) and not name.lower().endswith("_proxy")
        }
        return kept | {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": self.region_name,
            "AWS_DEFAULT_REGION": self.region_name,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_KINESIS": self.endpoint_url,
        }

    @staticmethod
    def program(name: str) -> Path:
        """A client's program that stands beside the tests."""
        return Path(__file__).parent / "programs" / name

    def run(self, *command: object, folder: Path | None = None, **environment: str) -> Answer:
        """Run a program that uses this server, and give what it printed."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=PROGRAM_SECONDS,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    command = [sys.executable, "-m", "truckstream.local", "--while-stdin-is-open"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started = json.loads(process.stdout.readline())
    yield Server(started["endpoint_url"], started["region_name"])
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


@pytest.fixture(scope="session")
def kinesis(server: Server) -> Iterator[Any]:
    """boto3's client, to see what a stranger has done."""
    session = boto3.session.Session("testing", "testing", region_name=server.region_name)
    client = session.client("kinesis", endpoint_url=server.endpoint_url, config=Config(proxies={}))
    yield client
    client.close()
