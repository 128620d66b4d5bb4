"""The health endpoint answers with the status that probes look at, and with the report."""

import aiohttp
import pytest

from truckstream.errors import ConfigurationError
from truckstream.worker.health.health_report import HealthLimits, report_health
from truckstream.worker.health.health_server import HealthServer
from truckstream.worker.storing.shard_status import ShardStatus

LIMITS = HealthLimits(stuck_after=600, lease_table_silence=60)


@pytest.mark.parametrize(("silence", "health", "readiness"), [(1.0, 200, 200), (None, 200, 503), (100.0, 503, 503)])
async def test_the_status_follows_the_report(silence, health, readiness):
    def report():
        return report_health([ShardStatus("shardId-000000000000")], 0.0, LIMITS, lease_table_silence=silence)

    async with HealthServer(report, 0, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        for path, status in (("healthz", health), ("readyz", readiness)):
            async with session.get(f"http://127.0.0.1:{server.port}/{path}") as response:
                assert response.status == status
                body = await response.json()
                assert body["is_healthy"] is (health == 200)
                assert [shard["shard_id"] for shard in body["shards"]] == ["shardId-000000000000"]
        async with session.get(f"http://127.0.0.1:{server.port}/other") as response:
            assert response.status == 404


async def test_a_port_in_use_is_an_error():
    async with HealthServer(lambda: None, 0, host="127.0.0.1") as server:
        with pytest.raises(ConfigurationError, match=f"health_port is {server.port}, which cannot be opened"):
            await HealthServer(lambda: None, server.port, host="127.0.0.1").__aenter__()
