"""The watermark of one shard and of several, with literal times."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from truckstream.errors import InvalidArgumentError
from truckstream.windows import Watermark


def watermark_of(*shards: str, now: float = 0.0, **options: float) -> Watermark:
    watermark = Watermark(**{"out_of_orderness": 5, "idle_after": 30, **options})
    for shard in shards:
        watermark.add(shard, now)
    return watermark


def test_it_is_the_greatest_event_time_less_the_out_of_orderness():
    watermark = watermark_of("a")
    for event_time in (100.0, 107.0, 103.0):
        watermark.observe("a", event_time, arrival=110.0, now=111.0)
    assert watermark.advance(111.0) == 102.0


def test_it_is_unknown_before_the_first_record():
    assert watermark_of("a").advance(10.0) == -math.inf


def test_the_slowest_shard_holds_it_back():
    watermark = watermark_of("a", "b")
    watermark.observe("a", 200.0, arrival=200.0, now=200.0)
    watermark.observe("b", 150.0, arrival=150.0, now=200.0)
    assert watermark.advance(200.0) == 145.0


def test_a_shard_without_a_record_yet_holds_it_back_until_it_is_idle():
    watermark = watermark_of("a", "b", now=100.0)
    watermark.observe("a", 120.0, arrival=120.0, now=120.0)
    assert watermark.advance(129.9) == -math.inf
    assert watermark.advance(130.0) == 115.0


def test_a_shard_that_never_had_a_record_holds_nothing_back_at_its_tip():
    watermark = watermark_of("a", "b")
    watermark.observe("a", 120.0, arrival=120.0, now=1.0)
    watermark.reach_tip("b", 1.0)
    assert watermark.advance(1.0) == 115.0


def test_an_idle_shard_holds_nothing_back():
    watermark = watermark_of("a", "b")
    watermark.observe("b", 100.0, arrival=100.0, now=100.0)
    watermark.observe("a", 129.0, arrival=129.0, now=129.0)
    assert watermark.advance(129.0) == 95.0
    assert watermark.advance(130.0) == 124.0


def test_a_shard_whose_reader_waits_is_not_idle():
    watermark = watermark_of("a", "b")
    watermark.observe("a", 100.0, arrival=100.0, now=100.0)
    watermark.wait("a")
    watermark.observe("b", 145.0, arrival=145.0, now=145.0)
    assert watermark.advance(150.0) == 95.0
    watermark.end_wait("a", now=150.0)
    watermark.observe("b", 170.0, arrival=170.0, now=170.0)
    assert watermark.advance(179.9) == 95.0
    assert watermark.advance(180.0) == 165.0


def test_it_stands_still_while_all_shards_are_idle():
    watermark = watermark_of("a")
    watermark.observe("a", 100.0, arrival=100.0, now=100.0)
    assert watermark.advance(1_000.0) == 95.0


def test_at_the_tip_it_goes_on_with_the_time_as_far_behind_as_the_newest_record_was():
    watermark = watermark_of("a")
    watermark.observe("a", 100.0, arrival=103.0, now=104.0)  # 3 s on its way
    watermark.reach_tip("a", 120.0)
    assert watermark.advance(120.0) == 120.0 - 3.0 - 5.0


def test_a_tip_says_nothing_about_later_times():
    watermark = watermark_of("a", idle_after=1_000)
    watermark.observe("a", 100.0, arrival=100.0, now=100.0)
    watermark.reach_tip("a", 110.0)
    assert watermark.advance(500.0) == 105.0


def test_a_record_ends_the_tip():
    """Else a shard whose backlog is being read would count as one that has none."""
    watermark = watermark_of("a")
    watermark.observe("a", 100.0, arrival=100.0, now=100.0)
    watermark.reach_tip("a", 101.0)
    watermark.observe("a", 130.0, arrival=130.0, now=140.0)
    assert watermark.advance(140.0) == 125.0


def test_a_shard_that_fell_silent_long_ago_does_not_hold_back_the_others_at_its_tip():
    watermark = watermark_of("a", "b", now=9_000.0)
    watermark.observe("a", 9_000.0, arrival=9_000.0, now=9_000.0)
    watermark.observe("b", 100.0, arrival=100.0, now=9_000.0)
    watermark.reach_tip("b", 9_001.0)
    assert watermark.advance(9_001.0) == 8_995.0


def test_it_never_goes_back():
    watermark = watermark_of("a")
    watermark.observe("a", 100.0, arrival=100.0, now=100.0)
    assert watermark.advance(100.0) == 95.0
    watermark.add("b", 100.0)
    watermark.observe("b", 20.0, arrival=20.0, now=100.0)
    assert watermark.advance(100.0) == 95.0


def test_a_removed_shard_does_not_count():
    watermark = watermark_of("a", "b")
    watermark.observe("a", 200.0, arrival=200.0, now=200.0)
    watermark.observe("b", 100.0, arrival=100.0, now=200.0)
    watermark.remove("b")
    watermark.remove("b")
    assert watermark.advance(200.0) == 195.0


def test_a_clock_that_is_years_ahead_makes_no_record_late_that_came_in_time():
    watermark = watermark_of("a")
    watermark.observe("a", 4_000_000_000.0, arrival=100.0, now=500.0)
    assert watermark.advance(500.0) == 95.0


def test_a_bound_above_the_arrival_lets_event_times_run_ahead():
    watermark = watermark_of("a", max_ahead=60)
    watermark.observe("a", 1_000.0, arrival=100.0, now=100.0)
    assert watermark.advance(100.0) == 155.0


def test_simulated_times_need_no_clock():
    watermark = watermark_of("a", max_ahead=math.inf)
    watermark.observe("a", 1e12, arrival=0.0, now=0.0)
    assert watermark.advance(0.0) == 1e12 - 5


@pytest.mark.parametrize("event_time", [math.nan, math.inf, -math.inf])
def test_an_event_time_that_is_no_time_is_refused(event_time):
    with pytest.raises(InvalidArgumentError, match="finite number of seconds"):
        watermark_of("a").observe("a", event_time, arrival=0.0, now=0.0)


@pytest.mark.parametrize("method", ["observe", "reach_tip", "wait", "end_wait"])
def test_a_shard_has_to_be_added_first(method):
    arguments = {"observe": (1.0, 1.0, 1.0), "wait": ()}.get(method, (1.0,))
    with pytest.raises(InvalidArgumentError, match="call add first"):
        getattr(watermark_of(), method)("a", *arguments)


@pytest.mark.parametrize("option", ["out_of_orderness", "idle_after", "max_ahead"])
def test_options_have_ranges(option):
    with pytest.raises(InvalidArgumentError, match=option):
        Watermark(**{option: -1})


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(0, 1e10), st.floats(0, 100), st.booleans()),
        min_size=1,
        max_size=40,
    )
)
@example(
    [("c", 0.0, 1.1005174923530882e-13, False), ("a", 0.0, 0.0, False), ("b", 0.0, 0.0, False), ("a", 0.0, 0.0, False)]
)
def test_no_record_is_late_that_came_within_the_out_of_orderness(steps):
    """Records whose clocks run ahead by years cannot change that. Each shard is read to its tip or to a backlog."""
    watermark, now = watermark_of("a", "b", "c", idle_after=math.inf), 0.0
    previous = -math.inf
    for shard, ahead, pause, at_tip in steps:
        now += pause
        mark = watermark.advance(now)
        assert mark >= previous
        previous = mark
        assert mark <= now - 5  # a record measured now, stored at once, is in time
        watermark.observe(shard, now + ahead, arrival=now, now=now)
        if at_tip:
            watermark.reach_tip(shard, now)
