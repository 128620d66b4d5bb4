"""What all tests may use: another maker's AWS, and credentials that are worth nothing."""

import socket
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, settings

# How busy the machine is decides no test; how to repeat a failure is printed.
settings.register_profile("tests", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def pytest_addoption(parser):
    group = parser.getgroup("chaos", "histories of faults in tests/chaos")
    group.addoption("--chaos-records", type=int, default=100_000, help="records of a producer's history")
    group.addoption("--chaos-histories", type=int, default=2_000, help="histories of deliveries to the batcher")
    group.addoption("--bad-inputs", type=int, default=20_000, help="records that no truck would send")
    group.addoption("--chaos-seeds", default="1", help="seeds, joined by commas")


@pytest.fixture(scope="session")
def moto_url():
    """The endpoint of a moto server in a process of its own, where a warning of its is no error of ours."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    else:
        pytest.fail("moto's server did not start within 30 s")
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.fixture
def fake_credentials(monkeypatch):
    """Credentials that the AWS libraries accept and no service does; no profile or proxy of the user's."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("NO_PROXY", "127.0.0.1"),
    ):
        monkeypatch.setenv(name, value)
