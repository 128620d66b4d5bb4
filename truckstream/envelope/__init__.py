"""truckstream's envelopes: many user records in one Kinesis record, compressed with zstd. README.md has the format."""

from __future__ import annotations

from truckstream.envelope.envelope import Envelope
from truckstream.envelope.reader import REASONS, is_envelope, read, stated_size
from truckstream.envelope.wire_format import MAGIC, MAX_DATA_SIZE, MAX_RAW_SIZE, MAX_RECORDS

__all__ = [
    "MAGIC",
    "MAX_DATA_SIZE",
    "MAX_RAW_SIZE",
    "MAX_RECORDS",
    "REASONS",
    "Envelope",
    "is_envelope",
    "read",
    "stated_size",
]
