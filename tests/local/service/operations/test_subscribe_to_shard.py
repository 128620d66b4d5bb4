"""SubscribeToShard without an event loop. Times are seconds after the start."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.support import ARN, T0, Api
from truckstream.local import RefusedError

QUICK = settings(max_examples=60)
MIB = 2**20
TRIM_HORIZON = {"Type": "TRIM_HORIZON"}


class Subscriber:
    """A consumer that subscribes to the first shard."""

    def __init__(self, api, at=0.0, **position):
        self.api = api
        if not api.stream(at).known_consumers(T0 + at):
            api(at, "RegisterStreamConsumer", StreamARN=ARN, ConsumerName="reader")
        self.subscription = self.subscribe(at, **position)

    @property
    def arn(self):
        return self.api.stream().known_consumers(T0)["reader"].arn

    def subscribe(self, at, shard=0, **members):
        position = {"Type": "TRIM_HORIZON"} | members
        shard_id = f"shardId-{shard:012}"
        response = self.api(at, "SubscribeToShard", ConsumerARN=self.arn, ShardId=shard_id, StartingPosition=position)
        return response["EventStream"]

    def next(self, at):
        return self.subscription.next_event(T0 + at)

    def count(self, at):
        """Return how many records the next event has."""
        event = self.next(at)
        return 0 if event is None else len(event["Records"])


def code_of(function, *arguments, **members):
    with pytest.raises(RefusedError) as caught:
        function(*arguments, **members)
    return caught.value.code


def test_records_are_pushed_as_they_arrive():
    api = Api(limited=False)
    api.put(0, 2)
    reader = Subscriber(api)
    assert reader.count(0) == 2
    assert reader.next(0.1) is None
    api.put(1, 3)
    event = reader.next(1.5)
    assert len(event["Records"]) == 3
    assert event["MillisBehindLatest"] == 0
    assert set(event["Records"][0]) == {"SequenceNumber", "ApproximateArrivalTimestamp", "Data", "PartitionKey"}


def test_an_idle_shard_sends_an_event_every_five_seconds():
    reader = Subscriber(Api())
    events = [at for at in range(301) if reader.next(at) is not None]
    assert events == list(range(0, 300, 5))


def test_a_subscription_lasts_five_minutes_and_can_be_continued():
    api = Api(limited=False)
    reader = Subscriber(api)
    api.put(299, 1)
    event = reader.next(299.9)
    assert reader.next(300) is None
    assert reader.subscription.is_over
    api.put(300, 2)
    renewed = Subscriber(api, 301, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=event["ContinuationSequenceNumber"])
    assert renewed.count(301) == 2


def test_an_empty_shard_has_a_continuation_too():
    api = Api()
    event = Subscriber(api).next(0)
    assert event["Records"] == []
    api.put(1, 1)
    renewed = Subscriber(api, 10, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=event["ContinuationSequenceNumber"])
    assert renewed.count(10) == 1


@pytest.mark.parametrize(("kind", "count"), [("LATEST", 1), ("TRIM_HORIZON", 3), ("AT_TIMESTAMP", 2)])
def test_a_subscription_starts_at_its_position(kind, count):
    api = Api()
    api.put(0, 1)
    api.put(10, 1)
    position = {"Timestamp": T0 + 5} if kind == "AT_TIMESTAMP" else {}
    reader = Subscriber(api, 20, Type=kind, **position)
    api.put(21, 1)
    assert reader.count(21) == count


def test_the_last_event_of_a_shard_names_its_children_and_ends_the_subscription():
    api = Api(limited=False)
    api.put(0, 1)
    reader = Subscriber(api)
    reader.next(0)
    api(1, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    event = reader.next(1)
    assert [child["ShardId"][-1] for child in event["ChildShards"]] == ["1", "2"]
    assert "ContinuationSequenceNumber" not in event
    assert reader.subscription.is_over
    assert reader.next(2) is None


def test_a_closed_shard_is_read_to_its_end():
    api = Api(limited=False)
    for _ in range(3):
        api.put(0, 1, size=MIB - 1, key="k")
    api(0, "SplitShard", StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    reader = Subscriber(api)
    events = [reader.next(0), reader.next(0)]
    assert [len(event["Records"]) for event in events] == [2, 1]
    assert ["ChildShards" in event for event in events] == [False, True]


def test_each_consumer_has_2_mib_a_second_of_its_own():
    api = Api(limited=True)
    for second in range(10):
        api.put(second, 1, size=MIB - 1)
    reader = Subscriber(api, 20)
    assert [reader.count(20 + second / 2) for second in range(5)] == [2, 1, 1, 1, 1]
    assert len(api.read(22, limit=1)["Records"]) == 1


def test_a_second_call_within_five_seconds_is_rejected():
    api = Api(limited=False)
    reader = Subscriber(api)
    assert code_of(reader.subscribe, 4.9) == "ResourceInUseException"
    assert reader.next(4.95) is not None


def test_a_later_call_takes_the_subscription_over():
    api = Api()
    reader = Subscriber(api)
    newer = reader.subscribe(5)
    assert code_of(reader.next, 5) == "ResourceInUseException"
    assert reader.next(6) is None
    assert newer.next_event(T0 + 5) is not None


def test_each_shard_and_each_consumer_has_a_subscription_of_its_own():
    api = Api(2)
    reader = Subscriber(api)
    assert reader.subscribe(0, shard=1).next_event(T0) is not None
    other = api(0, "RegisterStreamConsumer", StreamARN=ARN, ConsumerName="other")["Consumer"]["ConsumerARN"]
    shard = {"ShardId": "shardId-000000000000", "StartingPosition": TRIM_HORIZON}
    assert api(0, "SubscribeToShard", ConsumerARN=other, **shard)
    assert reader.next(0) is not None


def test_a_subscription_ends_with_its_consumer():
    api = Api()
    reader = Subscriber(api)
    api(1, "DeregisterStreamConsumer", ConsumerARN=reader.arn)
    assert code_of(reader.next, 1) == "ResourceNotFoundException"
    assert reader.subscription.is_over


def test_a_subscription_ends_with_its_stream():
    api = Api()
    reader = Subscriber(api)
    api(1, "DeleteStream", StreamName="s", EnforceConsumerDeletion=True)
    assert code_of(reader.next, 1) == "ResourceNotFoundException"


def test_a_subscription_needs_an_active_consumer_and_valid_members():
    api = Api(transition_seconds=1)
    api(1, "RegisterStreamConsumer", StreamARN=ARN, ConsumerName="reader")
    arn = api.stream().known_consumers(T0)["reader"].arn
    members = {"ConsumerARN": arn, "ShardId": "shardId-000000000000", "StartingPosition": TRIM_HORIZON}

    def code(at, **others):
        return code_of(api, at, "SubscribeToShard", **members | others)

    assert code(1.5) == "ResourceInUseException"
    assert code(10, ShardId="shardId-000000000009") == "ResourceNotFoundException"
    assert code(20, ConsumerARN=arn[:-1] + "0") == "ResourceNotFoundException"
    assert code(30, StartingPosition={"Type": "AT_TIMESTAMP"}) == "InvalidArgumentException"
    assert code(40, StartingPosition={"Type": "LATEST", "SequenceNumber": "1"}) == "InvalidArgumentException"
    assert code(50, DryRun=True) == "DryRunOperationException"


@QUICK
@given(
    steps=st.lists(st.tuples(st.floats(0, 200), st.integers(0, 40), st.booleans()), max_size=40),
    size=st.sampled_from([10, 200_000]),
)
def test_a_consumer_that_renews_receives_each_record_once_and_in_order(steps, size):
    """This holds for any pauses, sizes and time of a split; the subscription is renewed after five minutes."""
    api = Api(limited=False)
    reader, now, put, pushed = Subscriber(api), 0.0, 0, []
    position = {"Type": "TRIM_HORIZON"}
    for pause, count, is_split in [*steps, (10, 0, True), *[(1, 0, False)] * 60]:
        now += pause
        (shard,) = [shard for shard in api.stream(now).shards.values() if not shard.parents]
        for _ in range(count * shard.is_open):
            data = b"%d" % put
            api(now, "PutRecord", StreamName="s", Data=data.ljust(size), PartitionKey="k")
            put += 1
        if is_split and shard.is_open:
            api(now, "SplitShard", StreamName="s", ShardToSplit=shard.shard_id, NewStartingHashKey=str(2**127))
        event = reader.next(now)
        if event is None and reader.subscription.is_over and position:
            reader = Subscriber(api, now, **position)
            event = reader.next(now)
        if event is not None:
            pushed += [int(record["Data"]) for record in event["Records"]]
            number = event.get("ContinuationSequenceNumber")
            position = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number} if number else {}
    assert pushed == list(range(put))
    assert position == {}, "the last event of the shard has no continuation"
