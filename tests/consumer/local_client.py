"""A client of the local service within this process, on the event loop's time: for tests on virtual time."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from truckstream.kinesis.failures import FailureKind, RequestFailedError, kind_of_error
from truckstream.kinesis.reading.shard_record import ChildShard, RecordsPage, ShardRecord
from truckstream.kinesis.responses import StreamSummary
from truckstream.kinesis.shard_map import Shard
from truckstream.local.faulty_service import make_service
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Iterable

    from truckstream.kinesis.reading.position import Position

#: The time of day when the event loop's clock stands at 0.
EPOCH = 1_700_000_000.0
STREAM = "trucks"


class LocalStream:
    """A stream of the local service, with its quotas."""

    def __init__(self, shards: int = 1, *, quota_scale: float = 1.0) -> None:
        self.service = make_service(STREAM, shards, now=EPOCH, quota_scale=quota_scale)
        self._numbers = itertools.count()
        #: The data of all records that were put, by shard and in order.
        self.stored: dict[str, list[bytes]] = {}

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Carry out an operation at the present time."""
        return self.service.call(operation, request, EPOCH + asyncio.get_running_loop().time()) or {}

    def put(self, count: int, *, keys: int = 50, size: int = 20) -> None:
        """Put records of `keys` partition keys. Each has its number as data."""
        numbers = list(itertools.islice(self._numbers, count))
        for start in range(0, count, 500):
            entries = [
                {"Data": (b"%d" % number).ljust(size), "PartitionKey": f"TRUCK_{number % keys}"}
                for number in numbers[start : start + 500]
            ]
            response = self.call("PutRecords", StreamName=STREAM, Records=entries)
            for entry, result in zip(entries, response["Records"], strict=True):
                assert "ErrorCode" not in result, result
                self.stored.setdefault(result["ShardId"], []).append(entry["Data"])

    @property
    def total(self) -> int:
        """The number of records that were put."""
        return sum(map(len, self.stored.values()))

    def split(self, shard_id: str) -> None:
        """Split a shard into halves."""
        [shard] = [each for each in self._shards() if each["ShardId"] == shard_id]
        first, last = (int(shard["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
        self.call(
            "SplitShard", StreamName=STREAM, ShardToSplit=shard_id, NewStartingHashKey=str((first + last) // 2 + 1)
        )

    def merge(self, shard_id: str, adjacent: str) -> None:
        """Merge two shards."""
        self.call("MergeShards", StreamName=STREAM, ShardToMerge=shard_id, AdjacentShardToMerge=adjacent)

    def _shards(self) -> list[dict[str, Any]]:
        return list(self.call("ListShards", StreamName=STREAM)["Shards"])


class LocalClient:
    """A `ReadingClient` of one stream.

    Args:
        stream: the stream.
        latency: seconds that a call takes.
        faults: the part of the calls that fail, before or after they were carried out.
        rng: chooses them.
    """

    def __init__(
        self, stream: LocalStream, *, latency: float = 0.01, faults: float = 0.0, rng: random.Random | None = None
    ) -> None:
        self.stream_name = STREAM
        self.stream = stream
        self.is_open = False
        self.calls: list[tuple[float, str, str]] = []
        self._latency = latency
        self._faults = faults
        self._rng = rng

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def summary(self) -> StreamSummary:
        found = (await self._call("DescribeStreamSummary", "", StreamName=STREAM))["StreamDescriptionSummary"]
        return StreamSummary(arn=found["StreamARN"], created_at=found["StreamCreationTimestamp"])

    async def list_shards(self) -> list[Shard]:
        return [_shard(each) for each in (await self._call("ListShards", "", StreamName=STREAM))["Shards"]]

    async def get_shard_iterator(self, shard_id: str, position: Position) -> str:
        request: dict[str, Any] = {"StreamName": STREAM, "ShardId": shard_id, "ShardIteratorType": position.type}
        if position.sequence_number is not None:
            request["StartingSequenceNumber"] = position.sequence_number
        if position.timestamp is not None:
            request["Timestamp"] = position.timestamp
        return str((await self._call("GetShardIterator", shard_id, **request))["ShardIterator"])

    async def get_records(self, iterator: str, shard_id: str, limit: int = 10_000) -> RecordsPage:
        return _page(await self._call("GetRecords", shard_id, ShardIterator=iterator, Limit=limit), shard_id)

    async def register_consumer(self, name: str) -> str:
        names = {"StreamARN": (await self.summary()).arn, "ConsumerName": name}
        while True:
            try:
                described = await self._call("DescribeStreamConsumer", "", **names)
            except RequestFailedError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                await self._call("RegisterStreamConsumer", "", **names)
                continue
            consumer = described["ConsumerDescription"]
            if consumer["ConsumerStatus"] == "ACTIVE":
                return str(consumer["ConsumerARN"])
            await asyncio.sleep(0.5)

    async def subscribe(
        self, consumer_arn: str, shard_id: str, position: Position
    ) -> AsyncGenerator[RecordsPage, None]:
        place: dict[str, Any] = {"Type": position.type}
        if position.sequence_number is not None:
            place["SequenceNumber"] = position.sequence_number
        if position.timestamp is not None:
            place["Timestamp"] = position.timestamp
        names = {"ConsumerARN": consumer_arn, "ShardId": shard_id}
        subscription = (await self._call("SubscribeToShard", shard_id, **names, StartingPosition=place))["EventStream"]
        while not subscription.is_over:
            try:
                event = subscription.next_event(EPOCH + asyncio.get_running_loop().time())
            except RefusedError as error:
                raise _failure(error) from None
            if event is not None:
                yield _page(event, shard_id)
                if self._rng and self._rng.random() < self._faults:
                    raise RequestFailedError(FailureKind.AMBIGUOUS, "ConnectionResetError", "the connection was lost")
            elif not subscription.is_over:
                await asyncio.sleep(0.1)

    async def _call(self, operation: str, shard_id: str, **request: Any) -> dict[str, Any]:
        self.calls.append((asyncio.get_running_loop().time(), operation, shard_id))
        fault = self._rng.choice(["before", "after"]) if self._rng and self._rng.random() < self._faults else None
        await asyncio.sleep(self._latency / 2)
        if fault == "before":
            raise RequestFailedError(FailureKind.AMBIGUOUS, "InternalFailure", "the service's message")
        try:
            response = self.stream.call(operation, **request)
        except RefusedError as error:
            raise _failure(error) from None
        await asyncio.sleep(self._latency / 2)
        if fault == "after":
            raise RequestFailedError(FailureKind.AMBIGUOUS, "TimeoutError", "the response was lost")
        return response


def _failure(error: RefusedError) -> RequestFailedError:
    return RequestFailedError(kind_of_error(error.code, error.message, 400), error.code, error.message)


def _page(described: dict[str, Any], shard_id: str) -> RecordsPage:
    """A page of GetRecords, or an event of a subscription."""
    records = [
        ShardRecord(
            each["Data"],
            each.get("PartitionKey", ""),
            each["SequenceNumber"],
            each["ApproximateArrivalTimestamp"],
            shard_id,
        )
        for each in described["Records"]
    ]
    return RecordsPage(
        records=records,
        next_iterator=described.get("NextShardIterator"),
        continuation=described.get("ContinuationSequenceNumber"),
        millis_behind=described["MillisBehindLatest"],
        children=tuple(map(_child, described.get("ChildShards", ()))),
        size=sum(len(each.data) * 4 // 3 + 200 for each in records) + 100,
    )


def _shard(described: dict[str, Any]) -> Shard:
    parents = (described.get("ParentShardId"), described.get("AdjacentParentShardId"))
    return Shard(
        described["ShardId"],
        int(described["HashKeyRange"]["StartingHashKey"]),
        int(described["HashKeyRange"]["EndingHashKey"]),
        is_open="EndingSequenceNumber" not in described["SequenceNumberRange"],
        parent_ids=tuple(filter(None, parents)),
    )


def _child(described: dict[str, Any]) -> ChildShard:
    return ChildShard(
        shard_id=described["ShardId"],
        parent_ids=tuple(described["ParentShards"]),
        starting_hash_key=int(described["HashKeyRange"]["StartingHashKey"]),
        ending_hash_key=int(described["HashKeyRange"]["EndingHashKey"]),
    )


def numbers(records: Iterable[ShardRecord]) -> list[int]:
    """The numbers of records that `LocalStream.put` has put."""
    return [int(each.data) for each in records]
