"""The rate that a shard accepts is learnt from its throttles. A shard that answers at once stands for the service."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.producer.pacing import accepted_rate
from truckstream.producer.pacing.accepted_rate import AcceptedRate

#: The time between two requests to the shard.
STEP = 0.01


class Shard:
    """Takes `quota` records a second, after up to a second's savings, and throttles `part` of the others at random."""

    def __init__(self, *, quota=1_000, part=0.0, seed=1):
        self.quota = quota
        self.part = part
        self._tokens = float(quota)
        self._dice = Random(seed)

    def refuse(self, count):
        """How many of `count` records are throttled, one step after the last call."""
        self._tokens = min(self.quota, self._tokens + self.quota * STEP)
        by_chance = sum(self._dice.random() < self.part for _ in range(count))
        stored = min(count - by_chance, int(self._tokens))
        self._tokens -= stored
        return count - stored


class SharedShard:
    """Throttles more the more it is sent: a part that grows by `slope` for each quota that is sent above `full_at`.

    That is a share of the quota, negative if the others alone send too much. Throttles hit `burst` records together.
    """

    def __init__(self, *, slope, full_at=0.0, burst=1, seed=1):
        self._slope = slope
        self._full_at = full_at
        self._burst = burst
        self._dice = Random(seed)

    def refuse(self, count):
        part = self._slope * max(0.0, count / STEP / 1_000 - self._full_at)
        return sum(
            min(self._burst, count - first) for first in range(0, count, self._burst) if self._dice.random() < part
        )


class Sender:
    """Sends as much as `rate` allows, and counts."""

    def __init__(self, rate, *, now=0.0):
        self.rate = rate
        self.now = now
        self._credit = 0.0
        self.sent = self.refused = 0

    def run(self, shard, seconds):
        """Send for some seconds. Return the records a second that were stored, and the part that was throttled."""
        sent, refused = self.sent, self.refused
        for _ in range(round(seconds / STEP)):
            self._step(shard)
        sent, refused = self.sent - sent, self.refused - refused
        return (sent - refused) / seconds, refused / sent

    def _step(self, shard):
        self.now += STEP
        self.rate.grow(self.now, pressed=True)
        self._credit += self.rate.share * 1_000 * STEP
        count = int(self._credit)
        self._credit -= count
        refused = shard.refuse(count)
        self.rate.on_sent(count / 1_000)
        self.rate.on_response(count, refused, self.now, self.now)
        self.sent += count
        self.refused += refused


@pytest.fixture
def sender():
    return Sender(AcceptedRate(0.0))


@pytest.fixture
def learning_sender():
    return Sender(AcceptedRate(0.0, learns=True))


def test_the_documented_quota_is_used_at_once_and_never_exceeded(sender):
    stored, throttled = sender.run(Shard(), 10.0)
    assert stored == pytest.approx(1_000, rel=0.001)
    assert throttled == 0
    assert sender.rate.share == 1.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("part", [0.001, 0.01, 0.05, 0.1, 0.3])
def test_sporadic_throttles_cost_little_more_than_the_records_that_they_reject(sender, part, seed):
    stored, throttled = sender.run(Shard(part=part, seed=seed), 60.0)
    assert stored >= 0.95 * (1 - part) * 1_000
    assert throttled == pytest.approx(part, rel=0.5)


@pytest.mark.parametrize("quota", [100, 250, 500, 800])
def test_a_lower_quota_is_found_and_little_is_sent_in_vain(sender, quota):
    shard = Shard(quota=quota)
    sender.run(shard, 5.0)
    stored, throttled = sender.run(shard, 60.0)
    assert stored >= 0.97 * quota
    assert throttled < (0.05 if quota > 100 else 0.08)


def test_sporadic_throttles_and_a_lower_quota_at_once(sender):
    stored, throttled = sender.run(Shard(quota=500, part=0.05), 60.0)
    assert stored >= 0.9 * 500
    assert throttled < 0.12


def test_after_the_others_have_left_the_full_rate_is_there_within_five_seconds(sender):
    sender.run(Shard(quota=300), 20.0)
    sender.run(Shard(), 4.0)
    stored, throttled = sender.run(Shard(), 1.0)
    assert stored >= 950
    assert throttled == 0


def test_after_sporadic_throttles_have_ended_none_are_usual(sender):
    sender.run(Shard(part=0.3), 20.0)
    assert sender.rate.needs_responses
    sender.run(Shard(), 10.0)
    assert not sender.rate.needs_responses
    assert sender.rate.share == 1.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("slope", [0.07, 0.15])
def test_beside_a_writer_that_empties_the_shard_at_once_the_rate_stays(sender, slope, seed):
    """Sending less would avoid few throttles, which come in bursts."""
    shard = SharedShard(slope=slope, burst=5, seed=seed)
    sender.run(shard, 10.0)
    stored, throttled = sender.run(shard, 60.0)
    assert stored >= 700
    assert throttled < 0.16


@pytest.mark.parametrize("seed", range(4))
def test_a_small_producer_of_a_crowd_that_overloads_the_shard_gives_way(sender, seed):
    """Half of its rate avoids few throttles, but as many as it sends less."""
    sender.rate.share = 0.2
    shard = SharedShard(slope=1.0, full_at=-0.1, seed=seed)
    sender.run(shard, 10.0)
    _, throttled = sender.run(shard, 60.0)
    assert throttled < 0.32


def test_a_verdict_from_before_an_overload_does_not_restore_the_rate(sender):
    """A verdict at the full rate came before the quota fell, and one at half the rate soon after."""
    sender.run(Shard(part=0.05), 3.0)
    sender.run(Shard(quota=500, part=0.05), 5.0)
    _, throttled = sender.run(Shard(quota=500, part=0.05), 20.0)
    assert throttled < 0.12


def test_an_overload_that_begins_under_sporadic_throttles_is_noticed(sender):
    sender.run(Shard(part=0.1), 20.0)
    sender.run(Shard(quota=400, part=0.1), 5.0)
    stored, throttled = sender.run(Shard(quota=400, part=0.1), 30.0)
    assert stored >= 0.9 * 400
    assert throttled < 0.2


@pytest.mark.parametrize("quota", [2_000, 3_000, 8_000])
def test_an_unknown_quota_is_explored_by_doubling(learning_sender, quota):
    learning_sender.run(Shard(quota=quota), 10.0)
    stored, throttled = learning_sender.run(Shard(quota=quota), 30.0)
    assert stored >= 0.97 * quota
    assert throttled < 0.05


def test_sporadic_throttles_do_not_end_the_exploration(learning_sender):
    learning_sender.run(Shard(quota=8_000, part=0.05), 20.0)
    stored, _ = learning_sender.run(Shard(quota=8_000, part=0.05), 20.0)
    assert stored >= 0.85 * 8_000


def test_the_rate_of_a_known_quota_never_grows_beyond_it(sender):
    sender.run(Shard(quota=10_000), 5.0)
    assert sender.rate.share == 1.0


def test_an_unknown_quota_is_not_explored_while_no_record_waits():
    rate = AcceptedRate(0.0, learns=True)
    for second in range(1, 60):
        rate.grow(float(second), pressed=False)
    assert rate.share == 1.0


def test_a_doubling_takes_a_second_however_often_the_rate_is_asked():
    often, seldom = AcceptedRate(0.0, learns=True), AcceptedRate(0.0, learns=True)
    for step in range(1, 101):
        often.grow(step / 100, pressed=True)
    seldom.grow(1.0, pressed=True)
    assert often.share == pytest.approx(2.0)
    assert seldom.share == pytest.approx(2.0)


def test_after_a_pause_an_unknown_quota_is_explored_no_faster():
    rate = AcceptedRate(0.0, learns=True)
    rate.grow(3_600.0, pressed=True)
    assert rate.share == 2.0


def test_responses_to_requests_sent_before_a_test_do_not_count_in_it():
    rate = AcceptedRate(0.0)
    rate.on_sent(0.1)
    rate.on_response(100, 50, sent_at=0.1, now=0.1)  # a surprise
    rate.on_sent(0.3)
    rate.on_response(300, 150, sent_at=0.2, now=0.7)  # measured: half of it is accepted
    tested = rate.share
    assert tested < 0.5
    for step in range(1, 200):
        rate.on_response(100, 100, sent_at=0.69, now=0.7 + step / 100)
    assert rate.share == tested


def test_a_few_throttles_are_no_surprise(sender):
    rate = sender.rate
    for second in range(1, 10):
        rate.on_response(100, accepted_rate.SURPRISING_REFUSALS, second + 0.1, second + 0.1)
        rate.on_response(900, 0, second + 0.9, second + 0.9)
    assert rate.share == 1.0
    assert not rate.needs_responses


def test_throttles_of_everything_leave_a_little_rate(sender):
    sender.run(Shard(quota=0), 60.0)
    assert accepted_rate.LOWEST_SHARE == 0.02
    assert 0.02 <= sender.rate.share <= 0.2


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 500), st.floats(0, 1), st.booleans()), max_size=200))
def test_no_history_of_responses_takes_the_rate_out_of_its_range(history):
    rate, learning, now = AcceptedRate(0.0), AcceptedRate(0.0, learns=True), 0.0
    for pause, sent, part, pressed in history:
        now += pause
        for each in (rate, learning):
            each.grow(now, pressed=pressed)
            each.on_sent(sent / 1_000)
            each.on_response(sent, int(sent * part), now, now)
        assert accepted_rate.LOWEST_SHARE <= rate.share <= 1.0
        assert learning.share >= accepted_rate.LOWEST_SHARE
