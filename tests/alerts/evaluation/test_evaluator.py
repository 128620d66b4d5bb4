"""Incidents begin and end once, whatever is read twice, late or after a restart; silence follows the watermark."""

import pytest

from tests.alerts.support import START, record, report, turns
from truckstream.alerts import AlertEvaluator, read_report, read_rules
from truckstream.errors import UsageError

HOT = """
[rules.hot]
kind = "threshold"
field = "engine_temp"
above = 110.0
end = 105.0
hold = "30s"
end_hold = "1m"
"""
URGENT = """
[rules.urgent]
kind = "health"
end_hold = "1m"
"""
SILENT = """
[rules.silent]
kind = "silence"
hold = "5m"
end_hold = "0s"
"""


def evaluator(*texts):
    return AlertEvaluator(read_rules("\n".join(texts)))


def run(alerts, reports):
    return turns([event for each in reports for event in alerts.add(each)])


def temperatures(*values, step=10, truck_id="A"):
    return [report(truck_id, step * index, engine_temp=value) for index, value in enumerate(values)]


# --- Hysteresis -----------------------------------------------------------------------------------


def test_an_incident_begins_with_the_first_report_of_the_run_when_the_run_has_lasted():
    assert run(evaluator(HOT), temperatures(100, 111, 111, 111)) == []
    assert run(evaluator(HOT), temperatures(100, 111, 111, 111, 111)) == [("hot", "A", "begun", 10, None)]


def test_a_report_that_is_not_beyond_the_limit_starts_the_hold_again():
    assert run(evaluator(HOT), temperatures(111, 111, 111, 110, 111, 111, 111)) == []


def test_an_incident_ends_with_the_first_good_report_when_the_good_run_has_lasted():
    values = [111, 111, 111, 111, 105, *[104] * 6]
    assert run(evaluator(HOT), temperatures(*values)) == [("hot", "A", "begun", 0, None), ("hot", "A", "ended", 0, 40)]


def test_a_value_in_the_band_between_the_thresholds_ends_nothing():
    values = [111, 111, 111, 111, *[104, 104, 104, 106] * 5]
    assert run(evaluator(HOT), temperatures(*values)) == [("hot", "A", "begun", 0, None)]


def test_a_value_that_flaps_makes_one_incident():
    values = [111, 111, 111, 111, *[104, 112] * 30, *[104] * 7]
    assert run(evaluator(HOT), temperatures(*values)) == [
        ("hot", "A", "begun", 0, None),
        ("hot", "A", "ended", 0, 640),
    ]


def test_urgent_health_begins_at_once():
    alerts = evaluator(URGENT)
    [event] = alerts.add(report("A", 0, health_status="URGENT"))
    assert (event.severity, event.state, event.value) == ("critical", "begun", None)
    assert event.message == "A: health_status is URGENT (urgent)"


def test_the_end_has_the_identity_of_the_beginning_and_the_duration():
    alerts = evaluator(HOT)
    begun, ended = [event for each in temperatures(111, 111, 111, 112, *[100] * 7) for event in alerts.add(each)]
    assert begun.id == ended.id
    assert begun.key != ended.key
    assert begun.value == 112
    assert begun.message == "A: engine_temp is 112 °F (hot)"
    assert ended.message == "A: engine_temp is 100 °F (hot, ended after 40 s)"


def test_trucks_have_incidents_of_their_own():
    alerts = evaluator(URGENT)
    found = run(alerts, [report(truck, 0, health_status="URGENT") for truck in ("A", "B")])
    assert [each[1] for each in found] == ["A", "B"]
    assert alerts.trucks == 2


# --- Repetitions and late reports -----------------------------------------------------------------


def test_reports_that_come_again_begin_and_end_nothing():
    alerts, reports = evaluator(HOT), temperatures(111, 111, 111, 111, *[100] * 7)
    assert len(run(alerts, reports)) == 2
    assert run(alerts, reports) == []
    assert alerts.late == len(reports)


def test_a_report_that_was_overtaken_is_not_evaluated():
    alerts = evaluator(URGENT)
    assert run(alerts, [report("A", 10), report("A", 9, health_status="URGENT")]) == []
    assert alerts.late == 1


def test_several_reports_of_one_second_are_all_evaluated():
    alerts = evaluator(URGENT)
    assert len(run(alerts, [report("A", 10), report("A", 10, health_status="URGENT")])) == 1
    assert alerts.late == 0


def test_the_repetition_of_a_second_does_not_begin_its_incident_again():
    alerts = evaluator(URGENT.replace("1m", "0s"))
    reports = [report("A", 10, health_status="URGENT"), report("A", 10, speed=1.0)]
    assert len(run(alerts, reports)) == 2
    assert run(alerts, reports) == []


def test_two_incidents_of_a_truck_never_have_one_identity():
    """A status that is bad, good and bad again within a second would begin twice at one time."""
    alerts = evaluator(URGENT.replace("1m", "0s"))
    reports = [
        report("A", 10, health_status=health, speed=speed) for health, speed in (("URGENT", 1.0), ("NORMAL", 2.0))
    ]
    reports += [report("A", 10, health_status="URGENT", speed=3.0), report("A", 11, health_status="URGENT")]
    assert run(alerts, reports) == [
        ("urgent", "A", "begun", 10, None),
        ("urgent", "A", "ended", 10, 10),
        ("urgent", "A", "begun", 11, None),
    ]


def test_silence_that_ends_within_its_second_does_not_begin_again_at_it():
    """The arrivals of the service are approximate: those of B are before that of A, which came first."""
    alerts = evaluator(SILENT)
    early = [report("B", 0, speed=speed) for speed in (1.0, 2.0, 3.0)]
    assert run(alerts, [report("A", 400), *early]) == [
        ("silent", "B", "begun", 0, None),
        ("silent", "B", "ended", 0, 0),
    ]
    assert alerts.advance(START + 9000)[0].truck_id == "A"


def test_the_same_report_makes_the_same_identity_in_every_process():
    [event] = evaluator(URGENT).add(report("A", 0, health_status="URGENT"))
    assert event.id == "7b52d5fece0dddec02506c19665fa5bc"


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"\xff", record("A", 0, engine_temp=121.0), record("A", 0, timestamp="yesterday")],
)
def test_a_record_that_is_invalid_or_has_no_time_is_no_report(data):
    assert read_report(data, START) is None


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_the_calendar_is_no_time(timestamp):
    assert read_report(record("A", 0, timestamp=timestamp), START) is None


def test_a_truck_whose_clock_is_years_ahead_is_no_report():
    """Otherwise all of its right reports would count as late."""
    assert read_report(record("A", 0, timestamp="2099-01-01T00:00:00"), START) is None


# --- Silence --------------------------------------------------------------------------------------


def test_a_truck_is_silent_when_the_reports_of_others_prove_it():
    alerts = evaluator(SILENT)
    assert run(alerts, [report("A", 0), report("B", 1), report("B", 299)]) == []
    assert run(alerts, [report("B", 300)]) == [("silent", "A", "begun", 0, None)]
    assert run(alerts, [report("B", 400), report("A", 410)]) == [("silent", "A", "ended", 0, 410)]


def test_at_the_tip_the_clock_proves_silence():
    alerts = evaluator(SILENT)
    run(alerts, [report("A", 0)])
    assert alerts.advance(START + 299) == []
    assert turns(alerts.advance(START + 300)) == [("silent", "A", "begun", 0, None)]
    assert alerts.advance(START + 9000) == []


def test_a_gap_that_is_read_at_once_is_an_incident_all_the_same():
    assert run(evaluator(SILENT), [report("A", 0), report("A", 300)]) == [
        ("silent", "A", "begun", 0, None),
        ("silent", "A", "ended", 0, 300),
    ]


def test_a_reader_that_is_behind_finds_no_silence():
    """An hour of records is read at once: the watermark is the arrival of the newest, not the present."""
    alerts = evaluator(SILENT)
    assert run(alerts, [report(truck, second) for second in range(0, 3600, 60) for truck in ("A", "B")]) == []


def test_a_truck_whose_clock_is_ahead_makes_no_other_truck_silent():
    alerts = evaluator(SILENT)
    assert run(alerts, [report("A", 0), report("B", 3600, arrival=1), report("A", 2)]) == []


def test_a_truck_that_sends_old_reports_is_not_silent():
    alerts = evaluator(SILENT)
    reports = [report("A", -3600 + second, arrival=second) for second in range(0, 900, 60)]
    assert run(alerts, reports) == []


def test_silence_lasts_until_the_truck_has_reported_for_long_enough():
    alerts = evaluator(SILENT.replace('"0s"', '"2m"'))
    reports = [report("A", 0), report("A", 300), report("A", 600), report("A", 660), report("A", 720)]
    assert run(alerts, reports) == [("silent", "A", "begun", 0, None), ("silent", "A", "ended", 0, 600)]


def test_each_silence_rule_has_its_own_time():
    alerts = evaluator(SILENT, SILENT.replace("silent", "long").replace("5m", "1h"))
    run(alerts, [report("A", 0)])
    assert turns(alerts.advance(START + 3599)) == [("silent", "A", "begun", 0, None)]
    assert turns(alerts.advance(START + 3600)) == [("long", "A", "begun", 0, None)]


def test_a_truck_that_is_gone_is_forgotten_and_its_incidents_end():
    alerts = evaluator('forget = "2h"', URGENT, SILENT)
    run(alerts, [report("A", 0, health_status="URGENT")])
    assert turns(alerts.advance(START + 7200)) == [
        ("silent", "A", "begun", 0, None),
        ("urgent", "A", "ended", 0, 7200),
        ("silent", "A", "ended", 0, 7200),
    ]
    assert alerts.trucks == 0
    assert alerts.advance(START + 99_999) == []


def test_trucks_are_forgotten_without_a_silence_rule_too():
    alerts = evaluator(URGENT)
    run(alerts, [report(f"truck {number}", number) for number in range(100)])
    alerts.advance(START + 86_400 + 49)
    assert alerts.trucks == 50


# --- State ----------------------------------------------------------------------------------------


def restarted(alerts, *texts, **options):
    after = evaluator(*texts)
    after.adopt(alerts.snapshot(), **options)
    return after


def test_an_incident_outlives_a_restart():
    alerts = evaluator(HOT)
    run(alerts, temperatures(111, 111, 111, 111))
    alerts = restarted(alerts, HOT)
    assert run(alerts, temperatures(111, 111, 111, 111)) == []
    assert run(alerts, [report("A", second, engine_temp=100.0) for second in (50, 110)]) == [
        ("hot", "A", "ended", 0, 50)
    ]


def test_silence_counts_through_a_restart():
    alerts = evaluator(SILENT)
    run(alerts, [report("A", 0)])
    alerts = restarted(alerts, SILENT)
    assert turns(alerts.advance(START + 300)) == [("silent", "A", "begun", 0, None)]


def test_an_incident_whose_rule_was_removed_ends_at_the_next_call():
    alerts = evaluator(HOT, URGENT)
    run(alerts, [report("A", 0, health_status="URGENT")])
    alerts = restarted(alerts, HOT)
    [event] = alerts.advance(START)
    assert (event.rule, event.severity, event.state) == ("urgent", "critical", "ended")
    assert "the rule was removed" in event.message
    assert alerts.advance(START) == []


def test_an_incident_whose_rule_became_another_kind_ends():
    alerts = evaluator(URGENT)
    run(alerts, [report("A", 0, health_status="URGENT")])
    alerts = restarted(alerts, SILENT.replace("silent", "urgent"))
    assert [each.state for each in alerts.advance(START)] == ["ended"]


def test_the_children_of_a_split_shard_divide_its_trucks():
    alerts = evaluator(SILENT)
    run(alerts, [report("A", 0), report("B", 0)])
    child = restarted(alerts, SILENT, owns=lambda truck_id: truck_id == "B")
    assert turns(child.advance(START + 300)) == [("silent", "B", "begun", 0, None)]


def test_the_child_of_a_merge_goes_on_from_both_parents():
    left, right = evaluator(SILENT), evaluator(SILENT)
    run(left, [report("A", 0)])
    run(right, [report("B", 10)])
    child = restarted(left, SILENT)
    child.adopt(right.snapshot())
    assert turns(child.advance(START + 310)) == [("silent", "A", "begun", 0, None), ("silent", "B", "begun", 10, None)]


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x01", b"\x01\x93", b"\x63"])
def test_a_damaged_state_is_refused(data):
    with pytest.raises(UsageError, match="state of the alerts"):
        evaluator(HOT).adopt(data)
