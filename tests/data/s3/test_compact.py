"""Compactions of a bucket through the real client, whose requests fail and whose process is killed."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.batcher.support import contents
from tests.data.compaction.support import fill, read_once, read_sources
from tests.data.processes import MOMENTS, die_at, is_killed
from tests.data.s3.support import FAULTS
from truckstream import audit, compact
from truckstream.errors import StoreError

KILLS = 15
TAG = {"truckstream-compacted": "true"}


async def settle(bucket, tries=10):
    """Compact and tag, again after an error, as a scheduled function would."""
    for _ in range(tries):
        try:
            return await compact(bucket.url, originals="tier", **bucket.at)
        except StoreError as error:
            print(error)  # noqa: T201 - shown if the test fails
    pytest.fail(f"{tries} runs did not complete")


async def assert_complete(bucket, expected, folder):
    """Each record is found once, the originals have their tag, and both are so when the originals are gone."""
    assert (await compact(bucket.url, originals="tier", **bucket.at)).files == []
    files = [key for key in contents(bucket.store, "compacted") if key.endswith(".parquet")]
    assert len(files) == 2, "an hour has one file, as without faults"
    originals = list(contents(bucket.store, "sensor_data"))
    data = [key for key in originals if "/batch_" in key]
    assert all(bucket.tags(key) == TAG for key in data)
    assert all(bucket.tags(key) == {} for key in {*originals, *files} - {*data})
    for _ in range(2):
        assert await read_once(bucket.store, folder) == expected
        report = await audit(bucket.url, **bucket.at)
        assert report.exit_status == 0, report.findings
        for key in data:  # as a lifecycle rule for the tag does at last
            bucket.store.delete(key)


async def test_requests_that_fail_double_nothing(bucket, tmp_path):
    await fill(bucket.store, hours=2)
    expected = await read_sources(bucket.store)
    bucket.s3.set_faults(*FAULTS)
    await settle(bucket)
    assert bucket.s3.hits
    bucket.s3.set_faults()
    await assert_complete(bucket, expected, tmp_path)


def work(environment, url, at, request, moment):
    os.environ.update(environment)
    die_at(request, moment)
    asyncio.run(compact(url, originals="tier", **at))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_killed_run_loses_and_doubles_nothing(bucket, tmp_path, chance):
    """Killed at random requests, some of which tag; each bucket until it is complete."""
    environment = dict(os.environ)
    killed = 0
    while killed < KILLS:
        bucket = bucket.renewed()
        await fill(bucket.store, hours=2)
        expected = await read_sources(bucket.store)
        where = (environment, bucket.url, bucket.at)
        while await is_killed(work, *where, chance.randrange(1, 60), chance.choice(MOMENTS)):
            killed += 1
            assert await read_once(bucket.store, tmp_path) == expected
            report = await audit(bucket.url, **bucket.at)
            assert report.exit_status == 0, report.findings
        await assert_complete(bucket, expected, tmp_path)
