"""The commands on a bucket of a local S3, as a user runs them."""

from __future__ import annotations

import pytest

from tests.batcher.support import contents, record, truck, trucks
from tests.commands.support import run
from truckstream.batcher import Batcher

REPAIRS = """
import json

def fix(rejected):
    return json.dumps({**json.loads(rejected.data), "engine_temp": 90.0}).encode()
"""

COUNT = "SELECT count(*) AS n FROM records"


@pytest.fixture
async def lake(bucket, tmp_path):
    """A bucket with five trucks, of which two are too hot to be valid."""
    (tmp_path / "repairs.py").write_text(REPAIRS)
    hot = [record(truck(n, engine_temp=1e6), n) for n in (3, 4)]
    await Batcher(bucket.store).process([*trucks(3), *hot])
    return bucket


async def test_from_repair_to_answer(lake, tmp_path):
    """A server on this machine needs neither credentials nor a region."""

    def command(*arguments):
        at = ("--endpoint-url", lake.s3.endpoint_url)
        return run(*arguments, *at, cwd=tmp_path, NO_PROXY="127.0.0.1", HOME=str(tmp_path))

    status, out, err = command("replay", lake.url, "--repair", "repairs:fix")
    assert (status, err, out.splitlines()[0]) == (0, "", "Replayed: 2")
    status, out, err = command("compact", lake.url, "--originals", "tier")
    assert (status, err) == (0, "")
    assert out.endswith("5 records of 2 objects are in 1 files. 2 objects were tagged.\n")
    for key in contents(lake.store, "sensor_data"):
        if lake.tags(key):  # as a lifecycle rule for the tag does at last
            lake.store.delete(key)
    status, out, err = command("verify", lake.url)
    assert (status, err) == (0, ""), out
    status, out, err = command("query", COUNT, "--store", lake.url, "--format", "csv")
    assert (status, err, out) == (0, "", "n\n5\n")


async def test_the_endpoint_may_be_in_the_environment(lake, tmp_path):
    """As AWS's own programs know it. It may be http, as there."""
    variables = {**lake.s3.environment(), "NO_PROXY": "127.0.0.1"}
    status, out, err = run("query", COUNT, "--store", lake.url, "--format", "csv", cwd=tmp_path, **variables)
    assert (status, err, out) == (0, "", "n\n3\n")
