"""Results as records of another stream, one for each row, with an identity that its readers can drop repetitions by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.stream_sql.sinks.json_rows import identified_rows

if TYPE_CHECKING:
    from truckstream.producer import Producer
    from truckstream.stream_sql.results import WindowAnswer

__all__ = ["StreamSink"]


class StreamSink:
    """Puts final results into a stream.

    Args:
        producer: an open producer of the stream.
        query_id: the query's, as `SqlOptions.query_id`.
    """

    def __init__(self, producer: Producer, query_id: str) -> None:
        self._producer = producer
        self._query_id = query_id

    async def write(self, result: WindowAnswer) -> int:
        """Put the rows, and return their number when all of them are stored.

        Raises:
            DeliveryError: a row was not stored.
            RecordTooLargeError: a row is larger than the stream takes.
        """
        deliveries = [
            await self._producer.put(data, partition_key)
            for partition_key, _, data in identified_rows(result, self._query_id)
        ]
        for delivery in deliveries:
            await delivery
        return len(deliveries)
