"""A flush waits for the records put before it, and for no others."""

import pytest

from truckstream.producer.outcomes.flush_epochs import FlushEpochs


@pytest.fixture
def epochs():
    return FlushEpochs()


def put(epochs, records):
    """Count records that are put now. Return their epoch."""
    epochs.unsettled += records
    return epochs.current


def test_a_flush_ends_with_the_outcome_of_the_last_record_put_before_it(epochs):
    epoch = put(epochs, 3)
    flush = epochs.end()
    assert not epochs.is_flushed(flush)
    epochs.settle(epoch, 2)
    assert not epochs.is_flushed(flush)
    epochs.settle(epoch)
    assert epochs.is_flushed(flush)


def test_a_flush_does_not_wait_for_records_put_since(epochs):
    epoch = put(epochs, 1)
    flush = epochs.end()
    later = put(epochs, 5)
    assert later != epoch
    epochs.settle(later, 4)
    assert not epochs.is_flushed(flush)
    epochs.settle(epoch)
    assert epochs.is_flushed(flush)
    assert epochs.pending == 1


def test_without_records_a_flush_is_over_at_once(epochs):
    assert epochs.is_flushed(epochs.end())


def test_records_that_have_their_outcome_do_not_hold_a_flush_up(epochs):
    epochs.settle(put(epochs, 7), 7)
    assert epochs.is_flushed(epochs.end())


def test_a_flush_waits_for_records_of_earlier_flushes_too(epochs):
    epoch = put(epochs, 2)
    first = epochs.end()
    later = put(epochs, 1)
    second = epochs.end()
    epochs.settle(later)
    assert not epochs.is_flushed(second)
    epochs.settle(epoch, 2)
    assert epochs.is_flushed(first)
    assert epochs.is_flushed(second)


def test_a_flush_is_over_while_a_later_one_still_waits(epochs):
    epoch = put(epochs, 2)
    first = epochs.end()
    put(epochs, 1)
    second = epochs.end()
    epochs.settle(epoch, 2)
    assert epochs.is_flushed(first)
    assert not epochs.is_flushed(second)


def test_records_put_before_a_flush_do_not_linger(epochs):
    """A record lingers unless its epoch is at most `flushed`."""
    assert put(epochs, 1) > epochs.flushed
    epoch = put(epochs, 1)
    assert epochs.end() == epochs.flushed == epoch
    assert put(epochs, 1) > epochs.flushed


def test_records_without_an_outcome_are_counted_over_all_epochs(epochs):
    epoch = put(epochs, 3)
    epochs.end()
    put(epochs, 4)
    epochs.end()
    put(epochs, 5)
    epochs.settle(epoch, 2)
    assert epochs.pending == 1 + 4 + 5


def test_no_epoch_is_remembered_after_its_last_outcome(epochs):
    """A producer that flushes every second must not grow."""
    assert not epochs.has_ended_ones
    for _ in range(3):
        epoch = put(epochs, 1)
        flush = epochs.end()
        assert epochs.has_ended_ones
        epochs.settle(epoch)
        assert epochs.is_flushed(flush)
        assert not epochs.has_ended_ones
