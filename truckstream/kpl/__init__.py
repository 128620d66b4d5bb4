"""The KPL's aggregated records, many user records in one Kinesis record: an encoder and a decoder without protobuf."""

from __future__ import annotations

from truckstream.kpl.aggregate import Aggregate
from truckstream.kpl.decoder import REASONS, UserRecord, decode, is_aggregate
from truckstream.kpl.wire_format import MAGIC

__all__ = ["MAGIC", "REASONS", "Aggregate", "UserRecord", "decode", "is_aggregate"]
