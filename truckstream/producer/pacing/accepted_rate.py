"""The rate that a shard accepts, learnt from the records that it throttles.

A throttle can have two causes, and they need opposite answers. If the shard is sent more than it takes (others write to
it, or its quota is lower than documented), every record above that is sent in vain: send less. If it throttles a part
of the records at any rate (sporadic throttles, or another writer that never slows down), sending less only delivers
less: keep the rate. The number of throttles does not tell which it is. Only sending less for a moment does. So the
rate goes through phases:

1. *Steady*: it sends at its rate and counts throttles in rounds of a second. More of them than usual are a surprise.
2. *Measuring*: it keeps the rate for half a second, and learns the part that the shard throttles now. The shard
   accepts the rest.
3. *Testing*: it sends a little less than that, for about a third of a second. If the throttles vanish, the rate was the
   cause, and the new rate is just below what the shard accepted.
4. *Testing deeper*: otherwise it sends half, for a moment, and compares how many throttles it avoids with how many
   records it no longer sends. On an overloaded shard, sending a hundredth of the quota less avoids about a hundredth of
   the throttles, however small the producer's own part is. Random throttles stay the same. And a writer without pacing
   takes all that the shard has saved up, and throttles what arrives just after it: there sending less avoids little,
   and sending more brings more. If little is avoided, the rate was not the cause. One such verdict is not believed,
   because several producers that overload a shard together may come to it by chance. They all take the rate that was
   accepted, and their throttles end. If the next test within some seconds has the same verdict, it goes back to its
   rate, and this part of throttles is usual from now on.

Throttles come in bursts: a writer that has just emptied the shard's bucket causes all the throttles of one request. So
the number of throttled requests decides how long a test lasts, and where throttles are usual, larger bursts are less of
a surprise.

Upwards, the rate grows with the square root of itself: by 6 % of the quota in a second at the full rate, and by 3 % at
a quarter of it. A cut takes the same part of every rate, so the growth lets slow producers of a shard catch up with
fast ones. After some seconds without any throttle the rate grows fast: others have left the shard. The rate of a shard
whose quota is unknown (the stream is on demand, or its shards cannot be listed) doubles each second until throttles
were caused by it, as long as records wait.

The constants were chosen by simulation (tests/producer/pacing/simulation.py) with random throttles of 0.1 to 30 %,
reduced quotas, two to eight producers on a shard, and writers without pacing whose timing was measured.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import Final

__all__ = ["AcceptedRate"]

#: Throttles are counted in rounds of at least this time and this many records.
ROUND_SECONDS: Final = 1.0
ROUND_RECORDS: Final = 50

#: A surprise: so many throttles more than usual in a round, and so many standard deviations more, and half as many
#: again as usual.
SURPRISING_REFUSALS: Final = 5
SURPRISING_DEVIATIONS: Final = 4.0
SURPRISING_FACTOR: Final = 1.5

MEASURE_SECONDS: Final = 0.5
#: Without traffic for so long, a measurement is too old.
LONGEST_MEASURE_SECONDS: Final = 1.5

#: A test counts the responses to requests that were sent some time after the rate fell: the service's own bucket is
#: empty then, and has to fill a little.
SETTLE_SECONDS: Final = 0.4
SETTLE_DEEPER_SECONDS: Final = 0.1
TEST_SECONDS: Final = 0.35
#: A test needs so many records, and so many that about ten bursts of throttles would be among them; but no more than
#: so many.
LEAST_TEST_RECORDS: Final = 50
MOST_TEST_RECORDS: Final = 1_000
EXPECTED_BURSTS: Final = 10
#: A test ends after this time, however few records there were.
LONGEST_TEST_SECONDS: Final = 5.0

#: A test's rate: this share of the accepted rate, but at least this share of the old rate.
TEST_SHARE: Final = 0.92
LEAST_TEST_SHARE: Final = 0.45
DEEP_TEST_SHARE: Final = 0.5

#: Throttles have vanished when at most this share of them remains.
VANISHED_SHARE: Final = 0.2

#: The rate is the cause if the part of throttled records falls by more than this for each quota that is sent less. That
#: slope is 1 for any number of producers that just fill the shard. Beside botocore in a loop it was 0.07 to
#: 0.25, measured with the local Kinesis.
STEEP: Final = 0.5

#: More throttles than this are taken for the rate's, without regard to the slope: this part of the records, or this
#: part that half the rate would avoid.
MOST_THROTTLED: Final = 0.6
MOST_AVOIDABLE: Final = 0.1
#: Where the quota is unknown: several shards that are paced together fill up one after another, so the slope is small.
MOST_AVOIDABLE_LEARNING: Final = 0.04

#: The new rate, as a share of the accepted one.
YIELD_SHARE: Final = 0.99
LOWEST_SHARE: Final = 0.02

#: Growth in a second: usually this times the square root of the share, and after so many seconds without a throttle
#: this much of the quota.
SLOW_GROWTH: Final = 0.06
FAST_GROWTH: Final = 1.0
#: Where throttles are usual, growth is slower by this factor, because they hide those that it causes.
USUAL_GROWTH: Final = 0.5

#: Throttles that are usual, but fewer at a lower rate, come from other writers. The rate concedes this share of the
#: difference, so that a crowd of producers that all took their throttles for usual gets out of it.
CONCEDED_SHARE: Final = 0.5
PATIENCE_SECONDS: Final = 2.5

#: If more than this part of the records is throttled usually, it is tested again after this time whether the rate is
#: the cause: others may have come to the shard.
DOUBTFUL_PART: Final = 0.02
DOUBT_SECONDS: Final = 20.0

#: A second verdict counts only if it comes so soon after the first: two tests of a small producer take that long.
REPEAT_SECONDS: Final = 10.0

#: The weight of a round in the running average of throttles.
ROUND_WEIGHT: Final = 0.3


class Phase(Enum):
    """The phases of learning, as the head of this file describes them."""

    STEADY = auto()
    MEASURING = auto()
    TESTING = auto()
    TESTING_DEEPER = auto()


class AcceptedRate:
    """The rate at which a shard is sent records, as a share of the documented quota.

    Args:
        now: the time.
        learns: the quota is unknown, so the rate may grow beyond the documented one.
    """

    __slots__ = (
        "_accepted",
        "_acquitted_at",
        "_acquitted_share",
        "_average",
        "_burst_part",
        "_burst_size",
        "_bursts",
        "_counts_from",
        "_exploring",
        "_grown_at",
        "_measured",
        "_part",
        "_patient_from",
        "_phase",
        "_quota_used",
        "_refused",
        "_sent",
        "_share_before",
        "_tested_at",
        "_usual",
        "learns",
        "share",
    )

    def __init__(self, now: float, *, learns: bool = False) -> None:
        self.share = 1.0
        #: The quota is unknown.
        self.learns = learns
        #: No throttle was caused by the rate yet.
        self._exploring = learns
        self._grown_at = now
        #: When the shard last throttled a record, or the last test ended.
        self._patient_from = -math.inf
        # The part of the records that is throttled whatever the rate, its running average, and when it was tested last.
        self._usual = 0.0
        self._average = 0.0
        self._tested_at = now
        # The present phase, its records, the responses with throttles, and the part of a second's quota that was used.
        self._phase = Phase.STEADY
        self._counts_from = now
        self._sent = 0
        self._refused = 0
        self._bursts = 0
        self._quota_used = 0.0
        # The measurement before a test: the rate, the number of records, the part that was throttled, the bursts for
        # each record and the throttles for each burst, and the rate that was accepted.
        self._share_before = 1.0
        self._measured = 0
        self._part = 0.0
        self._burst_part = 0.0
        self._burst_size = 1.0
        self._accepted = 1.0
        # The last verdict that the rate was not the cause: the rate, and when.
        self._acquitted_share = 0.0
        self._acquitted_at = -math.inf

    @property
    def needs_responses(self) -> bool:
        """Whether a response without throttles matters: something is being learnt, or some throttles are usual."""
        return self._phase is not Phase.STEADY or self._usual > 0

    def is_calm(self, now: float) -> bool:
        """Whether there was no throttle for some seconds, and none is usual."""
        return not self.needs_responses and now - self._patient_from > PATIENCE_SECONDS

    def on_sent(self, quota: float) -> None:
        """A request was sent that uses this part of a second's documented quota."""
        self._quota_used += quota

    def grow(self, now: float, *, pressed: bool) -> None:
        """Let the rate grow until `now`; `pressed` if it holds records back."""
        seconds, self._grown_at = now - self._grown_at, now
        if self._phase is not Phase.STEADY or (self.share >= 1.0 and not (self.learns and pressed)):
            return
        if self._exploring:
            self.share *= 2.0 ** min(1.0, seconds)
            return
        share = self.share + seconds * self._growth(now)
        self.share = share if self.learns else min(1.0, share)

    def _growth(self, now: float) -> float:
        if self.is_calm(now):
            return FAST_GROWTH
        return SLOW_GROWTH * math.sqrt(self.share) * (USUAL_GROWTH if self._usual else 1.0)

    def on_response(self, sent: int, refused: int, sent_at: float, now: float) -> None:
        """The shard throttled `refused` of the `sent` records of a request that was sent at `sent_at`."""
        if refused:
            self._patient_from = now
        if sent_at < self._counts_from:
            return
        if self._phase is Phase.STEADY:
            self._end_round(now)
        self._sent += sent
        self._refused += refused
        self._bursts += refused > 0
        if self._phase is Phase.STEADY:
            self._watch(now)
        elif self._phase is Phase.MEASURING:
            self._measure(now)
        else:
            self._test(now)

    # --- Steady -----------------------------------------------------------------------------------

    def _end_round(self, now: float) -> None:
        if now - self._counts_from < ROUND_SECONDS or (self._usual and self._sent < ROUND_RECORDS):
            return
        if self._sent:
            self._average += (self._refused / self._sent - self._average) * ROUND_WEIGHT
        if self._average < self._usual / 2:
            self._usual = 0.0
        in_doubt = self._usual > DOUBTFUL_PART and now - self._tested_at > DOUBT_SECONDS
        self._begin(Phase.MEASURING if in_doubt else Phase.STEADY, now)

    def _watch(self, now: float) -> None:
        if self._usual and now - self._counts_from < ROUND_SECONDS / 2:
            return  # usual throttles may come in clusters
        usual = self._usual * self._sent
        surprising = usual + SURPRISING_REFUSALS + SURPRISING_DEVIATIONS * math.sqrt(usual * self._burst_size)
        if self._refused > max(surprising, SURPRISING_FACTOR * usual):
            self._begin(Phase.MEASURING, now)

    # --- Measuring and testing --------------------------------------------------------------------

    def _measure(self, now: float) -> None:
        seconds = now - self._counts_from
        if seconds < MEASURE_SECONDS:
            return
        if seconds > LONGEST_MEASURE_SECONDS or self._refused < SURPRISING_REFUSALS / 2:
            self._begin(Phase.STEADY, now)
            return
        self._share_before = min(self.share, self._quota_used / seconds)
        self._measured = self._sent
        self._part = self._refused / self._sent
        self._burst_part = self._bursts / self._sent
        self._burst_size = self._refused / self._bursts
        self._accepted = self._share_before * (1.0 - self._part)
        in_doubt = self._part < SURPRISING_FACTOR * self._usual  # nothing new, so only the deeper test can tell
        if in_doubt:
            self._test_at(self._share_before * DEEP_TEST_SHARE, Phase.TESTING_DEEPER, now)
        else:
            least = self._share_before * LEAST_TEST_SHARE
            self._test_at(max(least, self._accepted * TEST_SHARE), Phase.TESTING, now)

    def _test_at(self, share: float, phase: Phase, now: float) -> None:
        self.share = max(LOWEST_SHARE, share)
        settles = SETTLE_SECONDS if phase is Phase.TESTING else SETTLE_DEEPER_SECONDS
        self._begin(phase, now, counts_from=now + settles)

    def _test(self, now: float) -> None:
        seconds = now - self._counts_from
        wanted = min(MOST_TEST_RECORDS, max(LEAST_TEST_RECORDS, EXPECTED_BURSTS / self._burst_part))
        if seconds < TEST_SECONDS or (self._sent < wanted and seconds < LONGEST_TEST_SECONDS):
            return
        remaining = self._refused / self._sent
        vanished = remaining <= self._part * VANISHED_SHARE
        if self._phase is Phase.TESTING and not vanished:
            self._test_at(self._share_before * DEEP_TEST_SHARE, Phase.TESTING_DEEPER, now)
        elif self._phase is Phase.TESTING or self._is_cause(remaining):  # in the first test they have vanished
            self._exploring = False
            self._acquitted_share = 0.0  # an earlier verdict does not restore a rate that is too high now
            self._take_accepted(now)
        else:
            self._acquit(remaining, now)

    def _is_cause(self, remaining: float) -> bool:
        """Return whether the rate causes the throttles, of which the part `remaining` is left in the deeper test."""
        avoided = self._part - remaining
        most_avoidable = MOST_AVOIDABLE_LEARNING if self.learns else MOST_AVOIDABLE
        if avoided > most_avoidable or self._part > MOST_THROTTLED:
            return True
        less_sent = (self._share_before - self.share) / max(1.0, self._share_before)
        return avoided > STEEP * less_sent

    def _take_accepted(self, now: float) -> None:
        """Go on just below the rate that was accepted; after a deeper test, at least at that test's rate."""
        least = self.share if self._phase is Phase.TESTING_DEEPER else LOWEST_SHARE
        self.share = max(least, self._accepted * YIELD_SHARE)
        self._usual = self._average = 0.0
        self._begin(Phase.STEADY, now)

    def _acquit(self, remaining: float, now: float) -> None:
        """The rate was not the cause: `remaining` is throttled at half of it. Believe it if that is not new."""
        before = self._share_before
        if now - self._acquitted_at <= REPEAT_SECONDS:
            before = max(before, self._acquitted_share)
            self._acquitted_at = now
        elif not self._usual:
            self._acquitted_share, self._acquitted_at = before, now
            self._take_accepted(now)
            return
        fewer = max(0.0, self._part - remaining)
        self.share = max(self.share, before * (1.0 - CONCEDED_SHARE * fewer))
        both = (self._part * self._measured + self._refused) / (self._measured + self._sent)
        self._usual = self._average = max(self._part, both)
        self._begin(Phase.STEADY, now)

    def _begin(self, phase: Phase, now: float, counts_from: float | None = None) -> None:
        if phase is Phase.STEADY and self._phase is not Phase.STEADY:
            self._tested_at = self._patient_from = now
        self._phase = phase
        self._counts_from = now if counts_from is None else counts_from
        self._sent = self._refused = self._bursts = 0
        self._quota_used = 0.0
        self._grown_at = now
