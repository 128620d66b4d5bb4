"""The operations: a request's members and the time in, an answer's members out. No HTTP, clock or loop.

`OPERATIONS` names them; each validates as the service model says (botocore ships it) and in the service's words.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from truckstream.local.errors import KinesisError, invalid, not_found, validation
from truckstream.local.quota import MIB
from truckstream.local.streams import LAST_HASH_KEY, Shard, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ACCOUNT", "OPERATIONS", "REGION", "Service"]

ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"

#: "Each PutRecords request can support up to 500 records ... 10 MiB for the entire request".
MAX_RECORDS: Final = 500
MAX_REQUEST_BYTES: Final = 10 * MIB
MAX_KEY: Final = 256
#: GetRecords: "up to 10,000 records" and "10 MiB of data".
MAX_READ_RECORDS: Final = 10_000
MAX_READ_BYTES: Final = 10 * MIB
#: "A shard iterator expires 5 minutes after it is returned to the requester."
ITERATOR_SECONDS: Final = 300
MAX_SHARDS_PER_PAGE: Final = 1_000

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_HASH_KEY = re.compile(r"0|([1-9]\d{0,38})")

Request = dict[str, Any]
Answer = dict[str, Any]


class Service:
    """One account's streams in one region."""

    def __init__(self, *, quotas: bool = True) -> None:
        self.quotas = quotas
        self.streams: dict[str, Stream] = {}
        self.requests = 0

    def call(self, operation: str, request: Request, now: float) -> Answer:
        """Carry out one operation at `now`, seconds since the epoch.

        Raises:
            KinesisError: the service's answer is an error.
        """
        self.requests += 1
        run = OPERATIONS.get(operation)
        if run is None:
            raise KinesisError("UnknownOperationException", "")
        return run(self, request, now)

    # --- Streams ----------------------------------------------------------------------------------

    def create_stream(self, request: Request, now: float) -> Answer:
        name = _name_of(request)
        if name in self.streams:
            raise KinesisError("ResourceInUseException", f"Stream {name} under account {ACCOUNT} already exists.")
        mode = request.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
        count = request.get("ShardCount", 4 if mode == "ON_DEMAND" else None)
        if not isinstance(count, int) or count < 1:
            raise validation(count, "shardCount", "Member must have value greater than or equal to 1")
        stream = Stream(name, f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}", now, [], mode)
        width = (LAST_HASH_KEY + 1) // count
        for index in range(count):
            end = LAST_HASH_KEY if index == count - 1 else width * (index + 1) - 1
            stream.add_shard(width * index, end, now)
        stream.shards_changed()
        stream.max_record_kib = request.get("MaxRecordSizeInKiB", 1024)
        self.streams[name] = stream
        return {}

    def delete_stream(self, request: Request, _: float) -> Answer:
        del self.streams[self._stream(request).name]
        return {}

    def list_streams(self, request: Request, _: float) -> Answer:
        names = sorted(self.streams)
        after = request.get("ExclusiveStartStreamName") or ""
        page = [name for name in names if name > after][: request.get("Limit", 100)]
        return {"StreamNames": page, "HasMoreStreams": bool(page) and page[-1] != names[-1]}

    def describe_stream(self, request: Request, _: float) -> Answer:
        stream = self._stream(request)
        after = request.get("ExclusiveStartShardId") or ""
        shards = [shard for shard in stream.shards if shard.shard_id > after]
        limit = request.get("Limit", 100)
        return {
            "StreamDescription": _facts(stream)
            | {"Shards": [_shard(shard) for shard in shards[:limit]], "HasMoreShards": len(shards) > limit}
        }

    def describe_stream_summary(self, request: Request, _: float) -> Answer:
        stream = self._stream(request)
        counts = {"OpenShardCount": len(stream.open_shards), "ConsumerCount": 0}
        return {"StreamDescriptionSummary": _facts(stream) | counts | {"MaxRecordSizeInKiB": stream.max_record_kib}}

    def list_shards(self, request: Request, _: float) -> Answer:
        token = request.get("NextToken")
        if token:
            name, after = base64.b64decode(token).decode().split("/")
            stream = self._stream({"StreamName": name})
        else:
            stream, after = self._stream(request), request.get("ExclusiveStartShardId") or ""
        kind = request.get("ShardFilter", {}).get("Type", "FROM_TRIM_HORIZON")
        shards = stream.open_shards if kind == "AT_LATEST" else stream.shards
        shards = [shard for shard in sorted(shards, key=lambda one: one.number) if shard.shard_id > after]
        limit = request.get("MaxResults", MAX_SHARDS_PER_PAGE)
        answer: Answer = {"Shards": [_shard(shard) for shard in shards[:limit]]}
        if len(shards) > limit:
            last = f"{stream.name}/{shards[limit - 1].shard_id}"
            answer["NextToken"] = base64.b64encode(last.encode()).decode()
        return answer

    def split_shard(self, request: Request, now: float) -> Answer:
        stream = self._stream(request)
        shard = self._open_shard(stream, request["ShardToSplit"])
        at = int(request["NewStartingHashKey"])
        if not shard.start + 1 < at < shard.end:
            raise invalid(
                f"NewStartingHashKey {at} used in SplitShard() on shard {shard.shard_id} in stream {stream.name} under "
                f"account {ACCOUNT} is not both greater than one plus the shard's StartingHashKey {shard.start} and "
                f"less than the shard's EndingHashKey {shard.end - 1}."
            )
        shard.close()
        stream.add_shard(shard.start, at - 1, now, shard.shard_id)
        stream.add_shard(at, shard.end, now, shard.shard_id)
        stream.shards_changed()
        return {}

    def merge_shards(self, request: Request, now: float) -> Answer:
        stream = self._stream(request)
        first = self._open_shard(stream, request["ShardToMerge"])
        second = self._open_shard(stream, request["AdjacentShardToMerge"])
        low, high = sorted((first, second), key=lambda shard: shard.start)
        if low.end + 1 != high.start:
            raise invalid(
                f"Shards {first.shard_id} and {second.shard_id} in stream {stream.name} under account {ACCOUNT} are "
                "not an adjacent pair of shards eligible for merging"
            )
        first.close()
        second.close()
        stream.add_shard(low.start, high.end, now, first.shard_id, second.shard_id)
        stream.shards_changed()
        return {}

    # --- Records ----------------------------------------------------------------------------------

    def put_record(self, request: Request, now: float) -> Answer:
        stream = self._stream(request)
        answer = self._put(stream, request, _size_of(stream, request, "data"), now)
        if "ErrorCode" in answer:
            raise KinesisError(answer["ErrorCode"], answer["ErrorMessage"])
        return answer

    def put_records(self, request: Request, now: float) -> Answer:
        stream = self._stream(request)
        records = request.get("Records") or ()
        if not 1 <= len(records) <= MAX_RECORDS:
            bound = "greater than or equal to 1" if not records else f"less than or equal to {MAX_RECORDS}"
            raise validation("[…]", "records", f"Member must have length {bound}")
        sizes = [_size_of(stream, record, f"records.{index}.member.data") for index, record in enumerate(records, 1)]
        if sum(sizes) > MAX_REQUEST_BYTES:
            raise invalid("Records size exceeds 10 MB limit")
        answers = [self._put(stream, record, size, now) for record, size in zip(records, sizes, strict=True)]
        return {"FailedRecordCount": sum("ErrorCode" in answer for answer in answers), "Records": answers}

    def _put(self, stream: Stream, record: Request, size: int, now: float) -> Answer:
        explicit = record.get("ExplicitHashKey")
        key = record["PartitionKey"]
        shard = stream.shard_of_key(key) if explicit is None else stream.shard_of_hash(int(explicit))
        if self.quotas and not shard.writes.admits(size, now):
            shard.throttled += 1
            where = f"shard {shard.shard_id} in stream {stream.name} under account {ACCOUNT}"
            return {
                "ErrorCode": "ProvisionedThroughputExceededException",
                "ErrorMessage": f"Rate exceeded for {where}.",
            }
        sequence = shard.append(record["Data"], key, size, round(now, 3))
        return {"ShardId": shard.shard_id, "SequenceNumber": str(sequence)}

    def get_shard_iterator(self, request: Request, now: float) -> Answer:
        stream = self._stream(request)
        shard = self._shard(stream, request["ShardId"])
        index = _POSITIONS[request["ShardIteratorType"]](shard, request)
        return {"ShardIterator": _iterator(stream, shard, index, now)}

    def get_records(self, request: Request, now: float) -> Answer:
        stream, shard, index = self._position(request["ShardIterator"], now)
        if self.quotas and not shard.reads.admits(now):
            where = f"shard {shard.shard_id} in stream {stream.name} under account {ACCOUNT}"
            raise KinesisError("ProvisionedThroughputExceededException", f"Rate exceeded for {where}.")
        limit = min(request.get("Limit", MAX_READ_RECORDS), MAX_READ_RECORDS)
        taken, size = 0, 0
        for record in shard.records[index : index + limit]:
            if taken and size + record.size > MAX_READ_BYTES:
                break
            taken, size = taken + 1, size + record.size
        records = shard.records[index : index + taken]
        shard.reads.pay(size)
        shard.records_out += taken
        rest = shard.records[index + taken : index + taken + 1]
        answer: Answer = {
            "Records": [
                {
                    "SequenceNumber": str(record.sequence),
                    "ApproximateArrivalTimestamp": record.arrival,
                    "Data": record.data,
                    "PartitionKey": record.key,
                }
                for record in records
            ],
            "MillisBehindLatest": max(0, int((now - rest[0].arrival) * 1000)) if rest else 0,
        }
        if rest or shard.is_open:
            answer["NextShardIterator"] = _iterator(stream, shard, index + taken, now)
        else:
            answer["ChildShards"] = [_child(child) for child in stream.shards if shard.shard_id in _parents(child)]
        return answer

    # --- What a request names ---------------------------------------------------------------------

    def _stream(self, request: Request) -> Stream:
        name = _name_of(request)
        stream = self.streams.get(name)
        if stream is None:
            raise not_found(f"Stream {name} under account {ACCOUNT} not found.")
        return stream

    def _shard(self, stream: Stream, shard_id: str) -> Shard:
        shard = stream.find(shard_id)
        if shard is None:
            raise not_found(f"Shard {shard_id} in stream {stream.name} under account {ACCOUNT} does not exist")
        return shard

    def _open_shard(self, stream: Stream, shard_id: str) -> Shard:
        shard = self._shard(stream, shard_id)
        if not shard.is_open:
            raise KinesisError("ResourceInUseException", f"Shard {shard_id} in stream {stream.name} is closed.")
        return shard

    def _position(self, iterator: str, now: float) -> tuple[Stream, Shard, int]:
        try:
            name, shard_id, index, made = orjson.loads(base64.b64decode(iterator, validate=True))
        except (ValueError, binascii.Error):
            raise invalid("Invalid ShardIterator.") from None
        if now > made + ITERATOR_SECONDS:
            raise KinesisError("ExpiredIteratorException", "Iterator expired. The iterator was created 5 minutes ago.")
        stream = self._stream({"StreamName": name})
        return stream, self._shard(stream, shard_id), index


def _name_of(request: Request) -> str:
    arn = request.get("StreamARN")
    name = arn.rpartition("/")[2] if arn else request.get("StreamName")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise validation(name, "streamName", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
    return name


def _size_of(stream: Stream, record: Request, path: str) -> int:
    key, data, explicit = record.get("PartitionKey"), record.get("Data"), record.get("ExplicitHashKey")
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY:
        bound = "greater than or equal to 1" if not key else f"less than or equal to {MAX_KEY}"
        raise validation(key, path.replace("data", "partitionKey"), f"Member must have length {bound}")
    if explicit is not None and (not _HASH_KEY.fullmatch(explicit) or int(explicit) > LAST_HASH_KEY):
        limits = "ExplicitHashKey must be in the range: [0, 2^128-1]."
        raise invalid(f"Invalid ExplicitHashKey. {limits} Specified value was {explicit}")
    if not isinstance(data, str):
        raise validation(data, path, "Member must not be null")
    size = len(data) * 3 // 4 - data.endswith("=") - data.endswith("==")
    if size + len(key) > stream.max_record_kib * 1024:
        raise validation("…", path, f"Member must have length less than or equal to {stream.max_record_kib * 1024}")
    return size + (len(key) if key.isascii() else len(key.encode()))


def _facts(stream: Stream) -> Answer:
    facts: Answer = {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": stream.mode},
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": stream.created,
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
        "EncryptionType": "KMS" if stream.key_id else "NONE",
    }
    return facts


def _shard(shard: Shard) -> Answer:
    numbers = {"StartingSequenceNumber": str(shard.first_sequence)}
    if shard.closed_at is not None:
        numbers["EndingSequenceNumber"] = str(shard.closed_at)
    return _child(shard, parents=False) | {"SequenceNumberRange": numbers} | _parents_of(shard)


def _child(shard: Shard, *, parents: bool = True) -> Answer:
    answer: Answer = {
        "ShardId": shard.shard_id,
        "HashKeyRange": {"StartingHashKey": str(shard.start), "EndingHashKey": str(shard.end)},
    }
    return answer | {"ParentShards": _parents(shard)} if parents else answer


def _parents(shard: Shard) -> list[str]:
    return [parent for parent in (shard.parent, shard.adjacent_parent) if parent]


def _parents_of(shard: Shard) -> Answer:
    named = {"ParentShardId": shard.parent, "AdjacentParentShardId": shard.adjacent_parent}
    return {name: parent for name, parent in named.items() if parent}


def _iterator(stream: Stream, shard: Shard, index: int, now: float) -> str:
    return base64.b64encode(orjson.dumps([stream.name, shard.shard_id, index, now])).decode()


_POSITIONS: Final[dict[str, Callable[[Shard, Request], int]]] = {
    "TRIM_HORIZON": lambda _, __: 0,
    "LATEST": lambda shard, _: len(shard.records),
    "AT_SEQUENCE_NUMBER": lambda shard, request: shard.index_from(int(request["StartingSequenceNumber"])),
    "AFTER_SEQUENCE_NUMBER": lambda shard, request: shard.index_from(int(request["StartingSequenceNumber"]) + 1),
    "AT_TIMESTAMP": lambda shard, request: shard.index_at(request["Timestamp"]),
}

OPERATIONS: Final[dict[str, Callable[[Service, Request, float], Answer]]] = {
    "CreateStream": Service.create_stream,
    "DeleteStream": Service.delete_stream,
    "DescribeStream": Service.describe_stream,
    "DescribeStreamSummary": Service.describe_stream_summary,
    "GetRecords": Service.get_records,
    "GetShardIterator": Service.get_shard_iterator,
    "ListShards": Service.list_shards,
    "ListStreams": Service.list_streams,
    "MergeShards": Service.merge_shards,
    "PutRecord": Service.put_record,
    "PutRecords": Service.put_records,
    "SplitShard": Service.split_shard,
}
