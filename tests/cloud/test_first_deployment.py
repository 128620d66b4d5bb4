"""The first deployment on ministack: no record is skipped, and a second stack fits beside the first."""

import asyncio
import json

import pytest

from tests.batcher.support import truck
from tests.cloud.ministack import CANNOT_CREATE, session
from tests.cloud.this_machine import ARCHITECTURE, PYTHON
from truckstream.cloud.aws_account import Account
from truckstream.cloud.deployment.deploy import DeployOptions, deploy
from truckstream.cloud.deployment.destroy import destroy


@pytest.fixture
async def account(ministack_url):
    async with Account(region_name="us-east-1", endpoint_url=ministack_url, session=session()) as opened:
        yield opened


async def send(account, stream, first, count):
    records = [
        {"Data": truck(n, vibration_level=n / 100), "PartitionKey": f"TRUCK_{n}"} for n in range(first, first + count)
    ]
    answer = await account.call("kinesis", "put_records", StreamName=stream, Records=records)
    assert answer["FailedRecordCount"] == 0


async def stored(account, bucket):
    """Return the trucks of all stored records, and the classes of the objects."""
    rows = (await account.call("s3", "list_objects_v2", Bucket=bucket, Prefix="sensor_data/")).get("Contents", [])
    bodies = [await account.call("s3", "get_object", Bucket=bucket, Key=row["Key"]) for row in rows]
    lines = [line for body in bodies for line in (await body["Body"].read()).splitlines()]
    return sorted(json.loads(line)["truck_id"] for line in lines), {row["StorageClass"] for row in rows}


async def wait_for(account, bucket, count):
    """Wait until as many records are stored, or the test's time limit ends it."""
    while len((found := await stored(account, bucket))[0]) < count:  # noqa: ASYNC110 - another process stores them
        await asyncio.sleep(0.2)
    return found


def pipeline(stack, stream):
    return DeployOptions(
        stack,
        parameters={"StreamName": stream},
        architecture=ARCHITECTURE,
        python=PYTHON,
        leave_out=CANNOT_CREATE,
    )


@pytest.mark.timeout(180)
async def test_records_from_before_the_mapping_and_from_right_after_it_are_all_stored(account):
    """A mapping with LATEST would skip them: it begins where the stream ends when polling begins."""
    storage = DeployOptions("early", "STORAGE", {"StreamName": "early-stream"})
    await deploy(account, storage, poll=0.05)
    await send(account, "early-stream", 0, 300)
    outputs = (await deploy(account, pipeline("early", "early-stream"), poll=0.05)).outputs
    await send(account, "early-stream", 300, 300)
    trucks, classes = await wait_for(account, outputs["BucketName"], 600)
    assert trucks == sorted(f"TRUCK_{n:03}" for n in range(600))
    assert classes == {"INTELLIGENT_TIERING"}
    await destroy(account, "early", delete_data=True, poll=0.05)


@pytest.mark.timeout(180)
async def test_two_stacks_live_side_by_side(account):
    both = {
        stack: (await deploy(account, pipeline(stack, f"{stack}-stream"), poll=0.05)).outputs
        for stack in ("one", "two")
    }
    names = [{value for name, value in outputs.items() if "Arn" not in name} for outputs in both.values()]
    assert names[0].isdisjoint(names[1])
    for stack, outputs in both.items():
        await send(account, f"{stack}-stream", 0, 20)
        assert len((await wait_for(account, outputs["BucketName"], 20))[0]) == 20
    await destroy(account, "one", delete_data=True, poll=0.05)
    await send(account, "two-stream", 20, 20)
    assert len((await wait_for(account, both["two"]["BucketName"], 40))[0]) == 40
    await destroy(account, "two", delete_data=True, poll=0.05)
    left = await account.call("s3", "list_buckets")
    assert {row["Name"] for row in left["Buckets"]} == {"truckstream-artifacts-000000000000-us-east-1"}
