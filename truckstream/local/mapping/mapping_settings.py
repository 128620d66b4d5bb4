"""The settings of an event source mapping, with the limits of Lambda's API.

Limits and defaults: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html, read 2026-11-23.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal, Protocol, TypedDict, get_args

import msgspec

from truckstream.errors import InvalidArgumentError

__all__ = [
    "PAYLOAD_BYTES",
    "REPORT_BATCH_ITEM_FAILURES",
    "FailureStore",
    "MappingKeywords",
    "MappingSettings",
    "StartingPosition",
    "Tail",
]

StartingPosition = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]

#: How the rest of a batch comes back after a partial failure. The AWS documentation describes both ways, and there is
#: no record of which one the service uses.
Tail = Literal["alone", "topped up", "either"]

REPORT_BATCH_ITEM_FAILURES: Final = "ReportBatchItemFailures"

#: "Payload size of 6 MB" for a synchronous invocation. Lambda's own error message names 6291456 bytes.
PAYLOAD_BYTES: Final = 6 * 1024 * 1024

#: Each number's name, its limits, and whether -1 stands for "without limit".
_RANGES: Final[tuple[tuple[str, float, float, bool], ...]] = (
    ("batch_size", 1, 10_000, False),
    ("maximum_batching_window_in_seconds", 0, 300, False),
    ("function_timeout_in_seconds", 0, 900, False),
    ("maximum_retry_attempts", 0, 10_000, True),
    ("maximum_record_age_in_seconds", 0, 604_800, True),  # the service's minimum is 60, which is long for a test
    ("poll_interval_in_seconds", 0.001, 60, False),
    ("retry_base_in_seconds", 0, 3_600, False),
    ("retry_limit_in_seconds", 0, 3_600, False),
    ("parallelization_factor", 1, 10, False),
)


class FailureStore(Protocol):
    """The method that a store of discarded batches needs. Every obstore store has it."""

    def put_async(self, path: str, file: bytes, /) -> Awaitable[Any]: ...


OnFailure = Callable[[dict[str, Any]], Awaitable[None] | None]


class MappingKeywords(TypedDict, total=False):
    """The keyword arguments of `EventSourceMapping`. Their defaults are in `MappingSettings`."""

    #: The stream to read; by default that of the `LocalKinesis`.
    stream_name: str | None
    #: Maximum number of records in an invocation, 1 to 10,000. About 5,000 records of 498 bytes fill the event's 6 MB.
    batch_size: int
    #: How long a batch waits to be filled, 0 to 300.
    maximum_batching_window_in_seconds: float
    #: Without "ReportBatchItemFailures", the function's response is ignored.
    function_response_types: Sequence[str]
    #: TRIM_HORIZON starts with the oldest record, LATEST with the next one, and AT_TIMESTAMP with the first record that
    #: arrived at `starting_position_timestamp`, in seconds since the epoch, or later.
    starting_position: StartingPosition
    starting_position_timestamp: float | None
    #: Timeout of an invocation; Lambda's maximum is 900.
    function_timeout_in_seconds: float
    #: Number of retries of a batch that makes no progress. -1 retries until its records expire.
    maximum_retry_attempts: int
    #: Older records are discarded before an invocation. -1 keeps all records.
    maximum_record_age_in_seconds: float
    #: Halve a batch that failed as a whole.
    bisect_batch_on_function_error: bool
    #: Called (and awaited, if it is async) with the service's document of each discarded batch, as a queue or a topic
    #: receives it: it names the records and does not contain them.
    on_failure: OnFailure | None
    #: An obstore store that receives the same document as a bucket does: with the records, under the service's keys,
    #: `aws/lambda/<mapping>/<shard>/YYYY/MM/DD/...`.
    on_failure_store: FailureStore | None
    #: Time between two reads of a shard; the service reads once a second.
    poll_interval_in_seconds: float
    #: The pause before the first retry, which doubles up to the limit.
    retry_base_in_seconds: float
    retry_limit_in_seconds: float
    #: The function's name in its context.
    function_name: str
    #: The function's memory in its context; it is not enforced.
    memory_limit_in_mb: int
    #: Number of batches of one shard that are processed at the same time, 1 to 10. The records of a partition key stay
    #: in order. A plain function still takes one call at a time.
    parallelization_factor: int
    #: After a failure inside a batch, the rest comes back "alone", or "topped up" with newer records, or "either", by a
    #: random choice. AWS promises neither.
    tail: Tail
    #: Seed of these choices.
    seed: int


class MappingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `MappingKeywords` with their defaults.

    Raises:
        InvalidArgumentError: a setting is out of its range.
    """

    stream_name: str | None = None
    batch_size: int = 4_900
    maximum_batching_window_in_seconds: float = 5.0
    function_response_types: Sequence[str] = (REPORT_BATCH_ITEM_FAILURES,)
    starting_position: StartingPosition = "TRIM_HORIZON"
    starting_position_timestamp: float | None = None
    function_timeout_in_seconds: float = 300.0
    maximum_retry_attempts: int = -1
    maximum_record_age_in_seconds: float = -1
    bisect_batch_on_function_error: bool = False
    on_failure: OnFailure | None = None
    on_failure_store: FailureStore | None = None
    poll_interval_in_seconds: float = 1.0
    retry_base_in_seconds: float = 0.1
    retry_limit_in_seconds: float = 60.0
    function_name: str = "truckstream"
    memory_limit_in_mb: int = 512
    parallelization_factor: int = 1
    tail: Tail = "alone"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high, open_ended in _RANGES:
            value = getattr(self, name)
            if not (low <= value <= high or (open_ended and value == -1)):
                rule = f"must be from {low:g} to {high:g}" + (", or -1" if open_ended else "")
                raise InvalidArgumentError(name, value, rule)
        for name, known in (("starting_position", get_args(StartingPosition)), ("tail", get_args(Tail))):
            if getattr(self, name) not in known:
                raise InvalidArgumentError(name, getattr(self, name), f"must be {' or '.join(known)}")
        if (self.starting_position == "AT_TIMESTAMP") != (self.starting_position_timestamp is not None):
            rule = "must be given with starting_position AT_TIMESTAMP, and only then"
            raise InvalidArgumentError("starting_position_timestamp", self.starting_position_timestamp, rule)
        if set(self.function_response_types) - {REPORT_BATCH_ITEM_FAILURES}:
            rule = f"can only contain {REPORT_BATCH_ITEM_FAILURES}"
            raise InvalidArgumentError("function_response_types", self.function_response_types, rule)

    @property
    def reports_item_failures(self) -> bool:
        """Whether the function's response counts."""
        return REPORT_BATCH_ITEM_FAILURES in self.function_response_types
