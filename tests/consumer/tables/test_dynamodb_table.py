"""DynamoDB's lease table: calls that fail, against a scripted client on virtual time; and, on ministack, its items."""

import asyncio
from dataclasses import replace

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from tests import virtual_time
from tests.cloud.ministack import session
from truckstream.consumer.leases.lease import Checkpoint, Lease
from truckstream.consumer.leases.lease_changes import renewed, saved, taken
from truckstream.consumer.tables.dynamodb_table import DynamoDbTable
from truckstream.consumer.tables.lease_item import item_of
from truckstream.errors import ConfigurationError, LeaseTableError

LEASE = Lease(key="s0", shard_id="s0", checkpoint=Checkpoint("LATEST"))


def error(code, item=None, message="no"):
    response = {"Error": {"Code": code, "Message": message}}
    return ClientError(response | ({"Item": item} if item else {}), "UpdateItem")


class ScriptedClient:
    """Answers calls with the next outcomes: a response or an exception."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.calls = []

    def __getattr__(self, operation):
        async def call(**parameters):
            self.calls.append((operation, parameters))
            outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return call


def table_with(*outcomes):
    table = DynamoDbTable("lake", retry_for=5.0)
    table._client = client = ScriptedClient(*outcomes)
    return table, client


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"]
)
def test_a_throttled_write_is_repeated(code):
    table, client = table_with(error(code), error(code), {})
    assert virtual_time.run(table.replace(LEASE, taken(LEASE, "me")))
    assert len(client.calls) == 3
    assert client.calls[0] == client.calls[2]


def test_a_call_that_is_always_throttled_fails_within_its_time_with_advice():
    async def story():
        with pytest.raises(LeaseTableError, match=r"table lake.*on-demand") as caught:
            await table.read()
        assert caught.value.retryable
        return asyncio.get_running_loop().time()

    table, client = table_with(error("ProvisionedThroughputExceededException"))
    assert 3.5 < virtual_time.run(story()) < 5.0
    assert 5 < len(client.calls) < 15


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (error("AccessDeniedException"), "UpdateItem"),
        (error("ResourceNotFoundException"), "There is no such table"),
        (error("ValidationException"), "leaseKey"),
        (NoCredentialsError(), "credentials"),
    ],
)
def test_an_error_that_lasts_is_reported_at_once_with_advice(failure, advice):
    table, client = table_with(failure)
    with pytest.raises(LeaseTableError, match=advice) as caught:
        virtual_time.run(table.replace(LEASE, taken(LEASE, "me")))
    assert not caught.value.retryable
    assert len(client.calls) == 1


def test_a_write_whose_response_was_lost_is_recognised():
    after = taken(LEASE, "me")
    lost = EndpointConnectionError(endpoint_url="http://x")
    table, _ = table_with(lost, error("ConditionalCheckFailedException", item_of(after)))
    assert virtual_time.run(table.replace(LEASE, after))


@pytest.mark.parametrize("found", [None, taken(LEASE, "other"), renewed(taken(LEASE, "me"))])
def test_a_write_that_another_worker_was_faster_with_is_refused(found):
    table, _ = table_with(error("ConditionalCheckFailedException", found and item_of(found)))
    assert not virtual_time.run(table.replace(LEASE, taken(LEASE, "me")))


def test_a_write_names_only_what_changes():
    before = replace(LEASE, owner="me", counter=7, hash_range=(0, 9))
    table, client = table_with({})
    virtual_time.run(table.replace(before, saved(before, Checkpoint("100"))))
    [(operation, call)] = client.calls
    assert operation == "update_item"
    assert call["Key"] == {"leaseKey": {"S": "s0"}}
    assert call["ConditionExpression"] == (
        "#leaseCounter = :v0 AND #leaseOwner = :v1 AND attribute_not_exists(#checkpointOwner)"
    )
    assert call["UpdateExpression"] == "SET #leaseCounter = :v2, #checkpoint = :v3"
    assert call["ExpressionAttributeValues"] == {
        ":v0": {"N": "7"},
        ":v1": {"S": "me"},
        ":v2": {"N": "8"},
        ":v3": {"S": "100"},
    }
    assert call["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_readings_are_consistent_and_go_through_all_pages():
    pages = [
        {
            "Items": [item_of(LEASE), {"leaseKey": {"S": "L"}, "entityType": {"S": "LEADER"}}],
            "LastEvaluatedKey": {"k": 1},
        },
        {"Items": [item_of(replace(LEASE, key="s1", shard_id="s1"))]},
    ]
    table, client = table_with(*pages)
    assert [lease.key for lease in virtual_time.run(table.read())] == ["s0", "s1"]
    assert [call["ConsistentRead"] for _, call in client.calls] == [True, True]
    assert client.calls[1][1]["ExclusiveStartKey"] == {"k": 1}


def status(word):
    return {"Table": {"TableStatus": word}}


@pytest.mark.parametrize("usable", ["ACTIVE", "UPDATING"])
def test_a_missing_table_is_created_and_awaited(usable):
    missing = error("ResourceNotFoundException")
    table, client = table_with(missing, {}, status("CREATING"), status(usable))
    virtual_time.run(table.open())
    assert [operation for operation, _ in client.calls] == ["describe_table", "create_table", *["describe_table"] * 2]


def test_a_table_that_is_being_deleted_is_created_again():
    missing = error("ResourceNotFoundException")
    table, client = table_with(status("DELETING"), missing, {}, status("ACTIVE"))
    virtual_time.run(table.open())
    assert client.calls[2][0] == "create_table"


def test_a_table_that_does_not_become_active_is_reported():
    table, _ = table_with(status("ARCHIVED"))
    with pytest.raises(LeaseTableError, match="it is ARCHIVED"):
        virtual_time.run(table.open())


def test_a_table_that_is_not_open_says_so():
    with pytest.raises(LeaseTableError, match="Open the consumer first"):
        virtual_time.run(DynamoDbTable("lake").read())


@pytest.mark.usefixtures("fake_credentials")
async def test_a_missing_region_is_reported(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    table = DynamoDbTable("lake")
    with pytest.raises(ConfigurationError, match="region_name"):
        await table.open()
    await table.close()


# --- On ministack ------------------------------------------------------------------------------------


@pytest.fixture
def items(ministack_url):
    """A client of boto3, as another program that works on the same items."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    client = boto3.client("dynamodb", endpoint_url=ministack_url, **keys)
    yield client
    client.close()


@pytest.mark.external
async def test_attributes_of_others_stay(items, ministack_url):
    table = DynamoDbTable("shared", region_name="us-east-1", endpoint_url=ministack_url, session=session())
    await table.open()
    throughput = {"throughputKBps": {"N": "12.5"}, "entityType": {"S": "LEASE"}}
    await asyncio.to_thread(items.put_item, TableName="shared", Item=item_of(LEASE) | throughput)
    await asyncio.to_thread(
        items.put_item, TableName="shared", Item={"leaseKey": {"S": "Leader"}, "entityType": {"S": "LEADER"}}
    )
    [lease] = await table.read()
    after = saved(taken(lease, "me"), Checkpoint("7"))
    assert await table.replace(lease, after)
    found = await asyncio.to_thread(items.get_item, TableName="shared", Key={"leaseKey": {"S": "s0"}})
    assert found["Item"] == item_of(after) | throughput
    await table.close()


@pytest.mark.external
async def test_workers_that_open_a_new_table_together_create_it_once(items, ministack_url):
    made = session()
    tables = [
        DynamoDbTable("fresh", region_name="us-east-1", endpoint_url=ministack_url, session=made) for _ in range(8)
    ]
    await asyncio.gather(*(table.open() for table in tables))
    described = (await asyncio.to_thread(items.describe_table, TableName="fresh"))["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["KeySchema"] == [{"AttributeName": "leaseKey", "KeyType": "HASH"}]
    await asyncio.gather(*(table.close() for table in tables))
