"""`truckstream status --application`: the leases of a consumer, as a user reads them."""

import asyncio
import json

import pytest

from tests.commands.support import run
from truckstream.consumer import Consumer
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
