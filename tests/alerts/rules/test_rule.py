"""The verdicts of the kinds of rules that compare more than one value."""

import pytest

from tests.alerts.support import report
from truckstream.alerts import read_rules
from truckstream.alerts.rules.rule import Verdict


def rule_of(text):
    [rule] = read_rules(f"[rules.it]\n{text}").rules
    return rule


def verdict(rule, **fields):
    each = report("A", 0, **fields)
    reading = rule.judge(each.record, each.time, [])
    return None if reading is None else reading.verdict.value


@pytest.mark.parametrize(
    ("value", "expected"), [(15.1, "between"), (15, "between"), (14.9, "bad"), (20, "good"), (25, "good")]
)
def test_a_lower_limit_ends_at_a_higher_value(value, expected):
    rule = rule_of('kind = "threshold"\nfield = "oil_pressure"\nbelow = 15\nend = 20')
    assert verdict(rule, oil_pressure=value) == expected


@pytest.mark.parametrize(("status", "expected"), [("NORMAL", "good"), ("WARNING", "between"), ("URGENT", "bad")])
def test_health_has_a_band_too(status, expected):
    assert verdict(rule_of('kind = "health"\nend = "NORMAL"'), health_status=status) == expected


def test_the_message_of_a_threshold_names_value_and_unit():
    rule = rule_of('kind = "threshold"\nfield = "speed"\nabove = 80')
    each = report("A", 0, speed=81.5)
    assert rule.describe(rule.judge(each.record, each.time, [])) == "speed is 81.5 MPH"


# --- Tyre loss ------------------------------------------------------------------------------------

LOSS = 'kind = "tyre_loss"\nabove = 0.5\nend = 0.1\nwindow = "2m"'


def readings(rule, pressures, step):
    memory = []
    found = []
    for index, pressure in enumerate(pressures):
        each = report("A", index * step, tire_pressure_rl=pressure)
        found.append(rule.judge(each.record, each.time, memory))
    return found, memory


def test_a_leak_is_the_loss_of_its_worst_tyre_over_the_window():
    rule = rule_of(LOSS)
    found, _ = readings(rule, [34 - 0.1 * index for index in range(13)], step=10)
    assert found[:12] == [None] * 12
    assert (found[12].verdict, found[12].field) == (Verdict.BAD, "tire_pressure_rl")
    assert found[12].value == pytest.approx(0.6)
    assert rule.describe(found[12]) == "tire_pressure_rl falls by 0.60 PSI a minute"


def test_a_slow_loss_or_a_tyre_that_is_filled_is_none():
    found, _ = readings(rule_of(LOSS), [34 - 0.01 * index for index in range(13)], step=10)
    assert found[-1].verdict is Verdict.GOOD
    found, _ = readings(rule_of(LOSS), [30, *[34] * 12], step=10)
    assert found[-1].verdict is Verdict.GOOD


@pytest.mark.parametrize("step", [0.01, 1, 7, 30, 300])
def test_the_memory_of_a_truck_is_bounded_whatever_its_rate(step):
    _, memory = readings(rule_of(LOSS), [34] * 2000, step=step)
    assert len(memory) <= 10


@pytest.mark.parametrize("step", [3, 7, 40, 120, 500])
def test_the_rate_is_right_whatever_the_rate_of_the_reports(step):
    pressures = [34 - 0.01 * step * index / 60 for index in range(60)]
    found, _ = readings(rule_of(LOSS), pressures, step=step)
    assert found[-1].value == pytest.approx(0.01)


# --- Geofences ------------------------------------------------------------------------------------

CIRCLE = "circle = { latitude = 0, longitude = 0, radius_miles = 69.09 }\nmargin_miles = 10"


@pytest.mark.parametrize(("latitude", "expected"), [(0.9, "bad"), (1.1, "between"), (1.2, "good")])
def test_a_truck_enters_at_the_edge_and_leaves_beyond_the_margin(latitude, expected):
    rule = rule_of(f'kind = "geofence"\nwhen = "inside"\n{CIRCLE}')
    assert verdict(rule, latitude=latitude, longitude=0.0) == expected


@pytest.mark.parametrize(("latitude", "expected"), [(0.9, "good"), (1.1, "between"), (1.2, "bad")])
def test_a_truck_that_must_stay_inside_leaves_beyond_the_margin(latitude, expected):
    rule = rule_of(f'kind = "geofence"\nwhen = "outside"\n{CIRCLE}')
    assert verdict(rule, latitude=latitude, longitude=0.0) == expected


@pytest.mark.parametrize("place", [(927.0, 0.0), (0.0, -181.0)])
def test_an_impossible_position_says_nothing(place):
    rule = rule_of(f'kind = "geofence"\nwhen = "outside"\n{CIRCLE}')
    assert verdict(rule, latitude=place[0], longitude=place[1]) is None
