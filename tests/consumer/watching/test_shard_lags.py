"""The lags that a gauge reports between two samples."""

from truckstream.otel.shard_lags import OVERDUE_SECONDS, ShardLags, StreamShard

FIRST, SECOND = StreamShard("trucks", "s1"), StreamShard("trucks", "s2")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_the_last_sample_of_each_consumer_counts():
    lags = ShardLags(Clock())
    lags.replace("me", {FIRST: 1.0, SECOND: 2.0})
    lags.replace("me", {FIRST: 3.0})
    lags.replace("other", {SECOND: 5.0})
    assert lags.read() == {FIRST: 3.0, SECOND: 5.0}
    lags.replace("me", {})
    lags.replace("nobody", {})
    assert lags.read() == {SECOND: 5.0}


def test_in_a_hand_over_the_greater_lag_counts():
    lags = ShardLags(Clock())
    lags.replace("me", {FIRST: 7.0})
    lags.replace("other", {FIRST: 5.0})
    assert lags.read() == {FIRST: 7.0}


def test_the_lag_grows_while_samples_are_overdue_because_the_event_loop_is_blocked():
    clock = Clock()
    lags = ShardLags(clock)
    lags.replace("me", {FIRST: 1.0})
    clock.now += OVERDUE_SECONDS
    assert lags.read() == {FIRST: 1.0}
    clock.now += 40.0
    assert lags.read() == {FIRST: 1.0 + OVERDUE_SECONDS + 40.0}
