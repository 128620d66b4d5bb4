"""The pytest plugin: a local Kinesis with real quotas and faults, as fixtures.

    def test_it(kinesis):
        boto3.client("kinesis").put_record(StreamName=kinesis.stream_name, Data=b"hello", PartitionKey="k")
        assert [record.data for record in kinesis.stored()] == [b"hello"]

pytest loads this plugin wherever truckstream is installed, so it imports nothing until a test requests a fixture. The
fixtures block and need no plugin for async tests. They also work in async tests, because the service has a thread of
its own.
"""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from truckstream.local.blocking import BlockingKinesis, BlockingMapping
    from truckstream.local.s3 import LocalS3

__all__ = ["KinesisFaults", "event_source", "kinesis", "kinesis_faults", "s3_store"]

#: Environment variables of the user that would send a client to another endpoint.
_REMOVED: Final = (
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "kinesis(**options): arguments of truckstream.local.LocalKinesis for the `kinesis` fixture, such as shards=4, "
        'quotas=False, faults=["throttle:rate=0.3"], seed=1, tls=True, virtual_clock=True.',
    )


@pytest.fixture
def kinesis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingKinesis]:
    """A local Kinesis with one stream, and an environment in which every AWS client uses it."""
    from truckstream.local.blocking import BlockingKinesis  # noqa: PLC0415 - loaded when it is used

    with BlockingKinesis(**_options(request.node)) as local:
        _use(local.environment(), monkeypatch)
        yield local


def _use(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every AWS client use a local service, and nothing of the user's configuration."""
    for name in _REMOVED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", ",".join(filter(None, ("127.0.0.1", os.environ.get("NO_PROXY")))))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def _s3_process() -> Iterator[LocalS3]:
    """The process of the local S3; to start one takes two seconds."""
    from truckstream.local.s3 import LocalS3  # noqa: PLC0415 - loaded when it is used

    with LocalS3() as local:
        yield local


@pytest.fixture
def s3_store(_s3_process: LocalS3, monkeypatch: pytest.MonkeyPatch) -> LocalS3:
    """An S3 with an empty bucket, and an environment in which every AWS client uses it. Needs `truckstream[local-s3]`.

    `s3_store.set_faults(S3Fault("slow-down", count=2))` lets requests fail until the end of the test.
    """
    _s3_process.reset()
    _use(_s3_process.environment(), monkeypatch)
    return _s3_process


class KinesisFaults:
    """Injects faults into the Kinesis of a test."""

    def __init__(self, local: BlockingKinesis) -> None:
        self._local = local

    def add(self, kind: str, **options: Any) -> None:
        """Add a fault, such as `kinesis_faults.add("throttle", rate=0.3)`. The options are those of `Fault`.

        Raises:
            InvalidArgumentError: there is no such kind, or an option breaks its rule.
        """
        from truckstream.local import Fault  # noqa: PLC0415

        self._local.inject(Fault(kind, **options))

    def clear(self) -> None:
        """Remove all faults."""
        self._local.clear_faults()

    @property
    def hits(self) -> dict[str, int]:
        """How often each kind of fault has struck since the start of the test."""
        return self._local.stats().faults


@pytest.fixture
def kinesis_faults(kinesis: BlockingKinesis) -> KinesisFaults:
    """Adds and removes faults during a test."""
    return KinesisFaults(kinesis)


@pytest.fixture
def event_source(kinesis: BlockingKinesis) -> Iterator[Callable[..., BlockingMapping]]:
    """Feeds a Lambda handler from the stream until the test ends: `event_source(handler, batch_size=100).drain()`."""
    with ExitStack() as mappings:

        def start(handler: Callable[[dict[str, Any], Any], Any], **settings: Any) -> BlockingMapping:
            return mappings.enter_context(kinesis.event_source(handler, **settings))

        yield start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the state of its Kinesis to the report of a failed test."""
    report = yield
    local = getattr(item, "funcargs", {}).get("kinesis")
    blocking = sys.modules.get("truckstream.local.blocking")  # not loaded if `kinesis` is a fixture of somebody else
    if report.when == "call" and report.failed and blocking and isinstance(local, blocking.BlockingKinesis):
        report.sections.append(("local Kinesis", f"{local!r}\nstarted with {local.faults!r}\n{local.stats()!r}"))
    return report


def _options(item: pytest.Item) -> dict[str, Any]:
    """Return the arguments of the marks. A mark of the test overrides those of its class and module."""
    from truckstream.local import Fault, FaultPlan, LocalKinesis, VirtualClock  # noqa: PLC0415

    options: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("kinesis"))):
        options |= mark.kwargs
        if mark.args:
            raise pytest.UsageError(f"{item.nodeid}: the kinesis mark takes options by name, not {mark.args[0]!r}")
    known = {*inspect.signature(LocalKinesis).parameters, "seed", "virtual_clock"} - {"own_process", "clock"}
    for name in options:
        if name not in known:
            takes = ", ".join(sorted(known))
            raise pytest.UsageError(f"{item.nodeid}: the kinesis mark has no option {name}; it takes {takes}")
    faults, seed = options.pop("faults", ()), options.pop("seed", 0)
    if not isinstance(faults, FaultPlan):
        faults = FaultPlan(*(Fault.parse(one) if isinstance(one, str) else one for one in faults), seed=seed)
    if options.pop("virtual_clock", False):
        options["clock"] = VirtualClock()
    return options | {"faults": faults}
