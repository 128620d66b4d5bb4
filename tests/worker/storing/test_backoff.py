"""The waits after failures grow to half a minute, and vary."""

from random import Random

import pytest

from truckstream.worker.storing.backoff import LONGEST_WAIT, wait_after


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 0.5), (2, 1.0), (5, 8.0), (7, LONGEST_WAIT), (10_000, LONGEST_WAIT)]
)
def test_a_wait_is_between_half_of_its_bound_and_the_bound(failures, bound):
    random = Random(1)
    waits = [wait_after(failures, random) for _ in range(200)]
    assert bound / 2 <= min(waits) < bound * 0.6
    assert bound * 0.9 < max(waits) <= bound
