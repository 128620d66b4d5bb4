"""User records in one Kinesis record: aggregates of the KPL, and envelopes. All readers open both here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.envelope import MAGIC as ENVELOPE_MAGIC
from truckstream.envelope import read as read_envelope
from truckstream.errors import BrokenAggregateError
from truckstream.kpl import MAGIC as KPL_MAGIC
from truckstream.kpl import decode

if TYPE_CHECKING:
    from truckstream.kpl import UserRecord

__all__ = ["MAGICS", "deaggregate"]

#: How data begin that may hold user records, the lowest first. No text in UTF-8 with letters of any alphabet begins so.
MAGICS: Final = (ENVELOPE_MAGIC, KPL_MAGIC)


def deaggregate(data: bytes) -> list[UserRecord] | None:
    """Return the user records of an aggregate or an envelope in their order; None for a plain record.

    Bytes that begin like an aggregate of the KPL but have another MD5 are a plain record, as they are to the KCL. User
    records are not taken apart again.

    Raises:
        BrokenAggregateError: the record is an aggregate or an envelope, and broken.
        ConfigurationError: it is an envelope, and no package for zstd is installed.
    """
    if data.startswith(ENVELOPE_MAGIC):
        return read_envelope(data)
    if not data.startswith(KPL_MAGIC):
        return None
    try:
        return decode(data)
    except BrokenAggregateError as error:
        if error.is_aggregate:
            raise
        return None
