"""A worker is healthy while its lease table responds and no shard is stuck, and ready once the table was read."""

import pytest

from truckstream.worker.health.health_report import HealthLimits, report_health
from truckstream.worker.storing.shard_status import ShardStatus

LIMITS = HealthLimits(stuck_after=600, lease_table_silence=60)


def report(*statuses, now=1000.0, silence=1.0):
    return report_health(statuses, now, LIMITS, lease_table_silence=silence)


def test_a_worker_without_shards_is_healthy_and_ready():
    found = report()
    assert (found.is_healthy, found.is_ready, found.reason, found.millis_behind) == (True, True, None, 0)


def test_a_worker_that_is_opening_is_healthy_and_not_ready():
    found = report(silence=None)
    assert (found.is_healthy, found.is_ready) == (True, False)
    assert found.reason == "the lease table has not been read yet"


@pytest.mark.parametrize(("silence", "is_healthy"), [(60.0, True), (60.1, False)])
def test_a_silent_lease_table_makes_it_unhealthy(silence, is_healthy):
    found = report(silence=silence)
    assert found.is_healthy is found.is_ready is is_healthy
    silent = "the lease table has not responded for 60 s, so the leases are not renewed"
    assert found.reason == (None if is_healthy else silent)


@pytest.mark.parametrize(("since", "is_healthy"), [(None, True), (400.0, True), (399.0, False)])
def test_a_stuck_shard_makes_it_unhealthy(since, is_healthy):
    status = ShardStatus("shardId-000000000001", wave_since=since, last_error="SlowDown: …")
    found = report(ShardStatus("shardId-000000000000"), status)
    assert found.is_healthy is found.is_ready is is_healthy
    if not is_healthy:
        assert found.reason == "shardId-000000000001 has been storing the same records for 601 s: SlowDown: …"


def test_the_age_grows_while_a_shard_takes_no_records():
    status = ShardStatus("shardId-000000000000", millis_behind=70, full_since=400.0)
    assert [report(status, now=now).millis_behind for now in (400.0, 1000.0)] == [70, 600_070]


def test_it_reports_each_shard():
    one = ShardStatus("shardId-000000000001", millis_behind=70, records_held=12, wave_since=999.5, records_stored=3)
    found = report(one, ShardStatus("shardId-000000000000", millis_behind=30))
    assert [shard.shard_id[-1] for shard in found.shards] == ["0", "1"]
    assert found.millis_behind == 70
    assert (found.shards[1].records_held, found.shards[1].storing_seconds) == (12, 0.5)
    assert found.shards[0].storing_seconds is None
