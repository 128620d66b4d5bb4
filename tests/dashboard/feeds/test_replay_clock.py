"""Where a replay is, at literal times."""

from truckstream.dashboard.feeds.replay_clock import ReplayClock
from truckstream.dashboard.serving.replay_control import ReplayCommand


def test_it_moves_at_its_speed_and_stops_at_the_end():
    clock = ReplayClock(1_000.0, 1_100.0, speed=30.0, now=5.0)
    assert clock.position(5.0) == 1_000.0
    assert clock.position(7.0) == 1_060.0
    assert clock.position(99.0) == 1_100.0


def test_another_speed_counts_from_now_on():
    clock = ReplayClock(1_000.0, 2_000.0, speed=10.0, now=0.0)
    assert not clock.apply(ReplayCommand(speed=100.0), 2.0)
    assert clock.position(3.0) == 1_120.0


def test_it_stays_where_it_is_while_it_is_paused():
    clock = ReplayClock(1_000.0, 2_000.0, speed=10.0, now=0.0)
    clock.apply(ReplayCommand(paused=True), 2.0)
    assert clock.position(50.0) == 1_020.0
    clock.apply(ReplayCommand(paused=False), 50.0)
    assert clock.position(51.0) == 1_030.0


def test_a_jump_goes_no_further_than_the_records():
    clock = ReplayClock(1_000.0, 2_000.0, speed=10.0, now=0.0)
    for wanted, reached in ((1_500.0, 1_500.0), (5.0, 1_000.0), (9e9, 2_000.0)):
        assert clock.apply(ReplayCommand(position=wanted), 1.0)
        assert clock.position(1.0) == reached
    assert clock.state(1.0) == {"first": 1_000.0, "last": 2_000.0, "position": 2_000.0, "speed": 10.0, "paused": False}
