"""A service with one stream, and a shard with its poller, without a loop, a socket or a clock."""

from __future__ import annotations

import math
from itertools import cycle
from typing import Any

import pytest

from truckstream.local import RefusedError
from truckstream.local.mapping.function.batch_outcome import UNHANDLED_ERROR, BatchOutcome
from truckstream.local.mapping.function.lambda_event import EventMaker
from truckstream.local.mapping.mapping_settings import MappingSettings
from truckstream.local.mapping.shard_poller import ShardPoller
from truckstream.local.service import Service
from truckstream.local.service.state.account import KinesisAccount
from truckstream.local.service.validation.parsing import read_request

#: When the tests happen: 2026-11-23 00:00:00 UTC.
T0 = 1_795_392_000.0

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

SUCCEEDED = BatchOutcome("succeeded")
FAILED = UNHANDLED_ERROR


def progressed(checkpoint: int) -> BatchOutcome:
    return BatchOutcome("progressed", checkpoint)


class Api:
    """A service with a stream "s": `api(2.0, "PutRecord", ...)` is a call two seconds after the start."""

    def __init__(self, shards: int = 1, *, limited: bool = True, **options: Any) -> None:
        options.setdefault("quota_scale", 1.0 if limited else math.inf)
        self.service = Service(KinesisAccount("000000000000", "us-east-1", **options))
        if shards:
            self(0.0, "CreateStream", StreamName="s", ShardCount=shards)

    def __call__(self, at: float, operation: str, **members: Any) -> dict[str, Any]:
        return self.service.call(operation, read_request(operation, members), T0 + at)

    def put(self, at: float, count: int = 1, *, size: int = 1, key: str = "k", **members: Any) -> int:
        """Put `count` equal records in one request, and return how many were stored."""
        entry = {"Data": bytes(size - len(key.encode())) if size > 1 else b"", "PartitionKey": key, **members}
        return count - self(at, "PutRecords", StreamName="s", Records=[entry] * count)["FailedRecordCount"]

    def stream(self, at: float = 0.0) -> Any:
        return self.service.stream("s", T0 + at)

    def shards(self, at: float = 0.0, **members: Any) -> list[int]:
        """Return the IDs from ListShards, as numbers."""
        response = self(at, "ListShards", StreamName="s", **members)
        return [int(shard["ShardId"][-12:]) for shard in response["Shards"]]

    def iterator(self, at: float, kind: str = "TRIM_HORIZON", shard: int = 0, **members: Any) -> str:
        response = self(
            at, "GetShardIterator", StreamName="s", ShardId=f"shardId-{shard:012}", ShardIteratorType=kind, **members
        )
        return response["ShardIterator"]

    def read(
        self, at: float, kind: str = "TRIM_HORIZON", shard: int = 0, limit: int = 10_000, **members: Any
    ) -> dict[str, Any]:
        """Call GetRecords with a new iterator."""
        return self(at, "GetRecords", ShardIterator=self.iterator(at, kind, shard, **members), Limit=limit)


def error_text(api: Api, at: float, operation: str, **members: Any) -> str:
    """Make a call that must be rejected, and return the code and message of its error."""
    with pytest.raises(RefusedError) as caught:
        api(at, operation, **members)
    return str(caught.value)


def split(api: Api, at: float, shard: int = 0, point: int = 2**127) -> None:
    api(at, "SplitShard", StreamName="s", ShardToSplit=f"shardId-{shard:012}", NewStartingHashKey=str(point))


#: Settings of the mapping, unless a test sets others.
DEFAULTS: dict[str, Any] = {"batch_size": 100, "retry_base_in_seconds": 0.5}

EVENTS = EventMaker("shardId-000000000000", stream_arn=ARN, region="us-east-1", role_arn="arn:aws:iam::0:role/r")


class PolledShard:
    """A shard and its poller. Times are seconds after the start, and records are named by their data."""

    def __init__(self, **settings: Any) -> None:
        self.api = Api(limited=False)
        self.shard = next(iter(self.api.stream().shards.values()))
        self.poller = ShardPoller(MappingSettings(**DEFAULTS | settings), EVENTS, 1, T0, cycle((True, False)).__next__)

    def put(self, at: float, *names: str, size: int = 0) -> None:
        records = [{"Data": name.encode().ljust(size, b" "), "PartitionKey": "k"} for name in names]
        self.api(at, "PutRecords", StreamName="s", Records=records)

    def poll(self, at: float, **options: Any) -> bool:
        """Poll if the poller wants to, and return whether it did."""
        if not self.poller.wants_poll(T0 + at, **options):
            return False
        records = self.shard.read(self.poller.read_from, 10_000, 10 * 2**20)
        read_to = records[-1].place + 1 if records else self.poller.read_from
        ended = not self.shard.is_open and read_to >= self.shard.next_place
        self.poller.receive(records, T0 + at, read_to=read_to, shard_ended=ended)
        return True

    def batch(self, at: float, **options: Any) -> list[str] | None:
        """Return the names of the records to invoke the function with now, or None."""
        records = self.poller.next_batch(T0 + at, **options)
        return None if records is None else [record.data.decode().strip() for record in records]

    def settle(self, at: float, outcome: BatchOutcome) -> None:
        self.poller.settle(outcome, T0 + at)

    def next_time(self, at: float) -> float:
        return round(self.poller.next_time(T0 + at) - T0, 3)

    @property
    def discards(self) -> list[tuple[list[str], str, int]]:
        return [
            ([record.data.decode().strip() for record in batch.records], batch.condition, batch.invocations)
            for batch in self.poller.discarded
        ]
