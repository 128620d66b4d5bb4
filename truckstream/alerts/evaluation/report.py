"""A record as the evaluator takes it: valid, with its times."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

import msgspec

from truckstream.errors import InvalidRecordError
from truckstream.record import TruckRecord

__all__ = ["LONGEST_LEAD", "TruckReport", "make_report", "read_report"]

#: A report whose time is further ahead of its arrival than this is dropped: after a report of the year 2099 every right
#: one would count as late. A fleet that is simulated faster than real time is ahead for hours.
LONGEST_LEAD: Final = 86_400.0

_NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a time without a zone is in UTC
_EPOCH: Final = _NAIVE_EPOCH.replace(tzinfo=UTC)

#: The years 1 to 9999 in UTC, which a datetime can hold. With an offset a time can lie outside of them.
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_END: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp() + 86_400


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
    except InvalidRecordError:
        return None
    return make_report(record, data, arrival)


def make_report(record: TruckRecord, data: bytes, arrival: float | None = None) -> TruckReport | None:
    """Return the report of a record that is decoded already; None if it has no possible time.

    Args:
        record: the record, which is valid.
        data: its bytes.
        arrival: as for `read_report`.
    """
    try:
        moment = datetime.fromisoformat(record.timestamp)
    except ValueError:
        return None
    time = (moment - (_EPOCH if moment.tzinfo else _NAIVE_EPOCH)).total_seconds()
    if arrival is None:
        arrival = time
    if not _EARLIEST <= time < _END or time > arrival + LONGEST_LEAD:
        return None
    return TruckReport(record, time, arrival, int.from_bytes(blake2b(data, digest_size=8).digest(), "big"))
