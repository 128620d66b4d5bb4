"""`truckstream status --application`: the leases of a consumer, as a user reads them."""

import asyncio
import json

import pytest

from tests.commands.support import run
from truckstream.consumer import Consumer
from truckstream.consumer.tables.sqlite_table import SqliteTable
from truckstream.local import LocalKinesis


@pytest.mark.usefixtures("fake_credentials")
async def test_the_leases_of_an_application_are_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with LocalKinesis(stream="trucks", shards=2) as kinesis:
        url = kinesis.endpoint_url
        words = ("status", "--application", "lake", "--stream", "trucks", "--endpoint-url", url)

        async def status(*more):
            environment = {"XDG_STATE_HOME": str(tmp_path)}
            return await asyncio.to_thread(run, *words, *more, cwd=tmp_path, **environment)

        code, out, err = await status()
        assert code == 1
        assert "lake.sqlite: a consumer creates it when it opens" in err
        async with Consumer(
            "trucks", application="lake", worker_id="one", endpoint_url=url, region_name="us-east-1"
        ) as consumer:
            await consumer.wait_ready()
            code, out, err = await status()
            assert (code, err) == (0, "")
            assert "lake on trucks: 2 shards, 0 more read to their ends" in out
            assert "shardId-000000000001  one" in out
        code, out, _ = await status("--json")
        found = json.loads(out)
        assert code == 1
        assert [lease["owner"] for lease in found["leases"]] == [None, None]


@pytest.mark.usefixtures("fake_credentials")
async def test_the_leases_are_read_from_the_table_that_the_workers_name(tmp_path):
    async with LocalKinesis(stream="trucks", shards=1) as kinesis:
        where = {"endpoint_url": kinesis.endpoint_url, "region_name": "us-east-1"}
        words = ("status", "--application", "lake", "--stream", "trucks", "--endpoint-url", kinesis.endpoint_url)

        async def status(*more, **environment):
            return await asyncio.to_thread(run, *words, *more, cwd=tmp_path, **environment)

        leases = SqliteTable(tmp_path / "named.db")
        async with Consumer("trucks", application="lake", worker_id="one", leases=leases, **where) as consumer:
            await consumer.wait_ready()
            by_flag = await status("--lease-table", "sqlite:named.db")
            by_variable = await status(LEASE_TABLE="sqlite:named.db")
            missing = await status("--lease-table", "sqlite:other.db")
            default = await status(LEASE_TABLE="", XDG_STATE_HOME=str(tmp_path))
    assert by_flag == by_variable
    code, out, _ = by_flag
    assert code == 0
    assert "shardId-000000000000  one" in out
    assert (missing[0], (tmp_path / "other.db").exists()) == (1, False)
    assert "there is no other.db" in missing[2]
    assert "lake.sqlite: a consumer creates it" in default[2]


def test_a_malformed_lease_table_ends_with_status_2(tmp_path):
    words = ("--endpoint-url", "http://127.0.0.1:9", "--lease-table", "redis:x")
    code, out, err = run("status", "--application", "lake", *words, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert "lease_table is 'redis:x': must be dynamodb:NAME or sqlite:FILE" in err
