"""The rate of a shard from records that are seen late and in bursts."""

import pytest

from truckstream.dashboard.view.figures.arrival_rates import ArrivalRates


def test_nothing_has_no_rate():
    assert ArrivalRates().per_second(5.0) == (0.0, 0.0)


def test_records_that_are_read_once_a_second_have_the_rate_at_which_they_arrived():
    rates = ArrivalRates()
    for second in range(10):
        for number in range(100):
            rates.add(second + number / 100, 10, 5_000, now=second + 1.2)
        records, size = rates.per_second(second + 1.2)
        if second >= 4:
            assert records == pytest.approx(1_000)
            assert size == pytest.approx(500_000)


def test_a_reader_that_catches_up_does_not_raise_the_rate():
    """An hour of records at once came into the shard at the rate of that hour."""
    rates = ArrivalRates()
    for number in range(36_000):
        rates.add(number / 10, 1, 500, now=7_200.0)
    assert rates.per_second(7_200.0)[0] == pytest.approx(10)


def test_the_rate_falls_when_no_records_come_any_more():
    rates = ArrivalRates()
    for number in range(100):
        rates.add(number / 10, 1, 500, now=number / 10)
    assert rates.per_second(10.0)[0] == pytest.approx(10)
    assert rates.per_second(14.0)[0] < 10
    assert rates.per_second(20.0) == (0.0, 0.0)


def test_the_first_second_is_not_spread_over_the_time_before():
    rates = ArrivalRates()
    for number in range(150):
        rates.add(number / 100, 1, 500, now=number / 100)
    assert rates.per_second(1.5)[0] == pytest.approx(100)


def test_old_slots_are_forgotten():
    rates = ArrivalRates()
    for second in range(100_000):
        rates.add(float(second), 1, 1, now=float(second))
    assert len(rates._slots) <= 13
