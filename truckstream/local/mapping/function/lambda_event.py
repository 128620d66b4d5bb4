"""The event for the function, and the size of its JSON.

The shape follows https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html (read 2026-11-23). A record of 498
bytes takes 1,207 bytes of the event, so that 6 MB hold about 5,000 of them at any batch size: the limit applies to the
event and not to the data. The size is computed without encoding the event: the variable parts of a record have
known lengths, and the rest is measured once per shard.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.local.service.state.shard import Record

__all__ = ["EventMaker"]

_encode: Final = msgspec.json.Encoder().encode

#: Around the records: {"Records":[]}.
_FRAME_BYTES: Final = len(_encode({"Records": []}))


class EventMaker:
    """Makes the events of one shard.

    Args:
        shard_id: the shard.
        stream_arn: the event's source.
        region: the stream's region.
        role_arn: the mapping's role.
    """

    def __init__(self, shard_id: str, *, stream_arn: str, region: str, role_arn: str) -> None:
        self._prefix = f"{shard_id}:"
        self._common = {
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": role_arn,
            "awsRegion": region,
            "eventSourceARN": stream_arn,
        }
        empty = self._record(data="", key="", sequence_number="", arrival=0)
        self._fixed_bytes = len(_encode(empty)) - len("0") + len(",")

    def make(self, records: Sequence[Record]) -> dict[str, Any]:
        """Return the event of a batch."""
        return {
            "Records": [
                self._record(
                    data=b64encode(record.data).decode(),
                    key=record.partition_key,
                    sequence_number=record.sequence_number,
                    arrival=record.arrival,
                )
                for record in records
            ]
        }

    def size_of(self, record: Record) -> int:
        """Return the number of bytes of a record in an event's JSON, including its comma."""
        data = (len(record.data) + 2) // 3 * 4
        key = len(_encode(record.partition_key)) - 2
        return self._fixed_bytes + data + key + 2 * len(record.sequence_number) + len(_encode(record.arrival))

    @staticmethod
    def frame_bytes() -> int:
        """Return the number of bytes of an event without records."""
        return _FRAME_BYTES

    def _record(self, *, data: str, key: str, sequence_number: str, arrival: float) -> dict[str, Any]:
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": key,
                "sequenceNumber": sequence_number,
                "data": data,
                "approximateArrivalTimestamp": arrival,
            },
            "eventID": self._prefix + sequence_number,
            **self._common,
        }
