"""The local Kinesis through aiobotocore: botocore parses every response, and raises the service's exceptions."""

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError, EventStreamError

from truckstream.local import LocalKinesis

pytestmark = pytest.mark.usefixtures("fake_credentials")


@pytest.fixture
async def kinesis():
    async with LocalKinesis(shards=2) as local:
        yield local


@pytest.fixture
async def client(kinesis):
    context = get_session().create_client("kinesis", region_name=kinesis.region_name, endpoint_url=kinesis.endpoint_url)
    async with context as client:
        yield client


async def read_all(client, stream, shard_id, kind="TRIM_HORIZON"):
    iterator = await client.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType=kind)
    return await client.get_records(ShardIterator=iterator["ShardIterator"])


async def test_a_record_is_read_back_from_the_shard_that_stored_it(client, kinesis):
    records = [{"Data": b"%d" % number, "PartitionKey": f"KEY_{number}"} for number in range(20)]
    response = await client.put_records(StreamName=kinesis.stream_name, Records=records)
    assert response["FailedRecordCount"] == 0
    for shard_id in ("shardId-000000000000", "shardId-000000000001"):
        page = await read_all(client, kinesis.stream_name, shard_id)
        expected = [
            (sent["Data"], sent["PartitionKey"], taken["SequenceNumber"])
            for sent, taken in zip(records, response["Records"], strict=True)
            if taken["ShardId"] == shard_id
        ]
        found = [(item["Data"], item["PartitionKey"], item["SequenceNumber"]) for item in page["Records"]]
        assert found == expected
        assert page["MillisBehindLatest"] == 0


async def test_a_stream_from_its_creation_to_its_deletion(client, kinesis):
    """Create, describe, tag, encrypt, retain, reshard, list, delete; by name and by ARN."""
    await client.create_stream(StreamName="other", ShardCount=2, Tags={"team": "fleet"}, MaxRecordSizeInKiB=2048)
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/other"
    await client.get_waiter("stream_exists").wait(StreamName="other")
    await client.add_tags_to_stream(StreamARN=arn, Tags={"cost": "low"})
    await client.remove_tags_from_stream(StreamARN=arn, TagKeys=["team", "unknown"])
    assert (await client.list_tags_for_stream(StreamARN=arn))["Tags"] == [{"Key": "cost", "Value": "low"}]
    await client.start_stream_encryption(StreamARN=arn, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    await client.increase_stream_retention_period(StreamARN=arn, RetentionPeriodHours=48)
    put = await client.put_record(StreamARN=arn, Data=b"x", PartitionKey="k")
    assert put["EncryptionType"] == "KMS"
    assert (await read_all(client, "other", put["ShardId"]))["Records"][0]["EncryptionType"] == "KMS"
    await client.decrease_stream_retention_period(StreamARN=arn, RetentionPeriodHours=24)
    await client.stop_stream_encryption(StreamARN=arn, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    half = str(2**126)
    await client.split_shard(StreamARN=arn, ShardToSplit="shardId-000000000000", NewStartingHashKey=half)
    await client.merge_shards(
        StreamARN=arn, ShardToMerge="shardId-000000000002", AdjacentShardToMerge="shardId-000000000003"
    )
    update = await client.update_shard_count(StreamARN=arn, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    assert (update["CurrentShardCount"], update["TargetShardCount"]) == (2, 4)
    summary = (await client.describe_stream_summary(StreamARN=arn))["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["MaxRecordSizeInKiB"], summary["StreamStatus"]) == (4, 2048, "ACTIVE")
    described = (await client.describe_stream(StreamARN=arn))["StreamDescription"]
    assert len(described["Shards"]) == 9
    assert (await client.describe_limits())["OpenShardCount"] == 6
    assert (await client.list_streams())["StreamNames"] == ["other", kinesis.stream_name]
    await client.delete_stream(StreamARN=arn)
    await client.get_waiter("stream_not_exists").wait(StreamName="other")


async def test_lists_are_paginated(client, kinesis):
    """ListShards, DescribeStream and ListStreams return tokens or names that lead to the next page."""
    found, page = [], {"StreamName": kinesis.stream_name}
    while page:
        response = await client.list_shards(**page, MaxResults=1)
        found += [shard["ShardId"] for shard in response["Shards"]]
        page = {"NextToken": response["NextToken"]} if "NextToken" in response else None
    assert found == ["shardId-000000000000", "shardId-000000000001"]
    pages = client.get_paginator("describe_stream").paginate(
        StreamName=kinesis.stream_name, PaginationConfig={"PageSize": 1}
    )
    assert len([shard async for page in pages for shard in page["StreamDescription"]["Shards"]]) == 2
    for number in range(3):
        await client.create_stream(StreamName=f"s{number}", ShardCount=1)
    pages = client.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 2})
    assert [name async for page in pages for name in page["StreamNames"]] == ["s0", "s1", "s2", kinesis.stream_name]


async def test_a_page_token_excludes_a_stream_name(client, kinesis):
    """AWS behaves the same, which makes botocore's own paginator of ListShards fail on the second page."""
    first = await client.list_shards(StreamName=kinesis.stream_name, MaxResults=1)
    with pytest.raises(ClientError, match=r"NextToken and StreamName cannot be provided together\."):
        await client.list_shards(StreamName=kinesis.stream_name, NextToken=first["NextToken"])


async def test_errors_are_botocores_typed_exceptions(client):
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        await client.put_record(StreamName="unknown", Data=b"x", PartitionKey="k")
    assert caught.value.response["Error"]["Message"] == "Stream unknown under account 000000000000 not found."
    assert caught.value.response["ResponseMetadata"]["RequestId"]
    with pytest.raises(
        ClientError, match=r"1 validation error detected: Value 'java.* at 'data' failed to satisfy constraint"
    ):
        await client.put_record(StreamName="truck-sensor-stream", Data=bytes(2**20), PartitionKey="k")


async def test_only_the_throttled_record_fails(client, kinesis):
    """1 MiB of quota: two records of 600 kB to one shard, one to the other."""
    low, high = "0", str(2**128 - 1)
    records = [{"Data": bytes(600_000), "PartitionKey": "k", "ExplicitHashKey": key} for key in (low, low, high)]
    response = await client.put_records(StreamName=kinesis.stream_name, Records=records)
    assert response["FailedRecordCount"] == 1
    assert response["Records"][1] == {
        "ErrorCode": "ProvisionedThroughputExceededException",
        "ErrorMessage": "Rate exceeded for shard shardId-000000000000 in stream truck-sensor-stream "
        "under account 000000000000.",
    }
    stats = await kinesis.stats()
    assert stats.shards["shardId-000000000000"].records_throttled == stats.records_throttled == 1
    assert stats.records_in == 2


# --- Enhanced fan-out -----------------------------------------------------------------------------


@pytest.fixture
async def consumer_arn(client, kinesis):
    response = await client.register_stream_consumer(StreamARN=kinesis.stream_arn, ConsumerName="reader")
    return response["Consumer"]["ConsumerARN"]


async def subscribe(client, consumer_arn, **position):
    response = await client.subscribe_to_shard(
        ConsumerARN=consumer_arn, ShardId="shardId-000000000000", StartingPosition={"Type": "TRIM_HORIZON"} | position
    )
    return response["EventStream"]


async def test_a_consumer_receives_records_until_its_shard_ends(client, kinesis, consumer_arn):
    """Each event is received as it is sent; the last one names the children."""
    record = {"StreamName": kinesis.stream_name, "PartitionKey": "k", "ExplicitHashKey": "0"}
    await client.put_record(Data=b"before", **record)
    data, children = [], []
    async for event in await subscribe(client, consumer_arn):
        pushed = event["SubscribeToShardEvent"]
        data += [item["Data"] for item in pushed["Records"]]
        if data == [b"before"]:
            await client.put_record(Data=b"after", **record)
            await client.split_shard(
                StreamName=kinesis.stream_name, ShardToSplit="shardId-000000000000", NewStartingHashKey="1000"
            )
        children += [child["ShardId"][-1] for child in pushed.get("ChildShards", [])]
    assert (data, children) == ([b"before", b"after"], ["2", "3"])


async def test_a_subscription_that_fails_raises_the_services_error(client, consumer_arn):
    events = await subscribe(client, consumer_arn)
    await anext(aiter(events))
    await client.deregister_stream_consumer(ConsumerARN=consumer_arn)
    with pytest.raises(EventStreamError, match="ResourceNotFoundException"):
        await anext(aiter(events))


async def test_a_subscription_ends_when_its_consumer_disconnects(client, kinesis, consumer_arn):
    """Closing the context neither waits for the subscription nor complains."""
    events = await subscribe(client, consumer_arn)
    events.close()
    assert (await kinesis.stats()).operations["SubscribeToShard"] == 1
