"""A client with which a producer never sends a record twice.

A producer sends a record again if there was no response, because its users prefer a duplicate to a loss. A replay can
find out instead whether the record was stored, by reading the stream. So this client turns every failure after which
records may be stored into a response with a sequence number that no record has; the producer takes it for the end. All
other failures remain, and the producer tries again after them: nothing was stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.responses import RecordResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.kinesis.client import EncodableRecord, StreamClient
    from truckstream.kinesis.responses import StreamSummary
    from truckstream.kinesis.shard_map import Shard

__all__ = ["MAY_BE_STORED", "SingleAttemptClient"]

#: In place of a sequence number: the record may be stored.
MAY_BE_STORED: Final = "may be stored"

#: A response for one record with this code means that the record is not stored.
_THROTTLED: Final = "ProvisionedThroughputExceededException"


class SingleAttemptClient:
    """A `StreamClient` around another one."""

    def __init__(self, client: StreamClient) -> None:
        self._client = client
        self._shard_id: str | None = None

    async def open(self) -> None:
        await self._client.open()

    async def put_records(self, records: Sequence[EncodableRecord]) -> Sequence[RecordResponse]:
        try:
            responses = await self._client.put_records(records)
        except RequestFailedError as failure:
            if failure.kind is not FailureKind.AMBIGUOUS:
                raise
            return [RecordResponse(self._shard_id, MAY_BE_STORED)] * len(records)
        return [
            each if each.error_code in {None, _THROTTLED} else RecordResponse(self._shard_id, MAY_BE_STORED)
            for each in responses
        ]

    async def list_shards(self) -> list[Shard]:
        shards = await self._client.list_shards()
        self._shard_id = next((each.shard_id for each in shards), None)
        return shards

    async def summary(self) -> StreamSummary:
        return await self._client.summary()

    async def close(self) -> None:
        await self._client.close()
