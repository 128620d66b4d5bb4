"""Enhanced fan-out: Register-, Describe-, List- and DeregisterStreamConsumer(s), and SubscribeToShard."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from botocore.exceptions import ClientError

from tests.contract.support import arn_of, in_passing, put, rejected_with, summary

SHARD = "shardId-000000000000"


def register(kinesis, arn, name="reader"):
    """Register a consumer, wait until it is ACTIVE, and return its ARN."""
    consumer_arn = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)["Consumer"]["ConsumerARN"]
    for _ in range(500):
        description = kinesis.describe_stream_consumer(ConsumerARN=consumer_arn)["ConsumerDescription"]
        if description["ConsumerStatus"] == "ACTIVE":
            return consumer_arn
        time.sleep(0.02)
    pytest.fail("the consumer is not ACTIVE after 10 s")


def wait_until_gone(kinesis, arn):
    for _ in range(500):
        if kinesis.list_stream_consumers(StreamARN=arn)["Consumers"] == []:
            return
        time.sleep(0.02)
    pytest.fail("the consumer is still listed after 10 s")


def subscribe(kinesis, consumer_arn):
    response = kinesis.subscribe_to_shard(
        ConsumerARN=consumer_arn, ShardId=SHARD, StartingPosition={"Type": "TRIM_HORIZON"}
    )
    return closing(response["EventStream"])


def test_a_consumer_is_registered(kinesis, stream):
    """The consumer is CREATING; its ARN has the stream's ARN, its name and its creation time."""
    arn = arn_of(kinesis, stream())
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]
    assert consumer["ConsumerName"] == "reader"
    assert consumer["ConsumerStatus"] == "CREATING"
    assert consumer["ConsumerARN"].startswith(f"{arn}/consumer/reader:")


def test_a_consumer_is_described_by_arn(kinesis, stream):
    """To get the description of a registered consumer, provide the ARN of the consumer."""
    arn = arn_of(kinesis, stream())
    consumer_arn = register(kinesis, arn)
    description = kinesis.describe_stream_consumer(ConsumerARN=consumer_arn)["ConsumerDescription"]
    assert description["StreamARN"] == arn
    assert description["ConsumerStatus"] == "ACTIVE"


def test_a_consumer_is_described_by_name(kinesis, stream):
    """Alternatively, you can provide the ARN of the data stream and the name you gave the consumer."""
    arn = arn_of(kinesis, stream())
    consumer_arn = register(kinesis, arn)
    description = kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="reader")["ConsumerDescription"]
    assert description["ConsumerARN"] == consumer_arn


def test_a_summary_counts_the_consumers(kinesis, stream):
    """ConsumerCount is the number of enhanced fan-out consumers registered with the stream."""
    name = stream()
    register(kinesis, arn_of(kinesis, name))
    assert summary(kinesis, name)["ConsumerCount"] == 1


def test_the_name_of_a_consumer_is_unique(kinesis, stream):
    """For a given stream, each consumer must have a unique name."""
    arn = arn_of(kinesis, stream())
    register(kinesis, arn)
    with rejected_with("ResourceInUseException"):
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")


@pytest.mark.parametrize("name", ["", "a b", "n" * 129], ids=["empty", "a b", "129 characters"])
def test_the_name_of_a_consumer_has_a_pattern(kinesis, stream, name):
    """ConsumerName has 1 to 128 characters of [a-zA-Z0-9_.-]."""
    arn = arn_of(kinesis, stream())
    with rejected_with("ValidationException"):
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name)


@in_passing
def test_only_five_consumers_may_be_creating(kinesis, stream):
    """Registering a 6th consumer while there are 5 in a CREATING status results in a LimitExceededException."""
    arn = arn_of(kinesis, stream())

    def attempt(number):
        try:
            kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=f"reader-{number}")
        except ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    with ThreadPoolExecutor(10) as pool:
        codes = set(pool.map(attempt, range(10)))
    assert codes == {"", "LimitExceededException"}


def test_a_stream_has_at_most_20_consumers(kinesis, stream):
    """With provisioned streams, you can register up to 20 consumers per stream."""
    arn = arn_of(kinesis, stream())
    for number in range(20):
        register(kinesis, arn, f"reader-{number}")
    with rejected_with("LimitExceededException"):
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader-20")


def test_consumers_are_listed(kinesis, stream):
    """ListStreamConsumers lists the consumers registered with a stream."""
    arn = arn_of(kinesis, stream())
    consumer_arn = register(kinesis, arn)
    [consumer] = kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]
    assert consumer["ConsumerARN"] == consumer_arn
    assert consumer["ConsumerStatus"] == "ACTIVE"


def test_consumers_are_listed_in_pages(kinesis, stream):
    """When there are more consumers than MaxResults, the response includes a NextToken."""
    arn = arn_of(kinesis, stream())
    for name in ("a", "b", "c"):
        register(kinesis, arn, name)
    first = kinesis.list_stream_consumers(StreamARN=arn, MaxResults=2)
    rest = kinesis.list_stream_consumers(StreamARN=arn, NextToken=first["NextToken"])
    names = [consumer["ConsumerName"] for page in (first, rest) for consumer in page["Consumers"]]
    assert sorted(names) == ["a", "b", "c"]
    assert "NextToken" not in rest


def test_an_invalid_token_of_consumers_is_rejected(kinesis, stream):
    """InvalidArgumentException: a specified parameter is not valid."""
    arn = arn_of(kinesis, stream())
    with rejected_with("InvalidArgumentException"):
        kinesis.list_stream_consumers(StreamARN=arn, NextToken="bm90IGEgdG9rZW4=")


@pytest.mark.parametrize("limit", [0, 10_001])
def test_list_stream_consumers_has_a_range_of_max_results(kinesis, stream, limit):
    """ListStreamConsumersInputLimit is from 1 to 10,000."""
    arn = arn_of(kinesis, stream())
    with rejected_with("ValidationException"):
        kinesis.list_stream_consumers(StreamARN=arn, MaxResults=limit)


def test_a_consumer_is_deregistered(kinesis, stream):
    """To deregister a consumer, provide its ARN; afterwards it raises ResourceNotFoundException."""
    arn = arn_of(kinesis, stream())
    consumer_arn = register(kinesis, arn)
    kinesis.deregister_stream_consumer(ConsumerARN=consumer_arn)
    wait_until_gone(kinesis, arn)
    with rejected_with("ResourceNotFoundException"):
        kinesis.describe_stream_consumer(ConsumerARN=consumer_arn)


def test_a_consumer_is_deregistered_by_name(kinesis, stream):
    """Alternatively, you can provide the ARN of the data stream and the name you gave the consumer."""
    arn = arn_of(kinesis, stream())
    register(kinesis, arn)
    kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName="reader")
    wait_until_gone(kinesis, arn)


def test_an_unknown_consumer_is_not_found(kinesis, stream):
    """ResourceNotFoundException: the requested resource could not be found."""
    arn = arn_of(kinesis, stream())
    with rejected_with("ResourceNotFoundException"):
        kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="nobody")
    with rejected_with("ResourceNotFoundException"):
        kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName="nobody")


def test_a_consumer_must_be_named(kinesis):
    """Provide the ARN of the consumer, or the ARN of the data stream and the consumer's name."""
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.describe_stream_consumer()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.deregister_stream_consumer(ConsumerName="reader")


def test_a_subscriber_receives_the_records(kinesis, stream):
    """Kinesis Data Streams pushes records from the shard to the consumer: events of type SubscribeToShardEvent."""
    name = stream()
    put(kinesis, name, b"1")
    with subscribe(kinesis, register(kinesis, arn_of(kinesis, name))) as events:
        for event in events:
            pushed = event["SubscribeToShardEvent"]
            if pushed["Records"]:
                break
    assert [record["Data"] for record in pushed["Records"]] == [b"1"]
    assert pushed["MillisBehindLatest"] == 0


def test_a_consumer_has_one_subscription_to_a_shard(kinesis, stream):
    """A second call within 5 seconds of a successful one fails with ResourceInUseException."""
    consumer_arn = register(kinesis, arn_of(kinesis, stream()))
    latest = {"Type": "LATEST"}
    with subscribe(kinesis, consumer_arn), rejected_with("ResourceInUseException"):
        subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer_arn, ShardId=SHARD, StartingPosition=latest)
        subscription["EventStream"].close()


def test_an_unknown_consumer_cannot_subscribe(kinesis, stream):
    """ResourceNotFoundException: the requested resource could not be found."""
    consumer_arn = f"{arn_of(kinesis, stream())}/consumer/nobody:1700000000"
    latest = {"Type": "LATEST"}
    with rejected_with("ResourceNotFoundException"):
        subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer_arn, ShardId=SHARD, StartingPosition=latest)
        subscription["EventStream"].close()


def test_a_subscription_needs_a_valid_starting_position(kinesis, stream):
    """The Type of StartingPosition is one of the five types of shard iterators."""
    consumer_arn = f"{arn_of(kinesis, stream())}/consumer/reader:1700000000"
    noon = {"Type": "AT_NOON"}
    with rejected_with("ValidationException"):
        subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer_arn, ShardId=SHARD, StartingPosition=noon)
        subscription["EventStream"].close()


def test_a_dry_run_of_subscribe_to_shard_does_not_subscribe(kinesis, stream):
    """DryRun checks if the request will succeed: DryRunOperationException, rejected because DryRun was specified."""
    consumer_arn = register(kinesis, arn_of(kinesis, stream()))
    with rejected_with("DryRunOperationException"):
        subscription = kinesis.subscribe_to_shard(
            ConsumerARN=consumer_arn, ShardId=SHARD, StartingPosition={"Type": "LATEST"}, DryRun=True
        )
        subscription["EventStream"].close()
