"""A stream is read from a time on to its tip, through failures that pass."""

from __future__ import annotations

import pytest

from truckstream.data.replay.targets import stream_search
from truckstream.data.replay.targets.stream_search import read_since
from truckstream.errors import ServiceError
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.reading.shard_record import RecordsPage, ShardRecord
from truckstream.kinesis.shard_map import Shard

THROTTLED = RequestFailedError(FailureKind.THROTTLED, "ProvisionedThroughputExceededException", "slow down")
EXPIRED = RequestFailedError(FailureKind.EXPIRED, "ExpiredIteratorException", "too old")
DENIED = RequestFailedError(FailureKind.PERMANENT, "AccessDeniedException", "no")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(stream_search, "_SECONDS_BETWEEN_CALLS", 0)


def page(*numbers, behind=0, more=True):
    records = [ShardRecord(b"", "key", str(number), 0.0) for number in numbers]
    return RecordsPage(records=records, next_iterator="next" if more else None, millis_behind=behind)


class ScriptedClient:
    """A `ReadingClient` whose GetRecords calls return, or raise, what the script says, shard by shard."""

    def __init__(self, **script) -> None:
        self.script = script
        self.positions = []

    async def list_shards(self):
        return [Shard(shard_id, 0, 1) for shard_id in self.script]

    async def get_shard_iterator(self, shard_id, position):
        self.positions.append((shard_id, position.type, position.timestamp or position.sequence_number))
        return "iterator"

    async def get_records(self, _, shard_id):
        act = self.script[shard_id].pop(0)
        if isinstance(act, Exception):
            raise act
        return act


async def read(client):
    numbers = []
    await read_since(client, 7.0, lambda each: numbers.append(each.sequence_number))
    return sorted(numbers)


async def test_each_shard_is_read_to_its_tip_or_its_end():
    client = ScriptedClient(a=[page(1, behind=9), page(behind=5), page(2), page(3)], b=[page(4, behind=9, more=False)])
    assert await read(client) == ["1", "2", "4"]
    assert client.positions == [("a", "AT_TIMESTAMP", 7.0), ("b", "AT_TIMESTAMP", 7.0)]


async def test_a_throttled_call_is_made_again():
    assert await read(ScriptedClient(a=[THROTTLED, page(1, behind=9), THROTTLED, page(2)])) == ["1", "2"]


async def test_after_an_expired_iterator_it_goes_on_behind_the_last_record():
    client = ScriptedClient(a=[page(1, behind=9), EXPIRED, page(2)])
    assert await read(client) == ["1", "2"]
    assert client.positions[1] == ("a", "AFTER_SEQUENCE_NUMBER", "1")


@pytest.mark.parametrize("script", [[DENIED], [THROTTLED] * 8])
async def test_a_failure_that_does_not_pass_is_raised(script):
    with pytest.raises(ServiceError, match=script[0].code):
        await read(ScriptedClient(a=script, b=[page(1)]))
