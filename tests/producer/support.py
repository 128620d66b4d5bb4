"""A service of plain Python that stores records in memory, and helpers for a core with literal times."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from truckstream import envelope, kpl
from truckstream.kinesis.client import RecordResponse
from truckstream.kinesis.encoding import encode_body
from truckstream.kinesis.limits import MAX_HASH_KEY
from truckstream.kinesis.shard_map import Shard, ShardMap, hash_key_of
from truckstream.producer.queueing.outbox import QueuedRecord, count_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.producer.core import ProducerCore

THROTTLED = "ProvisionedThroughputExceededException"


def even_shards(count: int, first: int = 0) -> list[Shard]:
    """`count` open shards that divide the hash keys evenly, numbered from `first`."""
    width = (MAX_HASH_KEY + 1) // count
    ends = [width * (index + 1) - 1 for index in range(count - 1)] + [MAX_HASH_KEY]
    starts = [0, *(end + 1 for end in ends[:-1])]
    return [
        Shard(f"shardId-{first + index:012}", start, end)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def as_sent(parcel: Any) -> dict[str, Any]:
    """A parcel as it stands in a request."""
    [document] = json.loads(encode_body({"StreamName": "trucks"}, [parcel]))["Records"]
    return document


def user_records(parcel: Any) -> list[tuple[str, str | None, bytes]]:
    """The records of a parcel as it is sent, each as (partition key, explicit hash key, data).

    A single record may begin like an aggregate or an envelope, and is none.
    """
    document = as_sent(parcel)
    data = base64.b64decode(document["Data"])
    if count_records(parcel) == 1:
        return [(document["PartitionKey"], document.get("ExplicitHashKey"), data)]
    if envelope.is_envelope(data):
        return [(record.partition_key, record.explicit_hash_key, record.data) for record in envelope.read(data)]
    return [(record.partition_key, record.explicit_hash_key, record.data) for record in kpl.decode(data)]


def hash_of(partition_key: str, explicit_hash_key: str | None = None) -> int:
    return int(explicit_hash_key) if explicit_hash_key is not None else hash_key_of(partition_key.encode())


class Service:
    """Responds to the requests of a core, and keeps the records that it stored."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = ShardMap(shards)
        self.stored = []
        #: For each Kinesis record its shard, the hash key by which it got there, and its user records.
        self.log = []
        self._sequence = 0

    def store(self, parcel: Any) -> RecordResponse:
        self._sequence += 1
        document = as_sent(parcel)
        hash_key = hash_of(document["PartitionKey"], document.get("ExplicitHashKey"))
        shard = self.shards.shard_of(hash_key)
        records = user_records(parcel)
        self.stored += [data for _, _, data in records]
        self.log.append((shard, hash_key, records))
        return RecordResponse(shard_id=shard.shard_id, sequence_number=str(self._sequence))

    def respond(self, request: Any) -> list[RecordResponse]:
        return [self.store(parcel) for parcel in request.parcels]

    def find(self, record: QueuedRecord) -> tuple[str, str | None, bytes]:
        """The user record at the place that the outcome of `record` names."""
        _, _, records = self.log[int(record.response.sequence_number) - 1]
        assert (record.subsequence_number is None) == (len(records) == 1)
        return records[record.subsequence_number or 0]

    def read_as_kcl(self) -> list[tuple[str, str | None, bytes]]:
        """The user records that the KCL finds, in the order of the log.

        It discards an aggregate whole if the hash key of any of its records lies outside the shard that it reads.
        """
        return [
            record
            for shard, _, records in self.log
            if len(records) == 1 or all(shard.owns(hash_of(key, hash_key)) for key, hash_key, _ in records)
            for record in records
        ]


def throttled() -> RecordResponse:
    return RecordResponse(error_code=THROTTLED, error_message="Rate exceeded for shard …")


def failed_inside() -> RecordResponse:
    return RecordResponse(error_code="InternalFailure", error_message="Internal service failure.")


def put(
    core: ProducerCore, data: bytes, now: float, key: str = "TRUCK_001", explicit_hash_key: str | None = None
) -> QueuedRecord:
    """Put one record into a core, as the shell does it."""
    record = reserve(core, data, key, explicit_hash_key)
    core.put(record, now)
    return record


def reserve(
    core: ProducerCore, data: bytes, key: str = "TRUCK_001", explicit_hash_key: str | None = None
) -> QueuedRecord:
    """A record whose room is reserved."""
    outbox, key_size, overhead, tail = core.route(key, explicit_hash_key)
    size = len(data) + key_size
    core.check_size(size, overhead)
    record = QueuedRecord(data, tail, key, explicit_hash_key, size, size + overhead, outbox)
    assert core.budget.reserve(record.cost)
    return record


def next_request(core: ProducerCore, now: float) -> tuple[float, Any]:
    """The time of the next request, and the request: the shell's loop without a loop."""
    while not (requests := core.requests_due(now)):
        now = core.next_wakeup(now)
    [request] = requests
    return now, request
