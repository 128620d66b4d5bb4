"""Failures that nobody awaited: a hundred are kept, the others counted, and none is forgotten until it is raised."""

import pytest

from truckstream.errors import DeliveryError
from truckstream.producer.outcomes.delivery import Delivery
from truckstream.producer.outcomes.unawaited_failures import UnawaitedFailures
from truckstream.producer.queueing.outbox import Failure


@pytest.fixture
def failures():
    return UnawaitedFailures()


def failed(number):
    delivery = Delivery(b"", b"", "TRUCK_001", None, 9, 9, None)
    delivery.failure = Failure(lambda _: DeliveryError(f"number {number}", attempts=1))
    return delivery


def await_failure(delivery):
    with pytest.raises(DeliveryError):
        delivery.result()


def names(group):
    return [str(error) for error in group.exceptions]


def test_without_failures_nothing_is_raised(failures):
    assert failures.take() is None


def test_failures_are_raised_together_and_once(failures):
    for number in range(3):
        assert not failures.add(failed(number))
    group = failures.take()
    assert str(group.message) == "3 records were not delivered and nobody awaited them"
    assert (group.total, names(group)) == (3, ["number 0", "number 1", "number 2"])
    assert failures.take() is None


def test_a_failure_that_is_awaited_after_all_is_not_raised(failures):
    first, second = failed(1), failed(2)
    failures.add(first)
    failures.add(second)
    await_failure(first)
    group = failures.take()
    assert (group.total, names(group)) == (1, ["number 2"])


def test_a_hundred_are_kept_and_the_first_that_is_not_is_reported(failures):
    """A log line warns of it then, and not for each of the thousands that may follow."""
    reported = [failures.add(failed(number)) for number in range(1_500)]
    assert reported == [number == 100 for number in range(1_500)]
    group = failures.take()
    assert str(group.message) == "1,500 records were not delivered and nobody awaited them"
    assert (group.total, names(group)) == (1_500, [f"number {number}" for number in range(100)])
    assert failures.take() is None
    assert [failures.add(failed(number)) for number in range(101)][-1]


def test_one_that_is_only_counted_and_awaited_after_all_is_counted_out(failures):
    for number in range(100):
        failures.add(failed(number))
    counted = [failed(number) for number in range(100, 103)]
    for delivery in counted:
        failures.add(delivery)
    await_failure(counted[1])
    await_failure(counted[1])
    assert failures.take().total == 102


def test_kept_ones_that_are_awaited_make_room(failures):
    kept = [failed(number) for number in range(100)]
    for delivery in kept:
        failures.add(delivery)
    for delivery in kept[:2]:
        await_failure(delivery)
    assert [failures.add(failed(number)) for number in range(100, 103)] == [False, False, True]
    group = failures.take()
    assert (group.total, names(group)) == (101, [f"number {number}" for number in range(2, 102)])


def test_if_all_kept_ones_were_awaited_the_first_counted_one_stands_for_the_others(failures):
    """An exception group needs an error, and the user a reason."""
    kept = [failed(number) for number in range(100)]
    for delivery in [*kept, failed(100), failed(101)]:
        failures.add(delivery)
    for delivery in kept:
        await_failure(delivery)
    group = failures.take()
    assert (group.total, names(group)) == (2, ["number 100"])


def test_if_all_were_awaited_nothing_is_raised(failures):
    deliveries = [failed(number) for number in range(105)]
    for delivery in deliveries:
        failures.add(delivery)
    for delivery in deliveries:
        await_failure(delivery)
    assert failures.take() is None


def test_failures_can_be_forgotten(failures):
    for number in range(105):
        failures.add(failed(number))
    failures.clear()
    assert failures.take() is None
