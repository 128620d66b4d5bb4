import datetime as dt

import pytest

from truckstream.consumer.leases.lease import Checkpoint
from truckstream.consumer.leases.options import LeaseOptions
from truckstream.errors import InvalidArgumentError

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lease_duration", 0),
        ("hand_over_timeout", -1),
        ("checkpoint_interval", -0.1),
        ("shard_interval", float("nan")),
        ("max_leases", 0),
        ("start", "EARLIEST"),
        ("start", NOON.replace(tzinfo=None)),
    ],
)
def test_an_option_that_breaks_its_rule_is_named(name, value):
    with pytest.raises(InvalidArgumentError, match=name):
        LeaseOptions(**{name: value})


@pytest.mark.parametrize(
    ("start", "first", "child"),
    [
        ("TRIM_HORIZON", "TRIM_HORIZON", "TRIM_HORIZON"),
        ("LATEST", "LATEST", "TRIM_HORIZON"),
        (NOON, "AT_TIMESTAMP", "AT_TIMESTAMP"),
    ],
)
def test_where_shards_begin(start, first, child):
    options = LeaseOptions(start=start)
    assert (options.first_checkpoint, options.child_checkpoint) == (Checkpoint(first), Checkpoint(child))
