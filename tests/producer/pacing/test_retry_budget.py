"""The budget of retries for records that the service failed by themselves."""

import math

from hypothesis import given
from hypothesis import strategies as st

from truckstream.producer.pacing.retry_budget import FREE_PER_SECOND, MOST_SAVED, RetryBudget


def test_at_first_it_has_two_full_requests():
    budget = RetryBudget()
    budget.spend(999, 0.0)
    assert budget.opens_at() == -math.inf
    budget.spend(1, 0.0)
    assert budget.opens_at() == 0.0
    budget.spend(500, 0.0)
    assert budget.opens_at() == 500 / FREE_PER_SECOND


def test_each_stored_record_pays_for_a_retry():
    budget = RetryBudget()
    budget.spend(1_200, 0.0)
    budget.earn(201)
    assert budget.opens_at() == -math.inf


def test_no_more_than_two_full_requests_are_saved_up():
    """However much was stored before the trouble, and however long ago the last retry was."""
    for earned, pause in ((5_000, 0.0), (0, 3_600.0)):
        budget = RetryBudget()
        budget.spend(1, 0.0)
        budget.earn(earned)
        budget.spend(int(MOST_SAVED) + 100, pause)
        assert budget.opens_at() == pause + 100 / FREE_PER_SECOND


def test_some_retries_a_second_are_free():
    budget = RetryBudget()
    budget.spend(int(MOST_SAVED) + 500, 0.0)
    assert budget.opens_at() == 5.0
    budget.spend(300, 5.0)
    assert budget.opens_at() == 8.0
    budget.spend(200, 9.0)
    assert budget.opens_at() == 10.0


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 500), st.integers(1, 500)), max_size=50))
def test_retries_are_never_more_than_what_paid_for_them(steps):
    budget, now, earned, spent = RetryBudget(), 0.0, 0, 0
    for pause, stored, retries in steps:
        now += pause
        budget.earn(stored)
        earned += stored
        if budget.opens_at() <= now:
            budget.spend(retries, now)
            spent += retries
        assert spent <= MOST_SAVED + earned + now * FREE_PER_SECOND + 500 + 1e-6
