"""Options and fixtures of the whole suite: the selection of tests, a moto server, and fake credentials."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# With bytecode the suite's two hundred child processes start twice as fast. Containers often disable it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Coverage counts what runs in the processes of pytest-xdist, and not in the programs that tests start: these would take
# twice as long, and most of their code runs in tests of its own.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in [name for name in os.environ if name.startswith("COVERAGE_")]:
        del os.environ[variable]

# A shell starts a job in the background with SIGINT ignored, which the programs that the tests interrupt would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine must not fail a test, so there are no deadlines. A failure prints how to reproduce it.
settings.register_profile("tests", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


#: Markers of the tests that only `--all`, or naming a file or folder, runs. pyproject.toml describes them.
LEFT_OUT = ("external", "slow")

#: Files that take long and would begin late by their names. They begin first, so that at the end of a run no process
#: works on one alone.
LONG_FILES = (
    *("producer/pacing/test_fair_sharing.py", "runtime/test_runtime.py", "worker/test_local_stream.py"),
    *("test_packaging.py", "test_pipeline.py", "test_readme.py"),
)

#: Files and folders with long histories of code that other tests run, too, or of code that coverage leaves out. They
#: run without tracing, which takes them three times as long. So do properties, with their hundred examples each.
UNTRACED = (
    *("chaos/", "commands/", "consumer/leases/test_simulation.py", "consumer/test_known_failures.py"),
    *("consumer/test_many_workers.py", "data/audit/output/", "data/compaction/test_killed_runs.py"),
    *("data/replay/test_into_stream.py", "fleet/test_health.py", "fleet/test_truck.py"),
    *("producer/pacing/test_accepted_rate.py", "producer/pacing/test_fair_sharing.py"),
    *("producer/queueing/test_compression.py", "producer/test_core_properties.py", "producer/test_mass_events.py"),
    *("producer/test_memory.py", "producer/test_order.py", "producer/test_resharding.py"),
    *("producer/test_retry_storms.py", "producer/test_slow_service.py", "test_architecture.py"),
    *("windows/test_kills.py", "windows/test_kills_simulated.py", "worker/test_histories.py"),
)

left_out_count = pytest.StashKey[int]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Stop coverage while a test runs that is not traced."""
    coverage = sys.modules.get("coverage")
    current = coverage.Coverage.current() if coverage and _is_untraced(item) else None
    if current:
        current.stop()
    try:
        yield
    finally:
        if current:
            current.start()


def _is_untraced(item: pytest.Item) -> bool:
    name = item.path.relative_to(Path(__file__).parent).as_posix()
    return name.startswith(UNTRACED) or is_hypothesis_test(getattr(item, "obj", None))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow and the external tests too, as CI does")
    group = parser.getgroup("chaos", "histories of faults in tests/chaos")
    group.addoption("--chaos-records", type=int, default=100_000, help="records of a producer's history")
    group.addoption("--chaos-histories", type=int, default=2_000, help="histories of deliveries to the batcher")
    group.addoption("--bad-inputs", type=int, default=20_000, help="records that no truck would send")
    group.addoption("--envelope-inputs", type=int, default=3_000, help="damaged and forged envelopes")
    group.addoption("--worker-histories", type=int, default=400, help="histories of workers on one shard")
    group.addoption("--worker-seeds", default="", help="seeds of such histories to play alone, joined by commas")
    group.addoption("--consumer-histories", type=int, default=200, help="histories of consumers on virtual time")
    group.addoption("--consumer-seeds", default="", help="seeds of such histories to play alone, joined by commas")
    group.addoption("--chaos-seeds", default="1", help="seeds, joined by commas")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Run three processes on two cores: a third of the suite's time is spent in waiting for servers and clocks."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    return len(os.sched_getaffinity(0)) * 3 // 2 if hasattr(os, "sched_getaffinity") else None


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """End the run with a status of its own: pytest-xdist would crash on the test again and again, and skip others."""
    pytest.exit(f"a worker process crashed in {crashitem}", returncode=3)


@pytest.hookimpl(trylast=True)  # after the conftest files of the folders, which set these markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    long_files = {Path(__file__).parent / name for name in LONG_FILES}
    items.sort(key=lambda item: item.path not in long_files)
    if config.option.all or config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    left_out = [item for item in items if any(map(item.get_closest_marker, LEFT_OUT))]
    are_left_out = set(left_out)
    items[:] = [item for item in items if item not in are_left_out]
    config.stash[left_out_count] = len(left_out)
    config.hook.pytest_deselected(items=left_out)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(left_out_count, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Read how many tests a worker of pytest-xdist left out; each worker leaves out the same."""
    node.config.stash[left_out_count] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(left_out_count, 0):
        terminalreporter.write_line(f"{count} slow and external tests were left out; `uv run pytest --all` runs them")


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The endpoint of a moto server. It has a process of its own, because its warnings would fail our tests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
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
def fake_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set credentials that the AWS libraries accept and AWS rejects; hide the user's profile and proxy."""
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
