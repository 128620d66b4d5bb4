"""A record as the evaluator takes it: valid, with its times."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

import msgspec

from truckstream.errors import InvalidRecordError
from truckstream.record import TruckRecord

__all__ = ["LONGEST_LEAD", "TruckReport", "read_report"]

#: A report whose time is further ahead of its arrival than this is dropped: after a report of the year 2099 every right
#: one would count as late. A fleet that is simulated faster than real time is ahead for hours.
LONGEST_LEAD: Final = 86_400.0


class TruckReport(msgspec.Struct, frozen=True, gc=False):
    """A valid record of a truck. Times are in seconds since the epoch."""

    record: TruckRecord
    #: The time that the truck wrote into it.
    time: float
    #: When the service stored it.
    arrival: float
    #: Recognises the record when it comes again.
    digest: int


def read_report(data: bytes, arrival: float | None = None) -> TruckReport | None:
    """Decode a record; None if it is invalid, or has no possible time.

    Args:
        data: the record's bytes.
        arrival: when the service stored it, in seconds since the epoch; None for a record that has no such time, such
            as one of a stored object. Then it counts as arrived at its event time.
    """
    try:
        record = TruckRecord.from_json(data)
        moment = datetime.fromisoformat(record.timestamp)
        time = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        datetime.fromtimestamp(time, UTC)  # the first and last days of the calendar can lie outside of it in UTC
    except (InvalidRecordError, ValueError, OverflowError, OSError):
        return None
    if arrival is None:
        arrival = time
    if time > arrival + LONGEST_LEAD:
        return None
    return TruckReport(record, time, arrival, int.from_bytes(blake2b(data, digest_size=8).digest(), "big"))
