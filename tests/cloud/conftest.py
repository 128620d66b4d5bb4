"""A server that imitates AWS with CloudFormation: ministack, in an environment and a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.external_clients.installation import CannotInstallError, or_skipped, tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
MINISTACK = "ministack==1.5.33"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "ministack_program" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.external)


@pytest.fixture(scope="session")
def ministack_program() -> str:
    """Path of ministack, in an environment of its own, because it and moto pin different versions of some packages."""
    with or_skipped("ministack"):
        command = [tool("uv"), "tool", "run", "--quiet", "--from", MINISTACK, "which", "ministack"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode:
            raise CannotInstallError(found.stderr.strip()[-500:])
    return found.stdout.strip()


@contextmanager
def running(program: str, folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "ministack.log").open("w") as log:
        server = subprocess.Popen(
            [program],
            # ministack unpacks the functions that it runs below TMPDIR, and never deletes them.
            env=os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "TMPDIR": str(folder)},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("ministack did not start within 30 s")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def ministack_url(ministack_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint of a ministack server that only the tests of one module use."""
    with running(ministack_program, tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, so that two deploys of a test find the same code while somebody edits the checkout."""
    folder = tmp_path_factory.mktemp("sources")
    for package in ("truckstream", "lambda_entry"):
        shutil.copytree(ROOT / package, folder / package)
    return folder


@pytest.fixture(scope="module")
def environment(ministack_url: str, sources: Path) -> dict[str, str]:
    """The environment of a program that uses ministack, without the user's own settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return clean | {
        "COLUMNS": "200",
        "PYTHONPATH": str(sources),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_ENDPOINT_URL": ministack_url,
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a callable that runs a command of truckstream on ministack, without a terminal."""

    def run(*arguments: str, timeout: float = 50, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "truckstream", *arguments],
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def client(ministack_url: str) -> Iterator[Callable[[str], Any]]:
    """Return a callable that makes a client of boto3 for a service of ministack."""
    import boto3  # noqa: PLC0415 - few of these tests need it

    clients = []

    def client(service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        clients.append(boto3.client(service, endpoint_url=ministack_url, **keys))  # type: ignore[call-overload]
        return clients[-1]

    yield client
    for each in clients:
        each.close()
