"""The rules for a consumer's options: each error names the option, its value and the rule."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from truckstream.consumer.options import ConsumerOptions
from truckstream.errors import InvalidArgumentError

VALID = ConsumerOptions(
    application="lake",
    start="TRIM_HORIZON",
    shards=None,
    checkpoint="after",
    lease_duration=10.0,
    max_leases=None,
    hand_over_timeout=30.0,
    checkpoint_interval=5.0,
    prefetch_bytes=64 * 1024 * 1024,
    max_batch_records=None,
    outside="deliver",
    fan_out=False,
    open_timeout=30.0,
)


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("application", "", "must be the name"),
        ("application", 7, "must be the name"),
        ("start", "latest", 'must be "TRIM_HORIZON", "LATEST" or a datetime'),
        ("start", [], 'must be "TRIM_HORIZON", "LATEST" or a datetime'),
        ("start", datetime(2026, 1, 1), "must have a time zone"),  # noqa: DTZ001
        ("shards", ["shardId-000000000000"], "must be None with an application"),
        ("checkpoint", "before", 'must be "after" or "manual"'),
        ("checkpoint", {}, 'must be "after" or "manual"'),
        ("lease_duration", 0.5, "must be a number, at least 1"),
        ("lease_duration", True, "must be a number, at least 1"),
        ("max_leases", 0, "must be a whole number, at least 1"),
        ("hand_over_timeout", -1, "must be a number, at least 0"),
        ("checkpoint_interval", 11, "must be a number, from 0.001 to 10"),
        ("prefetch_bytes", 1_000, "must be a whole number, at least 1048576"),
        ("max_batch_records", 1.5, "must be a whole number, at least 1"),
        ("outside", "keep", 'must be "deliver" or "drop"'),
        ("fan_out", 1, "must be True, False or the name"),
        ("fan_out", "", "must be True, False or the name"),
        ("open_timeout", 0, "must be a number, at least 0.001"),
    ],
)
def test_an_invalid_option_is_named(option, value, rule):
    with pytest.raises(InvalidArgumentError, match=f"{option} is .*: {rule}"):
        replace(VALID, **{option: value})


@pytest.mark.parametrize("shards", ["shardId-000000000000", [], [7]])
def test_shards_are_a_list_of_ids(shards):
    with pytest.raises(InvalidArgumentError, match=r"shards is .*: must be a list of shard ids"):
        replace(VALID, application=None, shards=shards)


def test_valid_options_are_accepted():
    replace(VALID, start=datetime(2026, 1, 1, tzinfo=UTC), max_leases=3, max_batch_records=500, outside="drop")
    replace(VALID, application=None, shards=["shardId-000000000000"])
