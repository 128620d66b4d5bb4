"""What the function gets: the service's event, and how many bytes its JSON has.

The shape is that of https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html (read 2026-11-23). A 498-byte
record makes 1,207 bytes of event, so that 6 MB hold some 5,000 whatever the batch size: the bound has to be computed
on the event and not on the data. It is computed without encoding the event: the parts of a record that vary have known
lengths, and the rest is measured once for a shard.
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
        role_arn: whom the mapping acts as.
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
        """The event of a batch."""
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
        """The bytes that a record takes in an event's JSON, its comma included."""
        data = (len(record.data) + 2) // 3 * 4
        key = len(_encode(record.partition_key)) - 2
        return self._fixed_bytes + data + key + 2 * len(record.sequence_number) + len(_encode(record.arrival))

    @staticmethod
    def frame_bytes() -> int:
        """The bytes of an event without records."""
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
