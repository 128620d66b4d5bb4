"""The command with its leases in DynamoDB and its objects in S3: each record is stored once, whoever stores it.

Three processes follow each other on one stream: one is killed while it stores, one leaves with SIGTERM. The DynamoDB is
ministack's, because moto's lets two workers win a write, behind a proxy that throttles, loses requests and loses
responses. The S3 fails, too. Groups are never full in time, so that the last records of a shard are stored only because
a worker hands over.
"""

import asyncio
import contextlib
import json
import signal
from collections import Counter

import boto3
import pytest
from botocore.config import Config

from tests.batcher.s3_stub import S3Stub
from tests.chaos.consumers.lossy_dynamodb import LossyDynamoDb
from tests.cloud.conftest import ministack_program, ministack_url  # noqa: F401 - fixtures
from tests.commands.support import AWS, run, start
from truckstream.local import LocalKinesis
from truckstream.producer import Producer

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

STREAM, APPLICATION, TABLE, BUCKET = "trucks", "lake", "lake-leases", "acme-truck-data"
SHARDS = 4
BATCH_SIZE = 50
#: More than fills the groups of all shards, and leaves a rest in each.
PORTION = SHARDS * BATCH_SIZE * 3 + 77
#: Failures of S3 for the workers to get over.
TROUBLE = [503, "lost", 500, "reset"] * 5
#: S3 creates each object and never responds, so that groups stay announced.
NO_RESPONSES = ["lost"] * 100_000
#: Seconds to wait for what the workers do. Leases last 10 s.
PATIENCE = 100


class Site:
    """The stand-ins, the workers that use them, and what they have stored."""

    def __init__(self, folder, dynamodb, environment, s3):
        self.folder = folder
        self.environment = environment
        self.s3 = s3
        self.processes = []
        self.count = 0
        self._dynamodb = dynamodb

    def start(self):
        """Start a worker."""
        words = ("worker", "--stream", STREAM, "--bucket", BUCKET, "--application", APPLICATION)
        process = start(*words, "--max-wait", "3600", cwd=self.folder, **self.environment)
        self.processes.append(process)
        return process

    async def status(self):
        """Return what `truckstream status` prints about the leases."""
        words = ("status", "--application", APPLICATION, "--stream", STREAM, "--json")
        _, out, err = await asyncio.to_thread(run, *words, cwd=self.folder, **self.environment)
        return json.loads(out) if out else {"leases": [], "error": err}

    async def put(self):
        """Put a portion of records."""
        numbers = range(self.count, self.count + PORTION)
        self.count += PORTION
        url = self.environment["AWS_ENDPOINT_URL_KINESIS"]
        async with Producer(STREAM, region_name="us-east-1", endpoint_url=url) as producer:
            await producer.put_many((json.dumps({"n": n}).encode(), str(n)) for n in numbers)

    def leases(self):
        """Return the items of the lease table, read without the proxy."""
        return self._dynamodb.scan(TableName=TABLE, ConsistentRead=True)["Items"]

    def owners(self):
        """Return how many leases each process has, by its id."""
        owners = (lease["leaseOwner"]["S"] for lease in self.leases() if "leaseOwner" in lease)
        return Counter(int(owner.split(":")[1]) for owner in owners)

    def announced(self, process):
        """Return the shards of a process whose groups are announced and not yet checkpointed."""
        return [
            lease["leaseKey"]["S"]
            for lease in self.leases()
            if f":{process.pid}:" in lease.get("leaseOwner", {}).get("S", "") and "pendingCheckpointState" in lease
        ]

    def stored(self):
        """Return how often each record is stored."""
        bodies = (body for path, (body, _) in self.s3.objects.items() if "/sensor_data/" in path)
        return Counter(json.loads(line)["n"] for body in list(bodies) for line in body.splitlines())

    async def until(self, is_reached, goal):
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not is_reached():
            assert asyncio.get_running_loop().time() < deadline, f"{goal}: not within {PATIENCE} s, {self.owners()}"
            for process in self.processes:
                assert process.poll() in {None, 0, -signal.SIGKILL}, process.communicate()
            await asyncio.sleep(0.02)

    async def leave(self, process):
        """Stop a worker in an orderly way."""
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0, out + err

    def close(self):
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
async def site(ministack_url, tmp_path, monkeypatch):  # noqa: F811 - the fixture
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    dynamodb = boto3.client("dynamodb", endpoint_url=ministack_url, config=Config(proxies={}), **keys)
    s3 = S3Stub()
    async with contextlib.AsyncExitStack() as resources:
        resources.callback(dynamodb.close)
        kinesis = await resources.enter_async_context(LocalKinesis(STREAM, SHARDS, own_process=True))
        proxy = await resources.enter_async_context(LossyDynamoDb(ministack_url, seed=1).serve())
        environment = {
            **AWS,
            "AWS_ENDPOINT_URL_KINESIS": kinesis.endpoint_url,
            "AWS_ENDPOINT_URL_DYNAMODB": proxy,
            "AWS_ENDPOINT_URL_S3": resources.enter_context(s3.running()),
            "LEASE_TABLE": f"dynamodb:{TABLE}",
            "SCHEMA": "none",
            "BATCH_SIZE": str(BATCH_SIZE),
            "NO_PROXY": "127.0.0.1",
        }
        made = Site(tmp_path, dynamodb, environment, s3)
        resources.callback(made.close)
        yield made


async def test_each_record_is_stored_once_by_workers_that_are_killed_and_that_hand_over(site):
    await site.put()
    first = site.start()
    await site.until(lambda: len(site.stored()) >= PORTION - SHARDS * BATCH_SIZE, "the first worker stores full groups")
    second = site.start()
    await site.until(lambda: site.owners() == {first.pid: 2, second.pid: 2}, "each worker has its share")

    # The first worker is killed when it has announced groups, whose objects S3 creates without a response.
    site.s3.script += NO_RESPONSES
    await site.put()
    await site.until(lambda: site.announced(first), "the first worker announces groups")
    first.kill()
    first.wait()
    site.s3.script[:] = TROUBLE
    await site.until(lambda: site.owners() == {second.pid: SHARDS}, "the second worker has all shards")
    await site.until(
        lambda: len(site.stored()) >= site.count - SHARDS * BATCH_SIZE,
        "the second worker finishes the first one's work",
    )

    # The other one leaves in an orderly way, with records in hand.
    third = site.start()
    await site.until(lambda: site.owners() == {second.pid: 2, third.pid: 2}, "the third worker has its share")
    await site.put()
    await site.leave(second)
    assert site.owners().keys() <= {third.pid}
    await site.until(lambda: site.owners() == {third.pid: SHARDS}, "the third worker has all shards")
    await site.put()
    report = await site.status()
    assert {lease["owner"].split(":")[1] for lease in report["leases"]} == {str(third.pid)}, report

    await site.until(lambda: len(site.stored()) >= site.count - SHARDS * BATCH_SIZE, "the third worker stores")
    assert len(site.stored()) < site.count, "there is no rest, which only the hand-over stores"
    await site.leave(third)
    assert site.stored() == Counter(range(site.count))
    assert not any("leaseOwner" in lease or "pendingCheckpointState" in lease for lease in site.leases())
