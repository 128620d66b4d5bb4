"""The interface through which a consumer reads one stream; `KinesisClient` implements it over the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from truckstream.kinesis.reading.position import Position
    from truckstream.kinesis.reading.shard_record import RecordsPage
    from truckstream.kinesis.responses import StreamSummary
    from truckstream.kinesis.shard_map import Shard

__all__ = ["ReadingClient"]


class ReadingClient(Protocol):
    """Reads one stream. Each call is one attempt, may be cancelled, and raises `RequestFailedError` if it fails."""

    stream_name: str

    async def open(self) -> None:
        """Connect. Called once, on the event loop that reads."""

    async def list_shards(self) -> list[Shard]:
        """Return all shards that still hold records, closed ones included."""

    async def summary(self) -> StreamSummary:
        """Return the stream's ARN and when it was created."""

    async def get_shard_iterator(self, shard_id: str, position: Position) -> str:
        """Return an iterator, which is valid for five minutes."""

    async def get_records(self, iterator: str, shard_id: str, limit: int = 10_000) -> RecordsPage:
        """Return the next records at an iterator, up to `limit` of them and up to 10 MiB.

        An iterator that has expired fails with the code ExpiredIteratorException.
        """

    async def register_consumer(self, name: str) -> str:
        """Register a consumer with enhanced fan-out, or find it; return its ARN when it is ACTIVE."""

    def subscribe(self, consumer_arn: str, shard_id: str, position: Position) -> AsyncIterator[RecordsPage]:
        """Yield the events of one subscription, which the service ends after five minutes."""

    async def close(self) -> None:
        """Close the sockets. May be called twice."""
