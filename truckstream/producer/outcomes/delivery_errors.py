"""The errors of records that were not acknowledged: their messages, and whether the record may be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.errors import (
    DeliveryError,
    DeliveryTimeoutError,
    DeliveryUnknownError,
    ProducerClosedError,
    ServiceError,
)
from truckstream.kinesis.failures import service_error

if TYPE_CHECKING:
    from truckstream.errors import TruckstreamError
    from truckstream.producer.queueing.outbox import QueuedRecord

__all__ = [
    "closed_before_sending",
    "closed_in_flight",
    "forked",
    "rejected",
    "timed_out",
    "timed_out_in_flight",
    "withdrawn",
]


def timed_out(
    record: QueuedRecord, delivery_timeout: float, last_failure: ServiceError | None = None
) -> TruckstreamError:
    """Return the error of a record whose deadline passed while it waited for its first or another attempt.

    `last_failure` is why the producer's latest request failed. It is the cause if the record itself was never sent: it
    waited because others failed.
    """
    failures = record.failures
    return _timed_out(
        record,
        f"not acknowledged within {delivery_timeout:g} s, in {record.attempts} attempts",
        failures.attempts_by_kind if failures else {},
        failures.cause if failures else last_failure,
    )


def timed_out_in_flight(record: QueuedRecord, delivery_timeout: float, *, is_withdrawn: bool) -> TruckstreamError:
    """Return the error of a record whose deadline passed while a request with it was in flight.

    `is_withdrawn`: nothing of that request was sent, and nothing will be.
    """
    state, kind = ("was not sent yet", "not sent") if is_withdrawn else ("is still under way", "in flight")
    attempt = f"attempt {record.attempts} {state}"
    failures = record.failures
    counts = failures.attempts_by_kind if failures else {}
    error = _timed_out(
        record,
        f"not acknowledged within {delivery_timeout:g} s: {attempt}",
        counts | {kind: counts.get(kind, 0) + 1},
        failures.cause if failures else None,
    )
    error.__cause__ = error.__cause__ or ServiceError("TimeoutError", attempt)
    return error


def _timed_out(
    record: QueuedRecord, text: str, attempts_by_kind: dict[str, int], cause: ServiceError | None
) -> DeliveryTimeoutError:
    error = DeliveryTimeoutError(
        f"{text}; the last failure was {cause}" if cause else text,
        attempts=record.attempts,
        may_be_stored=record.maybe_duplicate,
        attempts_by_kind=attempts_by_kind,
    )
    error.__cause__ = cause
    return error


def rejected(record: QueuedRecord, code: str, message: str) -> TruckstreamError:
    """Return the error of a record that the service rejected for good.

    It is the service's own error, unless an earlier attempt may have stored the record.
    """
    error = service_error(code, message)
    if not record.maybe_duplicate:
        return error
    text = f"rejected after an attempt whose outcome is unknown: {error}"
    wrapped = DeliveryError(text, attempts=record.attempts, may_be_stored=True)
    wrapped.__cause__ = error
    return wrapped


def closed_in_flight(record: QueuedRecord) -> TruckstreamError:
    """Return the error of a record in a request that was in flight when the producer was closed."""
    text = "the producer was closed while a request with this record was in flight"
    return DeliveryUnknownError(text, attempts=record.attempts, may_be_stored=True)


def closed_before_sending(record: QueuedRecord) -> TruckstreamError:
    """Return the error of a record that waited for its first or another attempt when the producer was closed."""
    if record.attempts == 0:
        return ProducerClosedError("the producer was closed before it sent this record")
    text = f"the producer was closed before attempt {record.attempts + 1} at this record"
    return DeliveryError(text, attempts=record.attempts, may_be_stored=record.maybe_duplicate)


def withdrawn(record: QueuedRecord) -> TruckstreamError:
    """Return the error of a record in a request of which nothing had been sent when the producer was closed."""
    text = f"the producer was closed before attempt {record.attempts} at this record was sent"
    return DeliveryError(text, attempts=record.attempts, may_be_stored=record.maybe_duplicate)


def forked(record: QueuedRecord) -> TruckstreamError:
    """Return the error of a record's copy in a process that was forked from the producer's."""
    text = "this process was forked before the record had an outcome: its producer is in the parent"
    return DeliveryUnknownError(text, attempts=record.attempts, may_be_stored=True)
