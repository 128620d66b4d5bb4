"""Shared by the cases: a client that checks every response against the model, a supply of streams, and readers."""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.config
import botocore.validate
import pytest
from botocore.exceptions import ClientError

from tests.contract.servers import SETTLE_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The middle of the hash keys: the boundary of two equal shards.
MIDDLE: Final = str(2**127)
LAST_HASH_KEY: Final = str(2**128 - 1)

ACCOUNT: Final = "123456789012"
CREDENTIALS: Final = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}

#: The client neither retries nor validates requests, so that the server receives exactly the requests of a case.
CLIENT_OPTIONS: Final[dict[str, Any]] = {
    "parameter_validation": False,
    "retries": {"total_max_attempts": 1, "mode": "standard"},
    "connect_timeout": 5,
    "read_timeout": 10,
    "proxies": {},
    "inject_host_prefix": False,
}


#: Bounds of the model that apply to requests and responses alike, and that the examples of the reference break:
#: `"EnhancedMonitoring": [{"ShardLevelMetrics": []}]` and `"FailedRecordCount": 0`.
BREAKS: Final = (
    "ShardLevelMetrics, value: 0, valid min length: 1",
    "FailedRecordCount, value: 0, valid min value: 1",
)


def in_passing(case: Callable[[Any, Streams], None]) -> Callable[[Any, Streams], None]:
    """Repeat a case that must see a state such as CREATING, which lasts only for SETTLE_MS.

    If the machine was too busy to look in time, a failure proves nothing, and the case runs again with other streams.
    The result does therefore not depend on the load of the machine.
    """

    @functools.wraps(case)
    def repeated(kinesis: Any, stream: Streams) -> None:
        for _ in range(19):
            try:
                return case(kinesis, stream)
            except (AssertionError, ClientError, pytest.fail.Exception):
                if time.monotonic() - stream.given_at < SETTLE_MS / 1000:
                    raise
        return case(kinesis, stream)

    return repeated


def kinesis_client(endpoint_url: str, *, known_breaks: tuple[str, ...] = ()) -> Any:
    session = boto3.session.Session(**CREDENTIALS)
    client = session.client(
        "kinesis", endpoint_url=endpoint_url, config=botocore.config.Config(**CLIENT_OPTIONS), verify=False
    )
    client.meta.events.register("after-call.kinesis", functools.partial(check_response, (*BREAKS, *known_breaks)))
    return client


def check_response(known: tuple[str, ...], *, http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    """Fail a case whose response breaks the service's model, whatever the case tests."""
    shape = model.output_shape
    if http_response.status_code != 200 or shape is None or model.has_event_stream_output:
        return
    response = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
    report = botocore.validate.ParamValidator().validate(response, shape).generate_report().splitlines()
    broken = [line for line in (*report, *broken_strings(response, shape, model.name)) if line]
    unknown = [line for line in broken if not any(part in line for part in known)]
    assert not unknown, f"{model.name}: {unknown}"


def broken_strings(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Yield the violations that botocore's validator does not check: those of enumerations and patterns."""
    match shape.type_name:
        case "structure":
            for name, member in value.items():
                yield from broken_strings(member, shape.members[name], f"{path}.{name}")
        case "list":
            for member in value:
                yield from broken_strings(member, shape.member, f"{path}[]")
        case "string":
            pattern = shape.metadata.get("pattern")
            if shape.enum and value not in shape.enum:
                yield f"{path}: {value!r} is none of {shape.enum}"
            if pattern and isinstance(value, str) and not re.fullmatch(pattern, value):
                yield f"{path}: {value!r} does not match {pattern}"


@contextlib.contextmanager
def rejected_with(*codes: str, says: str = "") -> Iterator[None]:
    """Expect one of these errors from the call inside, with `says` in its message."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] in codes, f"{error['Code']}: {error['Message']}"
    assert says in error["Message"]


def create(kinesis: Any, name: str, **members: Any) -> None:
    """Create a stream. If five are CREATING already, try again until one of them is ACTIVE."""
    for _ in range(100):
        with contextlib.suppress(kinesis.exceptions.LimitExceededException):
            kinesis.create_stream(StreamName=name, **members)
            return
        time.sleep(0.05)
    pytest.fail(f"{name} could not be created for 5 s: five others are CREATING")


class Streams:
    """Streams of a server, created in advance, so that a case rarely waits for its stream.

    Each case uses streams that no other case has used. They are not deleted, because the server ends with the session.
    """

    #: Number of streams in advance, by number of shards. CreateStream rejects a sixth stream in CREATING.
    AHEAD: Final = {1: 4, 2: 1}

    def __init__(self, kinesis: Any) -> None:
        self._kinesis = kinesis
        self._numbers = itertools.count(1)
        self._ready: defaultdict[int, deque[str]] = defaultdict(deque)
        #: The time at which a case received its last stream or name.
        self.given_at = 0.0

    def __call__(self, shards: int = 1) -> str:
        """Return the name of an ACTIVE stream that no other case uses."""
        self._fill(shards, 1)
        name = self._ready[shards].popleft()
        self._fill(shards, self.AHEAD.get(shards, 0))
        wait_active(self._kinesis, name)
        self.given_at = time.monotonic()
        return name

    def new_name(self) -> str:
        """Return a name that no stream has."""
        self.given_at = time.monotonic()
        return f"contract-{next(self._numbers)}"

    def _fill(self, shards: int, ahead: int) -> None:
        while len(self._ready[shards]) < ahead:
            name = self.new_name()
            create(self._kinesis, name, ShardCount=shards)
            self._ready[shards].append(name)

    def forget(self) -> None:
        """Forget the streams in advance, because the server was started again and is empty."""
        self._ready.clear()


def summary(kinesis: Any, name: str) -> dict[str, Any]:
    return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]


def arn_of(kinesis: Any, name: str) -> str:
    return summary(kinesis, name)["StreamARN"]


def wait_active(kinesis: Any, name: str) -> None:
    for _ in range(500):
        if summary(kinesis, name)["StreamStatus"] == "ACTIVE":
            return
        time.sleep(0.02)
    pytest.fail(f"{name} is not ACTIVE after 10 s")


def wait_gone(kinesis: Any, name: str) -> None:
    for _ in range(500):
        with contextlib.suppress(kinesis.exceptions.ResourceNotFoundException):
            summary(kinesis, name)
            time.sleep(0.02)
            continue
        return
    pytest.fail(f"{name} is not gone after 10 s")


def shards_of(kinesis: Any, name: str) -> list[dict[str, Any]]:
    return kinesis.list_shards(StreamName=name)["Shards"]


def shard_ids(kinesis: Any, name: str) -> list[str]:
    return [shard["ShardId"] for shard in shards_of(kinesis, name)]


def is_open(shard: dict[str, Any]) -> bool:
    return "EndingSequenceNumber" not in shard["SequenceNumberRange"]


def put(kinesis: Any, name: str, data: bytes = b"data", key: str = "key", **options: Any) -> dict[str, Any]:
    return kinesis.put_record(StreamName=name, Data=data, PartitionKey=key, **options)


def iterator(kinesis: Any, name: str, shard_id: str, kind: str = "TRIM_HORIZON", **options: Any) -> str:
    return kinesis.get_shard_iterator(StreamName=name, ShardId=shard_id, ShardIteratorType=kind, **options)[
        "ShardIterator"
    ]


def read(kinesis: Any, name: str, shard_id: str, kind: str = "TRIM_HORIZON", **options: Any) -> list[bytes]:
    """Return the data after such an iterator. GetRecords may return it only after several calls."""
    position: str | None = iterator(kinesis, name, shard_id, kind, **options)
    found: list[bytes] = []
    for _ in range(5):
        response = kinesis.get_records(ShardIterator=position)
        found += [record["Data"] for record in response["Records"]]
        position = response.get("NextShardIterator")
        if position is None or (found and not response.get("MillisBehindLatest")):
            break
    return found


def split(kinesis: Any, name: str, shard_id: str, at: str = MIDDLE) -> None:
    kinesis.split_shard(StreamName=name, ShardToSplit=shard_id, NewStartingHashKey=at)
    wait_active(kinesis, name)


def even(ranges: list[tuple[int, int]]) -> bool:
    """Return whether the ranges cover all hash keys without a gap, and their sizes differ only by rounding."""
    starts, ends = [start for start, _ in ranges], [end for _, end in ranges]
    sizes = [end - start + 1 for start, end in ranges]
    whole = starts[0] == 0 and ends[-1] == 2**128 - 1
    return whole and starts[1:] == [end + 1 for end in ends[:-1]] and max(sizes) - min(sizes) <= len(ranges)


def open_ranges(kinesis: Any, name: str) -> list[tuple[int, int]]:
    ranges = [shard["HashKeyRange"] for shard in shards_of(kinesis, name) if is_open(shard)]
    return sorted((int(each["StartingHashKey"]), int(each["EndingHashKey"])) for each in ranges)
