"""The physics: how a record's signals must move together. Most tests read the records alone."""

import itertools
import statistics
from datetime import UTC, datetime
from math import cos, degrees, hypot, radians
from random import Random

import pytest

from truckstream.fleet import Fleet
from truckstream.fleet.defect import DEFECTS, TruckDefect
from truckstream.fleet.report_generator import StepPlan
from truckstream.fleet.route import MILES_PER_DEGREE
from truckstream.fleet.truck import FULL, GEARS, IDLE_RPM, TANK_GALLONS, SmoothingFactors, Truck

START = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)
CLOCK = START.timestamp()


def records(trucks, each, count, seed=1):
    """Return `count` records of each truck, `each` seconds apart."""
    reports = Fleet(trucks, rate=trucks / each, seed=seed, start=START).take(trucks * count)
    made = [report.record() for report in reports]
    return [made[index::trucks] for index in range(trucks)]


def truck(step=5.0, seed=1, kind=None, severity=0.0):
    made = Truck("TRUCK_001", Random(seed), SmoothingFactors.for_step(step), CLOCK)
    made.defect = HeldDefect(kind, severity)
    return made


class HeldDefect(TruckDefect):
    """A defect that neither grows nor is repaired; none at all for the kind None."""

    def __init__(self, kind, severity):
        super().__init__(Random(1))
        self.kind, self.severity = kind, severity

    def advance(self, seconds):
        pass

    def repair(self):
        pass


def miles_between(a, b):
    north = (b.latitude - a.latitude) * MILES_PER_DEGREE
    east = (b.longitude - a.longitude) * MILES_PER_DEGREE * cos(radians((a.latitude + b.latitude) / 2.0))
    return hypot(north, east)


# --- Route ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [0.1, 1.0, 4.0])
def test_the_position_moves_by_speed_times_time(each):
    """From record to record, within the rounding of a speed (0.05 mph) and of two positions (5e-7° each)."""
    for life in records(20, each, 150):
        for a, b in itertools.pairwise(life):
            expected = (a.speed + b.speed) / 2.0 * each / 3600.0
            assert miles_between(a, b) == pytest.approx(expected, abs=0.051 * each / 3600.0 + 1.1e-4, rel=1e-4)


def test_the_position_moves_along_the_heading():
    made = truck(step=2.0)
    for _ in range(3_000):
        latitude, longitude = made.route.latitude, made.route.longitude
        made.drive()
        north = (made.route.latitude - latitude) * MILES_PER_DEGREE
        east = (made.route.longitude - longitude) * MILES_PER_DEGREE * cos(radians(latitude))
        miles = hypot(north, east)
        assert north == pytest.approx(miles * cos(made.route.heading), abs=1e-6)
        assert east == pytest.approx(miles * cos(made.route.heading - radians(90.0)), abs=1e-6)


def test_a_route_winds_and_stays_in_its_region():
    """It stays within 110 miles of the depot for a day, and turns by a few degrees a step except at stops."""
    made, turns = truck(step=10.0), []
    for _ in range(8_640):
        heading = made.route.heading
        made.drive()
        if made.route.remaining > 2.0 and made.speed > 30.0:
            turns.append(abs(degrees(made.route.heading - heading)) % 360.0)
        assert hypot(made.route.latitude - 27.7, (made.route.longitude - 85.3) * 0.885) * MILES_PER_DEGREE < 110.0
    assert 1.0 < statistics.median(turns) < 10.0


def test_a_truck_visits_its_stops_and_rests_there():
    made, stops = truck(step=10.0), []
    for _ in range(8_640):
        aim = made.route._next
        made.drive()
        if made.route._next != aim:
            stops.append(made.speed)
    assert len(stops) > 6
    assert set(stops) == {0.0}


def test_speed_changes_as_a_truck_can():
    """It accelerates by at most 1.6 mph a second and brakes by at most 3, within the rounding of the two speeds."""
    for life in records(20, 1.0, 600):
        for a, b in itertools.pairwise(life):
            assert -3.11 <= b.speed - a.speed <= 1.71


# --- Signals that move together -------------------------------------------------------------------


def test_engine_speed_is_road_speed_times_a_gear():
    ratios = [ratio for _, ratio in GEARS]
    for life in records(10, 1.0, 400):
        for record in life:
            geared = [max(IDLE_RPM, record.speed * ratio) for ratio in ratios]
            # 18 rpm of trembling, and half a digit of the speed in the lowest gear.
            assert any(rpm - 12.0 <= record.engine_rpm <= rpm + 30.0 for rpm in geared)
            assert 700 <= record.engine_rpm < 2700


def test_fuel_falls_with_consumption_and_is_refuelled():
    fills = 0
    for life in records(10, 60.0, 1_200):
        for a, b in itertools.pairwise(life):
            if b.fuel_level > a.fuel_level:
                fills += 1
                assert b.speed == 0.0 or a.speed == 0.0
        burnt = [a.fuel_level - b.fuel_level for a, b in itertools.pairwise(life) if b.fuel_level <= a.fuel_level]
        rates = [b.fuel_consumption_rate for a, b in itertools.pairwise(life) if b.fuel_level <= a.fuel_level]
        # A rate is that of the last 10 seconds of the minute: right on the average.
        assert sum(burnt) == pytest.approx(sum(rates) / 60.0 / TANK_GALLONS * 100.0, rel=0.1)
        assert max(record.fuel_level for record in life) <= FULL
    assert fills > 10


def test_consumption_follows_load():
    made, loads, rates = truck(), [], []
    for _ in range(2_000):
        made.drive()
        loads.append(made.load)
        rates.append(made.consumption)
    assert statistics.correlation(loads, rates) > 0.999
    assert 7.5 < statistics.fmean(rate for rate, load in zip(rates, loads, strict=True) if 0.5 < load < 0.7) < 10.0


def test_miles_grow_by_the_distance_driven_and_maintenance_resets_them():
    made = truck(step=10.0)
    driven, before = 0.0, made.miles
    for _ in range(1_000):
        made.drive()
        driven += made.speed * 10.0 / 3600.0
    assert made.miles - before == pytest.approx(driven, rel=0.01)
    made.miles = 16_000.0
    while made.miles >= 16_000.0:
        made.drive()
    assert made.miles < 1.0
    assert made.speed < 45.0


@pytest.mark.parametrize("signal", ["engine", "coolant", "transmission"])
def test_temperatures_follow_the_load_with_a_lag(signal):
    """They correlate with the load of the last minutes."""
    made, loads, temperatures = truck(step=5.0), [], []
    for _ in range(6_000):
        made.drive()
        loads.append(made.load)
        temperatures.append(getattr(made, signal))
    recent = [statistics.fmean(loads[index - 60 : index]) for index in range(60, len(loads))]
    assert statistics.correlation(recent, temperatures[60:]) > 0.8
    assert max(abs(a - b) for a, b in itertools.pairwise(temperatures)) < 2.0


def test_the_ambient_temperature_follows_the_day_and_moves_the_coolant():
    made, ambients, coolants = truck(step=10.0), [], []
    for _ in range(8_640):
        made.drive()
        if 0.5 < made.load < 0.7 and made.speed > 55.0:
            ambients.append(made.ambient)
            coolants.append(made.coolant)
    assert 8.0 < max(ambients) - min(ambients) < 17.0
    assert statistics.correlation(ambients, coolants) > 0.2


def test_tyres_warm_with_speed_and_gain_pressure():
    made = truck(step=10.0)
    cold, warm = [], []
    for _ in range(8_640):
        made.drive()
        if made.speed == 0.0 and made.tyres < made.ambient + 8.0:
            cold.append(made.pressures[0])
        elif made.tyres > made.ambient + 22.0:
            warm.append(made.pressures[0])
    assert statistics.fmean(warm) - statistics.fmean(cold) > 0.8


def test_brakes_heat_when_slowing_and_cool_after():
    made, heats, cools = truck(step=5.0), [], []
    for _ in range(5_000):
        before = made.brakes
        made.drive()
        (heats if made.acceleration < -1.5 else cools).append(made.brakes - before)
    assert min(heats) > -0.5  # at walking pace there is little left to turn into heat
    assert statistics.fmean(heats) > 3.0
    assert statistics.fmean(cools) < 0.0


def test_oil_pressure_rises_with_engine_speed():
    made, speeds, pressures = truck(), [], []
    for _ in range(3_000):
        made.drive()
        speeds.append(made.rpm)
        pressures.append(made.oil)
    assert statistics.correlation(speeds, pressures) > 0.95


def test_battery_and_vibration_show_the_wear():
    """The same truck after 15,000 miles: less voltage, more vibration."""
    young, old = truck(seed=3), truck(seed=3)
    young.miles, old.miles = 0.0, 15_000.0
    young._hills = old._hills + 15_000.0 * 0.9  # the same hills
    for made in (young, old):
        for _ in range(300):
            made.drive()
    assert 0.1 < young.voltage - old.voltage < 0.45
    assert old.vibration > young.vibration


# --- Defects --------------------------------------------------------------------------------------

SHOWN = {
    "leaking tyre": (lambda made: -min(made.pressures)),
    "overheating": (lambda made: made.engine),
    "slipping transmission": (lambda made: made.transmission),
    "dragging brakes": (lambda made: made.brakes),
    "dying battery": (lambda made: -made.voltage),
    "oil loss": (lambda made: -made.oil),
    "unbalanced wheel": (lambda made: made.vibration),
}


@pytest.mark.parametrize("kind", [kind for kind, _ in DEFECTS])
def test_a_defect_shows_in_its_own_signal(kind):
    sound, faulty = truck(seed=6), truck(seed=6, kind=kind, severity=0.9)
    for made in (sound, faulty):
        while made.speed < 55.0:
            made.drive()
        for _ in range(60):
            made.drive()
    shown = {name for name, signal in SHOWN.items() if abs(signal(faulty) - signal(sound)) > 0.08 * abs(signal(sound))}
    assert kind in shown
    assert shown <= {kind, "oil loss"} if kind == "overheating" else shown == {kind}


# --- The rules of the record ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, *(kind for kind, _ in DEFECTS)])
def test_physics_keeps_the_rules_without_the_clamps(kind):
    """Four trucks for twelve hours each, with the defect always at its worst."""
    for seed in range(4):
        made = truck(step=10.0, seed=seed, kind=kind, severity=1.0 if kind else 0.0)
        for _ in range(4_320):
            made.drive()
            assert 28.0 <= min(made.pressures) <= max(made.pressures) <= 35.0
            assert 70.0 <= made.engine <= 120.0
            assert 0.0 <= made.speed <= 80.0
            assert made.oil > 0.0
            assert 0.0 < made.fuel <= FULL
            assert 10.0 < made.voltage < 15.0


def test_every_signal_moves():
    """In an hour on the road with a report a minute, every signal but the health takes many values."""
    life = max(records(10, 60.0, 60), key=lambda life: sum(record.speed for record in life))
    for name in type(life[0]).__struct_fields__:
        if name not in {"truck_id", "health_status", "vibration_level", "battery_voltage"}:
            taken = {getattr(record, name) for record in life}
            assert len(taken) > 5, f"`{name}` stands still: move its signal in truckstream/fleet/truck.py"


# --- Steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trucks", "rate", "step", "reports", "silent"),
    [
        (100, 1000.0, 1.0, 10, 0),  # ten reports in a second
        (100, 100.0, 10.0, 10, 0),  # ten reports in ten seconds
        (1, 1000.0, 1.0, 1000, 0),  # never less than a second
        (30, 10.0, 9.0, 3, 0),  # never more than ten
        (100, 10.0, 10.0, 1, 0),
        (60, 1.0, 10.0, 1, 5),  # a report a minute: five steps in silence
        (100, 7.0, 100 / 14, 1, 1),
    ],
)
def test_a_step_is_ten_reports_but_1_to_10_seconds(trucks, rate, step, reports, silent):
    plan = StepPlan.of(trucks, rate)
    assert (plan.step_seconds, plan.reports_per_step, plan.silent_steps) == (pytest.approx(step), reports, silent)
    assert plan.step_seconds * (silent + 1) / reports == pytest.approx(trucks / rate)
