"""An event source mapping's settings, with the limits of Lambda's API.

Limits and defaults: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html, read 2026-11-23.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from truckstream.errors import InvalidArgumentError

__all__ = ["PAYLOAD_BYTES", "REPORT_BATCH_ITEM_FAILURES", "MappingSettings", "StartingPosition", "Tail"]

StartingPosition = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]

#: How the rest of a batch comes again after a partial failure. AWS's pages describe both ways, and no record decides.
Tail = Literal["alone", "topped up", "either"]

REPORT_BATCH_ITEM_FAILURES: Final = "ReportBatchItemFailures"

#: "Payload size of 6 MB" for a synchronous invocation; Lambda's own refusal names 6291456 bytes.
PAYLOAD_BYTES: Final = 6 * 1024 * 1024

#: Each number's name, its limits, and whether -1 stands for "without limit".
_RANGES: Final[tuple[tuple[str, float, float, bool], ...]] = (
    ("batch_size", 1, 10_000, False),
    ("maximum_batching_window_in_seconds", 0, 300, False),
    ("function_timeout_in_seconds", 0, 900, False),
    ("maximum_retry_attempts", 0, 10_000, True),
    ("maximum_record_age_in_seconds", 0, 604_800, True),  # the service's minimum is 60; a test need not wait so long
    ("poll_interval_in_seconds", 0.001, 60, False),
    ("retry_base_in_seconds", 0, 3_600, False),
    ("retry_limit_in_seconds", 0, 3_600, False),
    ("parallelization_factor", 1, 10, False),
)


class MappingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Checked when made. Times in seconds; -1 retries or age: until the record expires."""

    batch_size: int
    maximum_batching_window_in_seconds: float
    function_response_types: tuple[str, ...]
    starting_position: StartingPosition
    starting_position_timestamp: float | None
    function_timeout_in_seconds: float
    maximum_retry_attempts: int
    maximum_record_age_in_seconds: float
    bisect_batch_on_function_error: bool
    poll_interval_in_seconds: float
    retry_base_in_seconds: float
    retry_limit_in_seconds: float
    parallelization_factor: int
    tail: Tail

    def __post_init__(self) -> None:
        for name, low, high, open_ended in _RANGES:
            value = getattr(self, name)
            if not (low <= value <= high or (open_ended and value == -1)):
                raise InvalidArgumentError(
                    name, value, f"must be from {low:g} to {high:g}" + (", or -1" if open_ended else "")
                )
        for name, known in (("starting_position", get_args(StartingPosition)), ("tail", get_args(Tail))):
            if getattr(self, name) not in known:
                raise InvalidArgumentError(name, getattr(self, name), f"must be {' or '.join(known)}")
        if (self.starting_position == "AT_TIMESTAMP") != (self.starting_position_timestamp is not None):
            rule = "must be given with starting_position AT_TIMESTAMP, and only then"
            raise InvalidArgumentError("starting_position_timestamp", self.starting_position_timestamp, rule)
        if set(self.function_response_types) - {REPORT_BATCH_ITEM_FAILURES}:
            raise InvalidArgumentError(
                "function_response_types", self.function_response_types, f"only {REPORT_BATCH_ITEM_FAILURES} is known"
            )

    @property
    def reports_item_failures(self) -> bool:
        """Whether the function's answer is looked at."""
        return REPORT_BATCH_ITEM_FAILURES in self.function_response_types
