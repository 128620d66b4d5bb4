"""User records in one Kinesis record: aggregates of the KPL, and envelopes. All readers open both here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.envelope import MAGIC as ENVELOPE_MAGIC
from truckstream.envelope import read as read_envelope
from truckstream.envelope import stated_size
from truckstream.errors import BrokenAggregateError
from truckstream.kpl import MAGIC as KPL_MAGIC
from truckstream.kpl import decode

if TYPE_CHECKING:
    from truckstream.kpl import UserRecord

__all__ = ["MAGICS", "deaggregate", "most_user_records"]

#: A user record has two tags in an aggregate of the KPL, of its field and of its data. A tag begins with one of these
#: bytes: protobuf allows numbers that take more bytes than they need.
_KPL_TAGS: Final = (b"\x1a", b"\x9a")

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


def most_user_records(data: bytes) -> tuple[int, int]:
    """Return bounds for the number of user records that `deaggregate` can make of `data`, and for their bytes.

    Nothing is taken apart. A plain record counts as one. For an envelope these are the numbers of its header. For an
    aggregate of the KPL they are close to the truth where the data are text.
    """
    if data.startswith(ENVELOPE_MAGIC):
        return stated_size(data)
    if data.startswith(KPL_MAGIC):
        return max(1, sum(map(data.count, _KPL_TAGS)) // 2), len(data)
    return 1, len(data)
