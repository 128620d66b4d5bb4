"""The number of records in a group with `batch_size="auto"`."""

import pytest

from truckstream.batcher import get_optimal_batch_size


@pytest.mark.parametrize(
    ("count", "size"), [(0, 50), (1, 50), (99, 50), (100, 200), (499, 200), (500, 700), (699, 700), (100_000, 700)]
)
def test_small_events_make_small_groups(count, size):
    assert get_optimal_batch_size(count) == size
