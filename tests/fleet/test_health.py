"""Health: one table of rules, and a status that follows from the record alone."""

import itertools
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from tests.sample_record import SAMPLE
from truckstream.fleet import RULES, Fleet, health_of, reasons_of
from truckstream.record import FIELDS, TruckRecord

START = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)
SOUND = TruckRecord(**SAMPLE)


def with_value(field, value):
    return msgspec.structs.replace(SOUND, **{field: value})


def test_the_sample_record_is_normal():
    assert health_of(SOUND) == "NORMAL"
    assert reasons_of(SOUND) == ()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.field)
def test_a_limit_is_crossed_beyond_it_and_not_on_it(rule):
    beyond = 0.1 if rule.upper else -0.1
    for limit, inside, outside in ((rule.warning, "NORMAL", "WARNING"), (rule.urgent, "WARNING", "URGENT")):
        assert health_of(with_value(rule.field, limit)) == inside
        assert health_of(with_value(rule.field, limit + beyond)) == outside
        assert reasons_of(with_value(rule.field, limit + beyond)) == (rule,)


def test_the_worst_rule_decides_and_all_are_named():
    record = msgspec.structs.replace(SOUND, fuel_level=9.0, engine_temp=119.0)
    assert health_of(record) == "URGENT"
    assert [rule.meaning for rule in reasons_of(record)] == ["the engine overheats", "fuel runs out"]


def test_every_limit_is_a_value_that_a_valid_record_can_have():
    rows = {field.name: field for field in FIELDS}
    for rule in RULES:
        lowest, highest = rows[rule.field].minimum, rows[rule.field].maximum
        assert lowest is None or lowest < min(rule.warning, rule.urgent)
        assert highest is None or max(rule.warning, rule.urgent) < highest


@pytest.mark.parametrize(("trucks", "rate"), [(200, 1000.0), (500, 10.0)])
def test_each_status_follows_from_the_records_own_values(trucks, rate):
    for report in Fleet(trucks, rate=rate, seed=3, start=START).take(5_000):
        record = report.record()
        assert record.health_status == health_of(record)
        assert bool(reasons_of(record)) == (record.health_status != "NORMAL")


@pytest.mark.parametrize(
    ("trucks", "every", "rounds"), [(8_000, 1.0, 1), pytest.param(100, 900.0, 24, marks=pytest.mark.slow)]
)
def test_a_few_percent_warn_and_well_under_one_percent_are_urgent(trucks, every, rounds):
    """In the first second of many trucks, and in six hours of some: a fleet starts in the middle of its day."""
    reports = Fleet(trucks, rate=trucks / every, seed=5, start=START).take(trucks * rounds)
    statuses = Counter(report.record().health_status for report in reports)
    assert 0.01 < statuses["WARNING"] / len(reports) < 0.05
    assert 0.0005 < statuses["URGENT"] / len(reports) < 0.006


def test_defects_appear_and_are_repaired():
    """Within a few hours sound trucks begin to warn, and trucks that warned are sound again."""
    fleet = Fleet(120, rate=0.4, seed=5, start=START)
    rounds = [{r.truck_id: r.record().health_status != "NORMAL" for r in fleet.take(120)} for _ in range(40)]
    changes = {(a[truck], b[truck]) for a, b in itertools.pairwise(rounds) for truck in a}
    assert changes == {(False, False), (False, True), (True, True), (True, False)}
