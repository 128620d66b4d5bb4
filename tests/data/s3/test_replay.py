"""Replays in a bucket through the real client, whose requests fail and whose process is killed."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter

import pytest

from tests.batcher.support import contents
from tests.data.processes import MOMENTS, die_at, is_killed
from tests.data.replay.support import Strict, bad, fix, good, reject, stored
from tests.data.replay.test_given_up_batches import give_up
from tests.data.s3.support import FAULTS
from truckstream import audit
from truckstream.batcher import Batcher
from truckstream.data.replay import replay
from truckstream.errors import StoreError
from truckstream.local import LocalKinesis

REJECTED = 30
GIVEN_UP = 20
RECORDS = Counter(range(REJECTED + GIVEN_UP))


@pytest.fixture
async def lake(bucket):
    """A bucket with rejected records, and batches that Lambda gave up, some of whose records are invalid."""
    return await fill(bucket)


async def fill(bucket):
    for start in range(0, REJECTED, 10):
        await reject(bucket.store, [bad(n) for n in range(start, start + 10)])
    for start in range(REJECTED, REJECTED + GIVEN_UP, 10):
        records = [(good if n % 4 else bad)(n) for n in range(start, start + 10)]
        give_up(bucket.store, records, f"from-{start}")
    return bucket


async def run(url, at, **options):
    batcher = Batcher(url, schema=Strict, batch_size=5, **at)
    return await replay(url, batcher=batcher, given_up=url, repair=fix, **at, **options)


async def assert_complete(bucket):
    """Each record is stored once, and running it again changes nothing."""
    before = contents(bucket.store)
    report = await run(bucket.url, bucket.at)
    assert (report.ok, report.replayed, report.already_replayed) == (True, 0, RECORDS.total())
    assert contents(bucket.store) == before
    assert stored(bucket.store) == RECORDS
    verified = await audit(bucket.url, **bucket.at)
    assert verified.exit_status == 0, verified.findings


async def assert_no_double(bucket):
    """Of a group of a given-up batch, the object of the rejected records may be there alone for now."""
    assert max(stored(bucket.store).values(), default=0) <= 1
    findings = (await audit(bucket.url, **bucket.at)).findings
    assert {(each.kind, each.severity) for each in findings} <= {("half_group", "unclear"), ("no_objects", "unclear")}


async def test_into_the_bucket(lake):
    report = await run(lake.url, lake.at, dry_run=True)
    assert (report.replayed, stored(lake.store)) == (REJECTED + 15, Counter())
    report = await run(lake.url, lake.at)
    assert (report.ok, report.replayed, report.given_up_batches) == (True, RECORDS.total(), 2)
    await assert_complete(lake)


async def test_requests_that_fail_double_nothing(lake):
    lake.s3.set_faults(*FAULTS)
    for _ in range(10):
        try:
            assert (await run(lake.url, lake.at)).ok
            break
        except StoreError as error:
            print(error)  # noqa: T201 - shown if the test fails
    assert lake.s3.hits
    lake.s3.set_faults()
    await assert_complete(lake)


def work(environment, url, at, request, moment):
    os.environ.update(environment)
    die_at(request, moment)
    asyncio.run(run(url, at))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [2, pytest.param(15, marks=pytest.mark.slow)])
async def test_a_killed_run_loses_and_doubles_nothing(bucket, chance, kills):
    """Killed at random requests, each bucket until it is complete."""
    environment = dict(os.environ)
    killed = 0
    while killed < kills:
        bucket = await fill(bucket.renewed())
        where = (environment, bucket.url, bucket.at)
        while await is_killed(work, *where, chance.randrange(1, 50), chance.choice(MOMENTS)):
            killed += 1
            await assert_no_double(bucket)
        await assert_complete(bucket)


async def test_into_a_stream(lake, monkeypatch):
    """The journal lies in the bucket, whose requests fail."""
    async with LocalKinesis("trucks", quotas=False) as kinesis:
        for name, value in kinesis.environment().items():
            monkeypatch.setenv(name, value)
        options = {"aws_endpoint_url_s3": lake.s3.endpoint_url}
        lake.s3.set_faults(*FAULTS)
        for _ in range(10):
            try:
                report = await replay(lake.url, stream="trucks", schema=Strict, repair=fix, store_options=options)
                break
            except StoreError as error:
                print(error)  # noqa: T201 - shown if the test fails
        assert report.ok
        assert lake.s3.hits
        found = Counter([json.loads(each.data)["n"] async for each in kinesis.stored()])
    assert found == Counter(range(REJECTED))
