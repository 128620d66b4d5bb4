"""The errors of records that were not acknowledged: what each says, and whether the record may be stored."""

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
    from truckstream.producer.queueing.queued_record import Entry

__all__ = ["closed_under_way", "closed_waiting", "forked", "refused", "timed_out"]


def timed_out(entry: Entry, delivery_timeout: float) -> TruckstreamError:
    """Its deadline passed."""
    text = f"not acknowledged within {delivery_timeout:g} s, in {entry.attempts} attempts"
    return DeliveryTimeoutError(text, attempts=entry.attempts, may_be_stored=entry.maybe_duplicate)


def refused(entry: Entry, error: ServiceError) -> TruckstreamError:
    """The service will not have it: its own words, unless an attempt before that may have stored it."""
    if not entry.maybe_duplicate:
        return error
    text = f"refused after an attempt whose outcome is not known: {error}"
    told = DeliveryError(text, attempts=entry.attempts, may_be_stored=True)
    told.__cause__ = error
    return told


def closed_under_way(entry: Entry) -> TruckstreamError:
    """The producer was closed while a request carried it."""
    text = "the producer was closed while a request with this record was under way"
    return DeliveryUnknownError(text, attempts=entry.attempts, may_be_stored=True)


def closed_waiting(entry: Entry) -> TruckstreamError:
    """The producer was closed while it waited for its first or another attempt."""
    if entry.attempts == 0:
        return ProducerClosedError("the producer was closed before it sent this record")
    text = f"the producer was closed before attempt {entry.attempts + 1} at this record"
    return DeliveryError(text, attempts=entry.attempts, may_be_stored=entry.maybe_duplicate)


def forked(entry: Entry) -> TruckstreamError:
    """This process is a copy of the one that sends it."""
    text = "this process was forked while the record was on its way: its producer is in the parent"
    return DeliveryUnknownError(text, attempts=entry.attempts, may_be_stored=True)
