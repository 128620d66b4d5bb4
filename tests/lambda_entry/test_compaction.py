"""The scheduled function compacts the hours that are over."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import obstore.store
import pytest

from lambda_entry.compaction import SourcesLeftOutError, lambda_handler, read_options
from tests.batcher.support import contents, record, truck
from truckstream.batcher import Batcher
from truckstream.errors import ConfigurationError
from truckstream.record import TruckRecord

NOW = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path, monkeypatch):
    """A store with an object of three hours ago and one of 40 hours ago."""
    store = obstore.store.LocalStore(tmp_path)
    for n, hours in enumerate((3, 40)):
        arrival = (datetime.now(UTC) - timedelta(hours=hours)).timestamp()
        await Batcher(store).process([record(truck(n), n, arrival=arrival)])
    monkeypatch.setenv("STORE_URL", tmp_path.as_uri())
    return store


def test_it_compacts_the_last_hours(store, capsys):
    assert lambda_handler({}, None) == {"files": 1, "objects": 1, "records": 1, "left_out": 0}
    assert json.loads(capsys.readouterr().out)["message"] == "compacted"
    assert lambda_handler({}, None)["files"] == 0
    assert len([key for key in contents(store) if key.endswith(".parquet")]) == 1


def test_more_hours_can_be_set(store, monkeypatch):
    monkeypatch.setenv("HOURS", "48")
    assert lambda_handler({}, None)["files"] == 2
    assert len([key for key in contents(store) if key.endswith(".parquet")]) == 2


def test_a_broken_object_fails_the_call_after_the_work(store, monkeypatch):
    monkeypatch.setenv("HOURS", "48")
    key = min(key for key in contents(store) if key.startswith("sensor_data/"))
    store.put(key, b"oops\n")
    with pytest.raises(SourcesLeftOutError, match=f"1 objects cannot be read and are in no file: {key}"):
        lambda_handler({}, None)
    assert len([key for key in contents(store) if key.endswith(".parquet")]) == 1


def test_the_settings_and_their_defaults():
    options = read_options({"BUCKET_NAME": "b", "SORT_BY": "", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3008"}, NOW)
    assert options == {
        "store": "s3://b",
        "prefix": "sensor_data",
        "schema": TruckRecord,
        "sort_by": None,
        "since": NOW - timedelta(hours=24),
        "grace": timedelta(hours=1),
        "target_size": 128 * 1024 * 1024,
        "memory_limit": "1002MB",
        "region_name": None,
        "endpoint_url": None,
    }
    assert read_options({"BUCKET_NAME": "b", "SORT_BY": "a,b"}, NOW)["sort_by"] == ["a", "b"]


@pytest.mark.parametrize("environment", [{}, {"BUCKET_NAME": "b", "HOURS": "x"}, {"BUCKET_NAME": "b", "SCHEMA": "a:b"}])
def test_a_wrong_setting_is_named(environment):
    with pytest.raises(ConfigurationError, match=r"BUCKET_NAME is not set|HOURS is 'x'|SCHEMA is 'a:b'"):
        read_options(environment, NOW)
