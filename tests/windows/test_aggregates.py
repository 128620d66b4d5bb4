"""Aggregates one by one, with literal values; and that the division of values into calls makes no difference."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.errors import InvalidArgumentError
from truckstream.windows import Count, CountBy, Max, Mean, Min, Percentiles, Sum


def value_of(aggregate, *parts):
    accumulator = aggregate.new()
    for part in parts:
        accumulator.add(part)
    return accumulator.value()


def test_values_of_each_aggregate():
    values = [1.0, 2.0, 6.0]
    assert value_of(Count(), values) == 3
    assert value_of(Sum("x"), values) == 9
    assert value_of(Mean("x"), values) == 3
    assert value_of(Min("x"), values) == 1
    assert value_of(Max("x"), values) == 6
    assert value_of(CountBy("x"), ["NORMAL", "URGENT", "NORMAL"]) == {"NORMAL": 2, "URGENT": 1}


def test_without_values_there_is_no_mean():
    """As in SQL, where only a count is 0."""
    for aggregate in (Sum("x"), Mean("x"), Min("x"), Max("x")):
        assert value_of(aggregate, []) is None
    assert value_of(Percentiles("x"), []) == {"p50": None, "p95": None, "p99": None}
    assert value_of(Count("x"), []) == 0
    assert value_of(CountBy("x"), []) == {}


def test_least_and_greatest_of_texts():
    assert value_of(Min("x"), ["b", "a"]) == "a"
    assert value_of(Max("x"), ["a"], ["b"]) == "b"


def test_percentiles_have_their_names():
    found = value_of(Percentiles("x", (0, 50, 99.9)), range(1, 1_001))
    assert list(found) == ["p0", "p50", "p99.9"]
    assert found["p0"] == pytest.approx(1, rel=0.01)
    assert found["p50"] == pytest.approx(500, rel=0.011)
    assert found["p99.9"] == pytest.approx(999, rel=0.011)


def test_percentiles_of_values_of_both_signs():
    found = value_of(Percentiles("x", (0, 25, 50, 75, 100)), [-100, -10, 0, 10, 100])
    assert [round(each) for each in found.values()] == [-100, -10, 0, 10, 100]


@given(st.lists(st.floats(-1e9, 1e9), max_size=30), st.integers(0, 30))
def test_the_division_of_values_makes_no_difference_to_the_last_bit(values, cut):
    """After a restart, values are divided in another way. (0.1 + 0.2) + 0.3 is not 0.1 + (0.2 + 0.3)."""
    for aggregate in (Count(), Sum("x"), Mean("x"), Min("x"), Max("x"), CountBy("x"), Percentiles("x")):
        assert value_of(aggregate, values) == value_of(aggregate, values[:cut], values[cut:])


@pytest.mark.parametrize(
    "options", [{"percents": ()}, {"percents": [50]}, {"percents": (101,)}, {"percents": ("50",)}, {"accuracy": 0}]
)
def test_options_of_percentiles_are_checked(options):
    with pytest.raises(InvalidArgumentError):
        Percentiles("x", **options)


def test_without_its_package_the_command_that_installs_it_is_named():
    code = (
        "import sys; sys.modules['ddsketch.ddsketch'] = None\n"
        "from truckstream.windows import Mean, Percentiles\n"
        "Percentiles('speed')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'Install it: pip install "truckstream[windows]"' in done.stderr
