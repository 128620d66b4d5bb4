"""Every error that truckstream raises, grouped by the side that must act.

- `UsageError`: your side. The call, the data or the configuration breaks a rule; the same call fails again.
- `ServiceError`: the service's side. It returned an error, or no response.
- `DeliveryError`: the outcome of one record, raised where its `Delivery` is awaited.

Two attributes of each error answer the questions of a caller, so that no caller keeps a list of classes:
`may_be_stored` (may the record be in the stream nevertheless?) and `retryable` (can the same call succeed later?).
Errors of other libraries are translated where they enter, with their cause kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - free here, and readers of the signature look them up

__all__ = [
    "AlertTargetError",
    "AwsError",
    "BrokenAggregateError",
    "BrokenEnvelopeError",
    "BufferFullError",
    "ChecksumError",
    "ConfigurationError",
    "ConsumerClosedError",
    "DeadlineError",
    "DeliveryError",
    "DeliveryErrorGroup",
    "DeliveryTimeoutError",
    "DeliveryUnknownError",
    "DeploymentError",
    "IcebergError",
    "InvalidArgumentError",
    "InvalidQueryError",
    "InvalidRecordError",
    "LeaseLostError",
    "LeaseTableError",
    "PackageError",
    "ProducerClosedError",
    "RecordTooLargeError",
    "SearchError",
    "ServiceError",
    "StoreError",
    "StreamNotFoundError",
    "TruckstreamError",
    "UsageError",
    "WindowStateError",
    "WindowsFullError",
    "WrongEventLoopError",
]


class TruckstreamError(Exception):
    """The root: `except TruckstreamError` catches every error that this library raises on purpose."""

    #: Whether the record of this error may be in the stream nevertheless.
    may_be_stored: bool = False
    #: Whether the same call can succeed later without a change on your side.
    retryable: bool = False


# --- Your side must act -------------------------------------------------------------------------


class UsageError(TruckstreamError):
    """The call, the data or the configuration breaks a rule."""


class InvalidArgumentError(UsageError, ValueError):
    """An argument breaks a rule. Its attributes are `argument`, `value` and `rule`."""

    def __init__(self, argument: str, value: object, rule: str) -> None:
        super().__init__(f"{argument} is {_short(value)}: {rule}")
        self.argument = argument
        self.value = value
        self.rule = rule


class InvalidQueryError(InvalidArgumentError):
    """A search query breaks a rule of its language at `position`, the index of a character of it, from 0."""

    def __init__(self, query: str, position: int, rule: str) -> None:
        super().__init__("query", query, f"at character {position + 1}: {rule}")
        self.position = position


class InvalidRecordError(UsageError, ValueError):
    """A record breaks a rule of its schema.

    `code` is one of `truckstream.record.REASONS`, `field` the name of the record's field (None for the whole record),
    `value` the field's value and `rule` the rule that it breaks.
    """

    def __init__(self, code: str, field: str | None, value: object, rule: str) -> None:
        where = "record" if field is None else field
        broken = where if code == "missing_field" else f"{where} is {_short(value)}"
        super().__init__(printable(f"{broken}: {rule}"))
        self.code = code
        self.field = field
        self.value = value
        self.rule = rule


class BrokenAggregateError(UsageError, ValueError):
    """The bytes are not an aggregate in the KPL's format, or the aggregate is broken.

    `reason` is one of `truckstream.kpl.REASONS`, `detail` the details for people. `is_aggregate` is False where the
    KCL, too, takes the bytes for a plain record: without the magic number, or with another MD5.
    """

    def __init__(self, reason: str, detail: str, *, is_aggregate: bool = True) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.is_aggregate = is_aggregate


class BrokenEnvelopeError(BrokenAggregateError):
    """The bytes are not an envelope, truckstream's own compressed aggregate, or the envelope is broken.

    `reason` is one of `truckstream.envelope.REASONS`. `is_aggregate` is False for bytes without the magic number.
    """


class ConfigurationError(UsageError, ValueError):
    """A setting is missing or invalid. Its attributes are `setting`, `problem` and `hint`, which is how to set it."""

    def __init__(self, setting: str, problem: str, hint: str) -> None:
        super().__init__(f"{setting} {problem}. {hint}")
        self.setting = setting
        self.problem = problem
        self.hint = hint


class PackageError(UsageError):
    """The function's zip cannot be built: a wheel is missing for its platform, or it would be too large."""


class RecordTooLargeError(UsageError, ValueError):
    """A record, data and partition key together, is larger than can ever be sent. `size` and `limit` are bytes."""

    def __init__(self, size: int, limit: int, limit_name: str) -> None:
        super().__init__(f"the record has {size:,} bytes with its partition key; {limit_name} is {limit:,} bytes")
        self.size = size
        self.limit = limit


class BufferFullError(UsageError):
    """`try_put` found no room in the buffer. `put` waits for room instead. `size` and `free` are bytes."""

    retryable = True

    def __init__(self, size: int, free: int) -> None:
        super().__init__(f"the record takes {size:,} bytes of the buffer, and {free:,} are free")
        self.size = size
        self.free = free


class ProducerClosedError(UsageError):
    """The producer is closed, was never opened, or closed before it could send this record."""


class ConsumerClosedError(UsageError):
    """The consumer is closed, or was never opened."""


class WindowsFullError(UsageError):
    """The windows of a shard would need more than `max_groups` groups. No record was dropped."""

    def __init__(self, shard_id: str, max_groups: int) -> None:
        super().__init__(
            f"the windows of {shard_id} have max_groups={max_groups:,} pairs of a key and a window, and a record needs "
            'one more. Raise max_groups, use fewer keys or a smaller allowed_lateness, or set when_full="drop"'
        )
        self.shard_id = shard_id
        self.max_groups = max_groups


class WindowStateError(UsageError, ValueError):
    """A stored state of windows cannot be used. Its attributes are `problem` and `hint`."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(f"the state of the windows cannot be used: {problem}. {hint}")
        self.problem = problem
        self.hint = hint


class WrongEventLoopError(UsageError, RuntimeError):
    """A producer, one of its deliveries or a consumer was used on another event loop than the one that opened it."""


# --- The service's side must act ----------------------------------------------------------------


class ServiceError(TruckstreamError):
    """The service returned an error. `code` is its error type (such as `AccessDeniedException`), `message` its text.

    `hint` names a remedy; it is empty if none is known. The error is `retryable` if the service, or
    the way to it, was in trouble that can pass.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        text = f"{code}: {message}" if message else code
        super().__init__(f"{text.rstrip('.')}. {hint}" if hint else text)
        self.code = code
        self.message = message
        self.hint = hint


class LeaseTableError(ServiceError):
    """The lease table cannot be reached, or returned an error."""


class LeaseLostError(TruckstreamError):
    """This worker does not have the lease of this shard any more, so that its checkpoint was refused.

    Another worker has it, or will have it, and reads on from the last checkpoint that was accepted. A lease is lost if
    it cannot be renewed in time, because the event loop was blocked or the lease table was out of reach; if the worker
    did not hand it over within `hand_over_timeout`; and when the consumer is closed.
    """

    def __init__(self, shard_id: str) -> None:
        super().__init__(
            f"this worker does not have the lease of {shard_id} any more: it was closed, or could not renew or hand "
            "over the lease in time. Drop these records: they come again, at the worker that has the lease now"
        )
        self.shard_id = shard_id


class AwsError(ServiceError):
    """AWS returned an error to a call that deploys or watches. `operation` is the call, `hint` the likely remedy."""

    def __init__(self, code: str, message: str, *, operation: str, hint: str) -> None:
        super().__init__(code, message)
        self.args = (f"{operation}: {self}. {hint}" if hint else f"{operation}: {self}",)
        self.operation = operation
        self.hint = hint


class DeploymentError(ServiceError):
    """CloudFormation did not complete an operation; the message has its reason."""


class AlertTargetError(ServiceError):
    """A target did not accept an alert. It is `retryable` unless the same request would fail again."""

    may_be_stored = True

    def __init__(self, code: str, message: str, *, retryable: bool = True) -> None:
        super().__init__(code, message)
        self.retryable = retryable


class StreamNotFoundError(ServiceError):
    """The stream does not exist in this account and region."""


class StoreError(ServiceError):
    """An object was not stored: the store returned an error or no response, or holds another object under its key.

    `code` is the store's own error code, `hint` what to do about it; it is empty if nothing is known to help. If the
    response was lost, the object may be stored nevertheless. The same call finds that out and stores it once.
    """

    may_be_stored = True

    def __init__(self, code: str, message: str, *, hint: str = "", retryable: bool = True) -> None:
        super().__init__(code, message)
        if hint:
            self.args = (f"{self}. {hint}",)
        self.hint = hint
        self.retryable = retryable


class SearchError(ServiceError):
    """OpenSearch rejected a request, did not answer, or gave up a part of the answer.

    Documents of such a request may be in the index nevertheless. Writing them again replaces them.
    """

    may_be_stored = True

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(code, message)
        self.retryable = retryable


class ChecksumError(TruckstreamError):
    """A compacted file does not hold the rows of its sources, or is damaged. It was not stored, or not counted."""


class IcebergError(TruckstreamError):
    """A compacted file was not added to its Iceberg table, or it is unknown whether it was."""

    may_be_stored = True
    retryable = True


class DeadlineError(TruckstreamError):
    """Too little time was left to store these records before the caller's deadline: they were not tried, or cut off."""

    may_be_stored = True
    retryable = True


# --- The outcome of one record ------------------------------------------------------------------


class DeliveryError(TruckstreamError):
    """The record was not acknowledged. `attempts` counts the requests that carried it."""

    def __init__(self, message: str, *, attempts: int, may_be_stored: bool = False) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.may_be_stored = may_be_stored


class DeliveryTimeoutError(DeliveryError):
    """`delivery_timeout` passed before the record was acknowledged.

    The last failure is its `__cause__`. `attempts_by_kind` counts the attempts by the kind of their failure, such as
    {"throttled": 3, "ambiguous": 1}; an attempt that was still under way counts as "in flight".
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        attempts: int,
        may_be_stored: bool = False,
        attempts_by_kind: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(message, attempts=attempts, may_be_stored=may_be_stored)
        self.attempts_by_kind = dict(attempts_by_kind or {})


class DeliveryUnknownError(DeliveryError):
    """The record's outcome is unknown: the producer was closed, or the process forked, while it was in flight."""


class DeliveryErrorGroup(ExceptionGroup[Exception], TruckstreamError):  # noqa: N818 - as ExceptionGroup itself
    """Failures of deliveries that nobody awaited, raised by `flush` and on leaving the producer's context.

    The group holds the first 100 at most; `total` counts all of them. Among those beyond the first 100, it also counts
    deliveries that have been awaited since.
    """

    total: int = 0

    def derive(self, excs: Sequence[Exception], /) -> DeliveryErrorGroup:  # type: ignore[override]
        derived = DeliveryErrorGroup(self.message, excs)
        derived.total = self.total
        return derived


def printable(text: str) -> str:
    """Return a text from a record for a line of a log: characters that could end the line or hide in it are escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _short(value: object, limit: int = 80) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an object of the user's own
        return f"an object of {type(value).__name__}"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
