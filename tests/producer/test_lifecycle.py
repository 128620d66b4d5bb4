"""The table of a producer's states: legal transitions, and the errors of all others."""

import itertools

import pytest

from truckstream.errors import ProducerClosedError
from truckstream.producer.lifecycle import TRANSITIONS, IllegalTransitionError, Lifecycle, State

LEGAL = [(before, after) for before, states in TRANSITIONS.items() for after in states]


def lifecycle_in(state):
    lifecycle = Lifecycle()
    lifecycle.state = state
    return lifecycle


def test_a_producer_is_opened_and_closed():
    lifecycle = Lifecycle()
    for state in (State.OPENING, State.OPEN, State.CLOSING, State.DISCONNECTING, State.CLOSED):
        lifecycle.to(state)
    assert lifecycle.state is State.CLOSED


def test_every_state_has_a_row_and_can_be_reached():
    assert set(TRANSITIONS) == set(State)
    assert {after for _, after in LEGAL} == set(State) - {State.NEW}


@pytest.mark.parametrize(("before", "after"), sorted(set(itertools.product(State, State)) - set(LEGAL), key=str))
def test_an_illegal_transition_raises_and_changes_nothing(before, after):
    lifecycle = lifecycle_in(before)
    with pytest.raises(IllegalTransitionError, match=f"^a producer cannot go from {before.name} to {after.name}$"):
        lifecycle.to(after)
    assert lifecycle.state is before


@pytest.mark.parametrize("state", [state for state in State if state is not State.OPEN], ids=lambda state: state.name)
def test_only_an_open_producer_takes_records(state):
    lifecycle_in(State.OPEN).require_open()
    with pytest.raises(ProducerClosedError):
        lifecycle_in(state).require_open()


@pytest.mark.parametrize("state", [state for state in State if state is not State.NEW], ids=lambda state: state.name)
def test_only_a_new_producer_can_be_opened(state):
    lifecycle_in(State.NEW).require_new()
    with pytest.raises(ProducerClosedError, match=r"^a producer can be opened only once: make a new one$"):
        lifecycle_in(state).require_new()


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.NEW, "the producer is not open: use it as `async with Producer(...) as producer`"),
        (State.CLOSING, "the producer is closed"),
        (State.FORKED, "this process was forked from the one that opened the producer: make a new one"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_error_has_the_reason(state, reason):
    with pytest.raises(ProducerClosedError) as caught:
        lifecycle_in(state).require_open()
    assert str(caught.value) == reason


def test_a_producer_has_ended_when_every_record_has_its_outcome():
    ended = {state for state in State if lifecycle_in(state).has_ended}
    assert ended == {State.DISCONNECTING, State.CLOSED, State.FORKED}
