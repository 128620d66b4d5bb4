"""Faults of the local S3: which requests they strike."""

from random import Random

import pytest

from truckstream.errors import InvalidArgumentError
from truckstream.local.s3.faults import S3Fault, S3Faults


def struck(fault, *methods):
    faults = S3Faults()
    faults.set([fault])
    random = Random(1)
    return [faults.strike(method, random) for method in methods], faults.hits


def test_a_fault_strikes_its_method_as_often_as_it_may():
    kinds, hits = struck(S3Fault("slow-down", count=2), "GET", "PUT", "PUT", "PUT")
    assert kinds == [None, "slow-down", "slow-down", None]
    assert hits == {"slow-down": 2}


def test_a_fault_of_no_method_strikes_all():
    assert struck(S3Fault("reset-before", method=None), "GET", "PUT", "HEAD")[1] == {"reset-before": 3}


def test_a_rate_strikes_a_share():
    assert 400 < struck(S3Fault("internal-error", rate=0.5), *["PUT"] * 1000)[1]["internal-error"] < 600
    assert struck(S3Fault("internal-error", rate=0), "PUT") == ([None], {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "earthquake"}, "kind is 'earthquake': must be one of slow-down"),
        ({"kind": "slow-down", "rate": 2}, "rate is 2: must be from 0 to 1"),
        ({"kind": "slow-down", "count": 0}, "count is 0: must be at least 1"),
    ],
)
def test_an_option_that_breaks_its_rule_is_named(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        S3Fault(**options)
