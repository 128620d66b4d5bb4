"""Keys of the batcher, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from truckstream.data.objects.object_name import ObjectName


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            "sensor_data/batch_2025-01-15T14-30-25_a2b3c4d5.json",
            ObjectName(datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC), None, ".json"),
        ),
        (
            "a/b/year=2025/month=01/day=15/hour=13/batch_2025-01-15T14-30-25_abcdefgh.json.gz",
            ObjectName(
                datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC), datetime(2025, 1, 15, 13, tzinfo=UTC), ".json.gz"
            ),
        ),
        (
            "batch_2025-01-15T14-30-25_abcdefghabcdefgh.parquet",
            ObjectName(datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC), None, ".parquet"),
        ),
    ],
)
def test_a_key_says_when_its_first_record_arrived(key, expected):
    assert ObjectName.parse(key) == expected


@pytest.mark.parametrize(
    "key",
    [
        "sensor_data/notes.json",
        "sensor_data/batch_2025-01-15T14-30-25_abcdefgh.json#1",
        "sensor_data/batch_2025-13-15T14-30-25_abcdefgh.json",
        "sensor_data/year=2025/month=13/day=15/hour=13/batch_2025-01-15T14-30-25_abcdefgh.json",
        "sensor_data/batch_2025-01-15T14-30-25_abcdefgh.csv",
        "sensor_data/batch_2025-01-15T14-30-25_.json",
    ],
)
def test_other_keys_are_not_those_of_the_batcher(key):
    assert ObjectName.parse(key) is None
