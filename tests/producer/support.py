"""A core with literal times, and a service of plain Python that stores what it is given."""

from truckstream.kinesis.client import RecordAnswer
from truckstream.kinesis.encoding import encode_record
from truckstream.kinesis.limits import MAX_HASH_KEY
from truckstream.kinesis.shards import Shard, ShardMap, hash_key_of
from truckstream.producer.entry import Entry

THROTTLED = "ProvisionedThroughputExceededException"


def even_shards(count, first=0):
    """`count` open shards that divide the hash keys evenly, numbered from `first`."""
    width = (MAX_HASH_KEY + 1) // count
    ends = [width * (index + 1) - 1 for index in range(count - 1)] + [MAX_HASH_KEY]
    starts = [0, *(end + 1 for end in ends[:-1])]
    return [
        Shard(f"shardId-{first + index:012}", start, end)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


class Service:
    """Answers requests of a core, and remembers what it stored."""

    def __init__(self, shards):
        self.shards = ShardMap(shards)
        self.stored = []
        self._sequence = 0

    def store(self, entry):
        self._sequence += 1
        self.stored.append(entry.data)
        shard = self.shards.shard_of(hash_key_of(entry.partition_key.encode()))
        return RecordAnswer(shard_id=shard.shard_id, sequence_number=str(self._sequence))

    def answer(self, request):
        return [self.store(entry) for entry in request.entries]


def throttled():
    return RecordAnswer(error_code=THROTTLED, error_message="Rate exceeded for shard …")


def put(core, data, now, key="TRUCK_001", explicit_hash_key=None):
    """Put one record into a core, as the shell does it."""
    outbox, key_size, tail = core.route(key, explicit_hash_key)
    size = len(data) + key_size
    core.check_size(size)
    entry = Entry(encode_record(data, tail), key, explicit_hash_key, size=size, outbox=outbox)
    assert core.reserve(entry.cost)
    core.put(entry, now)
    return entry


def next_request(core, now):
    """The time of the next request, and the request: the shell's loop without a loop."""
    while not (requests := core.requests_due(now)):
        now = core.next_wakeup(now)
    [request] = requests
    return now, request
