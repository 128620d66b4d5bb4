"""Histories of a lease table on which workers of the KCL and of the Consumer take turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.external_clients.lease_interchange.workers import NO_LIMIT
from tests.kpl.support import aggregate_of
from truckstream.kpl import UserRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.external_clients.lease_interchange.workers import Kind, Worker, Workers

ZERO, ONE, LOW, HIGH, MERGED = (f"shardId-{number:012}" for number in range(5))
#: The number of user records in each Kinesis record of a portion; those with several are aggregates.
PORTION: Final = (1, 1, 1, 5, 1, 5, 1, 5)
#: Attributes that other versions of the KCL may write, which the Consumer must keep.
OF_OTHERS: Final = {"throughputKBps": {"N": "1.5"}, "ofAnotherVersion": {"S": "kept"}}

#: A table's items by key.
Items = dict[str, dict[str, Any]]


class Stream:
    """A stream of two shards, and the data of the user records that each shard stores, in order."""

    def __init__(self, kinesis: Any, name: str) -> None:
        self.name = name
        self.stored: dict[str, list[str]] = {}
        self._kinesis = kinesis
        kinesis.create_stream(StreamName=name, ShardCount=2)
        self._wait()

    def put(self, *shard_ids: str) -> None:
        """Put a portion of records into each of these shards."""
        ranges = self._ranges()
        for shard_id in shard_ids:
            stored = self.stored.setdefault(shard_id, [])
            for count in PORTION:
                data = [f"{shard_id[-1]}-{len(stored) + number:03}" for number in range(count)]
                self._put(data, str(ranges[shard_id][0]), shard_id)
                stored += data

    def split(self, shard_id: str) -> None:
        """Split a shard into halves."""
        start, end = self._ranges()[shard_id]
        middle = str((start + end) // 2 + 1)
        self._kinesis.split_shard(StreamName=self.name, ShardToSplit=shard_id, NewStartingHashKey=middle)
        self._wait()

    def merge(self, shard_id: str, adjacent: str) -> None:
        """Merge two shards."""
        self._kinesis.merge_shards(StreamName=self.name, ShardToMerge=shard_id, AdjacentShardToMerge=adjacent)
        self._wait()

    def _put(self, data: list[str], hash_key: str, shard_id: str) -> None:
        records = [UserRecord(each, hash_key, each.encode()) for each in data]
        message = aggregate_of(records).encode() if len(data) > 1 else records[0].data
        response = self._kinesis.put_record(
            StreamName=self.name, PartitionKey=data[0], ExplicitHashKey=hash_key, Data=message
        )
        assert response["ShardId"] == shard_id

    def _ranges(self) -> dict[str, tuple[int, int]]:
        shards = self._kinesis.list_shards(StreamName=self.name)["Shards"]
        ranges = {each["ShardId"]: each["HashKeyRange"] for each in shards}
        return {key: (int(each["StartingHashKey"]), int(each["EndingHashKey"])) for key, each in ranges.items()}

    def _wait(self) -> None:
        self._kinesis.get_waiter("stream_exists").wait(StreamName=self.name)


@dataclass
class History:
    """The turns of the workers on a stream, and the leases and the other items of the table after each turn."""

    stream: Stream
    kinds: list[Kind] = field(default_factory=list)
    turns: list[Worker] = field(default_factory=list)
    leases: list[Items] = field(default_factory=list)
    others: list[Items] = field(default_factory=list)

    def taken(self, shard_id: str) -> list[list[str]]:
        """Return the data of the records of a shard that the workers took, a list for each turn."""
        return [turn.records(shard_id) for turn in self.turns]

    def turns_with(self, shard_id: str, kind: str) -> list[int]:
        """Return the turns in which a shard began or ended."""
        return [number for number, turn in enumerate(self.turns) if self.place(number, shard_id, kind) is not None]

    def place(self, turn: int, shard_id: str, kind: str) -> int | None:
        """Return the position of a fact in a turn; None if it has none."""
        facts = [fact[:2] for fact in self.turns[turn].facts]
        return facts.index((shard_id, kind)) if (shard_id, kind) in facts else None


class Histories:
    """Makes histories."""

    def __init__(self, kinesis: Any, dynamodb: Any) -> None:
        self._kinesis = kinesis
        self._dynamodb = dynamodb

    def take_turns(self, workers: Workers, name: str, first: Kind, second: Kind) -> History:
        """Let two kinds of workers take turns while shards are split and merged."""
        stream = Stream(self._kinesis, name)
        history = History(stream)
        stream.put(ZERO, ONE)
        self._turn(history, workers, first, 6, {ZERO: 6, ONE: 6})
        stream.split(ZERO)
        stream.put(LOW, HIGH)
        self._turn(history, workers, second, 16, {ZERO: 14, ONE: 14, LOW: 16, HIGH: 16})
        stream.merge(LOW, HIGH)
        stream.put(ONE, MERGED)
        self._turn(history, workers, first, 12, {ONE: 12, LOW: 4, HIGH: 4, MERGED: 12})
        self._turn(history, workers, second, 4, {ONE: 4, MERGED: 4})
        self._turn(history, workers, first, NO_LIMIT, {ONE: 4, MERGED: 4})
        return history

    def take_over(self, workers: Workers, name: str) -> History:
        """Kill a worker of each kind, and let one of the other kind take over."""
        stream = Stream(self._kinesis, name)
        history = History(stream)
        stream.put(ZERO, ONE)
        self._turn(history, workers, "consumer", 6, {ZERO: 6, ONE: 6}, kill=True)
        self._turn(history, workers, "kcl", 7, {ZERO: 7, ONE: 7}, kill=True)
        self._turn(history, workers, "consumer", NO_LIMIT, {ZERO: 7, ONE: 7})
        return history

    def _turn(
        self,
        history: History,
        workers: Workers,
        kind: Kind,
        limit: int,
        expected: Mapping[str, int],
        *,
        kill: bool = False,
    ) -> None:
        table = history.stream.name
        if history.leases and kind == "consumer":
            self._mark(table, history.leases[-1])
        worker = workers.start(kind, table, table, limit)
        history.kinds.append(kind)
        history.turns.append(worker)
        worker.wait_for_checkpoints(expected)
        worker.kill_and_wait() if kill else worker.stop_and_wait()
        items = {item["leaseKey"]["S"]: item for item in self._scan(table)}
        history.leases.append({key: item for key, item in items.items() if key.startswith("shardId-")})
        history.others.append({key: item for key, item in items.items() if not key.startswith("shardId-")})

    def _scan(self, table: str) -> list[dict[str, Any]]:
        return list(self._dynamodb.scan(TableName=table, ConsistentRead=True)["Items"])

    def _mark(self, table: str, leases: Items) -> None:
        for key in leases:
            self._dynamodb.update_item(
                TableName=table,
                Key={"leaseKey": {"S": key}},
                AttributeUpdates={name: {"Value": value, "Action": "PUT"} for name, value in OF_OTHERS.items()},
            )
