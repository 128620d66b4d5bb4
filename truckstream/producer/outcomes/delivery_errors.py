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

if TYPE_CHECKING:
    from truckstream.errors import TruckstreamError
    from truckstream.producer.queueing.outbox import QueuedRecord

__all__ = ["closed_before_sending", "closed_in_flight", "forked", "rejected", "timed_out"]


def timed_out(record: QueuedRecord, delivery_timeout: float) -> TruckstreamError:
    """Return the error of a record whose deadline passed."""
    text = f"not acknowledged within {delivery_timeout:g} s, in {record.attempts} attempts"
    return DeliveryTimeoutError(text, attempts=record.attempts, may_be_stored=record.maybe_duplicate)


def rejected(record: QueuedRecord, error: ServiceError) -> TruckstreamError:
    """Return the error of a record that the service rejected for good.

    It is the service's own error, unless an earlier attempt may have stored the record.
    """
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


def forked(record: QueuedRecord) -> TruckstreamError:
    """Return the error of a record's copy in a process that was forked from the producer's."""
    text = "this process was forked before the record had an outcome: its producer is in the parent"
    return DeliveryUnknownError(text, attempts=record.attempts, may_be_stored=True)
