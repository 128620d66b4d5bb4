"""Every error that truckstream raises, grouped by who must act.

- `UsageError`: you. The call, the data or the configuration breaks a rule; the same call fails again.
- `ServiceError`: the service refused or did not answer.
- `DeliveryError`: one record's fate, raised where its `Delivery` is awaited.

Two questions are attributes of each error, so that no caller keeps a list of classes:
`may_be_stored` (could the record be in the stream all the same?) and `retryable` (can the same call
succeed later?). Errors of other libraries are translated where they enter, with their cause kept.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - free here, and what a reader of the signature looks up

__all__ = [
    "AwsError",
    "BrokenAggregateError",
    "BufferFullError",
    "ConfigurationError",
    "DeadlineError",
    "DeliveryError",
    "DeliveryErrorGroup",
    "DeliveryTimeoutError",
    "DeliveryUnknownError",
    "DeploymentError",
    "InvalidArgumentError",
    "InvalidRecordError",
    "PackageError",
    "ProducerClosedError",
    "RecordTooLargeError",
    "ServiceError",
    "StoreError",
    "StreamNotFoundError",
    "TruckstreamError",
    "UsageError",
    "WrongEventLoopError",
]


class TruckstreamError(Exception):
    """The root: `except TruckstreamError` catches whatever this library raises on purpose."""

    #: True if the record that this error speaks of may be in the stream nevertheless.
    may_be_stored: bool = False
    #: True if the same call can succeed later without a change on your side.
    retryable: bool = False


# --- You must act -------------------------------------------------------------------------------


class UsageError(TruckstreamError):
    """The call, the data or the configuration breaks a rule."""


class InvalidArgumentError(UsageError, ValueError):
    """An argument breaks a rule. `argument`, `value` and `rule` say which."""

    def __init__(self, argument: str, value: object, rule: str) -> None:
        super().__init__(f"{argument} is {_short(value)}: {rule}")
        self.argument = argument
        self.value = value
        self.rule = rule


class InvalidRecordError(UsageError, ValueError):
    """A record breaks a rule of its schema.

    `code` is one of the reason codes of `truckstream.record`, `field` the record's field (None when the
    whole record is meant), `value` what stood there and `rule` what should have.
    """

    def __init__(self, code: str, field: str | None, value: object, rule: str) -> None:
        where = "record" if field is None else field
        super().__init__(f"{where}: {rule}" if code == "missing_field" else f"{where} is {_short(value)}: {rule}")
        self.code = code
        self.field = field
        self.value = value
        self.rule = rule


class BrokenAggregateError(UsageError, ValueError):
    """These bytes are no aggregate of the KPL's format, or a broken one.

    `reason` is one of the codes of `truckstream.kpl.REASONS`, `detail` says what stood there. `is_aggregate` is False
    where the KCL, too, takes the bytes for a plain record: without the magic number, or with another MD5.
    """

    def __init__(self, reason: str, detail: str, *, is_aggregate: bool = True) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.is_aggregate = is_aggregate


class ConfigurationError(UsageError, ValueError):
    """A setting is missing or malformed. The message says which, and how to set it."""

    def __init__(self, setting: str, problem: str, hint: str) -> None:
        super().__init__(f"{setting} {problem}. {hint}")
        self.setting = setting
        self.problem = problem
        self.hint = hint


class PackageError(UsageError):
    """The function's zip cannot be built: a wheel is missing for its platform, or it would be too large."""


class RecordTooLargeError(UsageError, ValueError):
    """A record (data and partition key) is larger than can ever be sent. `size` and `limit` in bytes."""

    def __init__(self, size: int, limit: int, whose: str) -> None:
        super().__init__(f"the record has {size:,} bytes with its partition key; {whose} is {limit:,} bytes")
        self.size = size
        self.limit = limit


class BufferFullError(UsageError):
    """`try_put` found no room: wait for deliveries, or use `put`, which waits for you."""

    retryable = True

    def __init__(self, size: int, free: int) -> None:
        super().__init__(f"the record takes {size:,} bytes of the buffer and {free:,} are free")
        self.size = size
        self.free = free


class ProducerClosedError(UsageError):
    """The producer is closed, was never opened, or closed before it could send this record."""


class WrongEventLoopError(UsageError, RuntimeError):
    """A producer, or a delivery of one, is used on another event loop than the one that opened the producer."""


# --- The service must act -----------------------------------------------------------------------


class ServiceError(TruckstreamError):
    """The service refused. `code` is its own error type (`AccessDeniedException`), `message` its own words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


class AwsError(ServiceError):
    """AWS refused a call that provisions, deploys or watches. `operation` is the call, `hint` what helps."""

    def __init__(self, code: str, message: str, *, operation: str, hint: str) -> None:
        super().__init__(code, message)
        self.args = (f"{operation}: {self}. {hint}" if hint else f"{operation}: {self}",)
        self.operation = operation
        self.hint = hint


class DeploymentError(ServiceError):
    """CloudFormation did not do what it was asked to, and says why."""


class StreamNotFoundError(ServiceError):
    """The stream does not exist in this account and region."""


class StoreError(ServiceError):
    """An object was not stored: the store refused, did not answer, or holds something else under its key.

    It may have been stored all the same when the answer got lost; the same call finds that out and stores it once.
    """

    may_be_stored = True
    retryable = True


class DeadlineError(TruckstreamError):
    """Too little time was left to store these records before the caller's deadline; they were not tried, or cut off."""

    may_be_stored = True
    retryable = True


# --- One record's fate --------------------------------------------------------------------------


class DeliveryError(TruckstreamError):
    """The record was not acknowledged. `attempts` counts the requests that carried it."""

    def __init__(self, message: str, *, attempts: int, may_be_stored: bool = False) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.may_be_stored = may_be_stored


class DeliveryTimeoutError(DeliveryError):
    """`delivery_timeout` passed before the record was acknowledged."""

    retryable = True


class DeliveryUnknownError(DeliveryError):
    """The record's fate is not known: the producer was closed, or the process forked, while it was under way."""


class DeliveryErrorGroup(ExceptionGroup[Exception], TruckstreamError):  # noqa: N818 - as ExceptionGroup itself
    """Failures of records that nobody awaited, raised by `flush` and on leaving the producer's context.

    It holds at most the first 100; `total` counts them all. Of those beyond the first 100 it counts also what was
    awaited since.
    """

    total: int = 0

    def derive(self, excs: Sequence[Exception], /) -> DeliveryErrorGroup:  # type: ignore[override]
        derived = DeliveryErrorGroup(self.message, excs)
        derived.total = self.total
        return derived


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
