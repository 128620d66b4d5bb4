"""The evaluator against a slow model that looks at the whole history again for each report.

The model has no state, no snapshot and no queue: it lists, for each rule and truck, the verdicts of the history, and
searches the runs in them. Whatever is read twice, from wherever a restart reads on, and wherever the clock of the tip
is looked at, the incidents must be those of the model.
"""

import itertools

from hypothesis import event, given
from hypothesis import strategies as st

from tests.alerts.support import START, report, seconds
from truckstream.alerts import AlertEvaluator, read_rules
from truckstream.alerts.rules.rule import Verdict

RULES = read_rules("""
[rules.urgent]
kind = "health"
end = "NORMAL"
end_hold = "0s"
[rules.hot]
kind = "threshold"
field = "engine_temp"
above = 110
end = 105
hold = "10s"
end_hold = "8s"
[rules.slow]
kind = "threshold"
field = "speed"
below = 10
end = 20
hold = "0s"
end_hold = "20s"
[rules.silent]
kind = "silence"
hold = "20s"
end_hold = "5s"
[rules.very-silent]
kind = "silence"
hold = "33s"
end_hold = "0s"
[rules.leak]
kind = "tyre_loss"
above = 2.0
end = 1.0
window = "8s"
end_hold = "3s"
[rules.depot]
kind = "geofence"
when = "inside"
circle = { latitude = 27.7, longitude = 85.3, radius_miles = 10 }
margin_miles = 5
hold = "3s"
end_hold = "3s"
""")

# --- The model ------------------------------------------------------------------------------------


def fresh(reports):
    """Positions of the reports of a truck that are neither overtaken nor a repetition."""
    for position, each in enumerate(reports):
        before = reports[:position]
        if all(each.time >= other.time and each.digest != other.digest for other in before):
            yield position


def last_fresh(reports, position):
    return max(reports[: position + 1], key=lambda each: each.time)


def verdicts(rule, history, truck_id, watermark):
    """Time and verdict of each report of the truck, and of each silence."""
    places = [place for place, each in enumerate(history) if each.record.truck_id == truck_id]
    reports = [history[place] for place in places]
    is_fresh = set(fresh(reports))
    memory, found = [], []
    for index, place in enumerate([*places, None]):
        if index > 0 and rule.kind == "silence":
            heard = max(each.arrival for each in reports[:index])
            seen = max(each.arrival for each in history[: len(history) if place is None else place + 1])
            if place is None:
                seen = max(seen, watermark)
            if seen >= heard + rule.hold:
                found.append((last_fresh(reports, index - 1).time, Verdict.BAD))
        if index in is_fresh:
            each = reports[index]
            reading = rule.judge(each.record, each.time, memory)
            if reading is not None:
                found.append((each.time, reading.verdict))
    return found


def last_run(found, wanted):
    """The verdicts from the last back to the first that is another."""
    return list(itertools.takewhile(lambda each: each[1] is wanted, reversed(found)))


def incidents(rule, found):
    """Beginning and end of each incident in a list of verdicts, by looking back from each of them."""
    result, began, floor, last_began = [], None, 0, None
    hold = 0.0 if rule.kind == "silence" else rule.hold
    for index, (time, _) in enumerate(found):
        wanted = Verdict.BAD if began is None else Verdict.GOOD
        run = last_run(found[floor : index + 1], wanted)
        if began is None and last_began is not None:
            run = [each for each in run if each[0] > last_began]
        if not run or time - run[-1][0] < (hold if began is None else rule.end_hold):
            continue
        floor = index + 1
        if began is None:
            began = last_began = run[-1][0]
        else:
            result.append((began, run[-1][0]))
            began = None
    return result if began is None else [*result, (began, None)]


def model(history, watermark):
    """All incidents, by rule and truck."""
    trucks = sorted({each.record.truck_id for each in history})
    return {
        (rule.name, truck): found
        for rule in RULES.rules
        for truck in trucks
        if (found := incidents(rule, verdicts(rule, history, truck, watermark)))
    }


# --- Histories ------------------------------------------------------------------------------------

FIELDS = st.fixed_dictionaries(
    {
        "health_status": st.sampled_from(["NORMAL", "NORMAL", "WARNING", "URGENT"]),
        "engine_temp": st.sampled_from([100.0, 107.0, 112.0, 115.0]),
        "speed": st.sampled_from([5.0, 15.0, 60.0]),
        "tire_pressure_fl": st.sampled_from([30.0, 32.0, 32.1]),
        "latitude": st.sampled_from([27.7, 27.88, 28.5]),
        "longitude": st.just(85.3),
    }
)
#: Truck, seconds since the record before, delay from its event to its arrival, seconds by which its arrival is before
#: those of earlier records (the service's arrivals are approximate), and its fields.
RECORDS = st.tuples(
    st.sampled_from("ABC"),
    st.sampled_from([0, 0, 1, 2, 5, 12, 40]),
    st.integers(0, 8),
    st.sampled_from([0, 0, 0, 2, 45]),
    FIELDS,
)


@st.composite
def histories(draw):
    """Records of one shard, in its order: event times are late by turns, and some records are in it twice."""
    history, now = [], 0.0
    for truck_id, step, delay, back, fields in draw(st.lists(RECORDS, min_size=1, max_size=40)):
        now += step
        if history and fields["speed"] == 15.0 and draw(st.booleans()):
            twin = draw(st.sampled_from(history))
            history.append(report_again(twin, now))
        history.append(report(truck_id, now - delay - back, arrival=now - back, **fields))
    return history


def report_again(twin, arrival):
    """The same bytes, put into the stream a second time."""
    return type(twin)(twin.record, twin.time, START + arrival, twin.digest)


def incidents_of(events):
    """The events, as an idempotent target keeps them, as the model has its incidents."""
    kept = {each.key: each for each in events}
    found = {}
    for each in kept.values():
        if each.state == "begun":
            found.setdefault((each.rule, each.truck_id), {})[each.id] = (START + seconds(each.began), None)
    for each in kept.values():
        if each.state == "ended":
            assert each.id in found[each.rule, each.truck_id], "an end without a beginning"
            found[each.rule, each.truck_id][each.id] = (START + seconds(each.began), START + seconds(each.ended))
    return {place: sorted(each.values(), key=lambda pair: (pair[0], pair[1] or 9e9)) for place, each in found.items()}


def plain(expected):
    return {place: sorted(each, key=lambda pair: (pair[0], pair[1] or 9e9)) for place, each in expected.items()}


@given(history=histories(), wait=st.sampled_from([0, 10, 25, 50]), data=st.data())
def test_incidents_are_those_of_the_model_through_repetitions_and_restarts(history, wait, data):
    """At each step the reader may go back to any earlier place, with the state of now or with one saved before."""
    alerts, events, position = AlertEvaluator(RULES), [], 0
    saved = (0, alerts.snapshot())
    for turn in data.draw(st.lists(st.sampled_from(["read", "read", "save", "restart", "again"]), max_size=30)):
        if turn == "read":
            size = data.draw(st.integers(1, 10))
            events += [event for each in history[position : position + size] for event in alerts.add(each)]
            position = min(len(history), position + size)
        elif turn == "save":
            saved = (position, alerts.snapshot())
        elif turn == "again":  # redelivered to the same evaluator, or to one that has a newer state than the checkpoint
            back = data.draw(st.integers(0, position))
            events += [event for each in history[back:position] for event in alerts.add(each)]
        else:  # killed: everything since the last saved state happens again
            position, state = saved
            alerts = AlertEvaluator(RULES)
            alerts.adopt(state)
    events += [event for each in history[position:] for event in alerts.add(each)]
    watermark = max(each.arrival for each in history) + wait
    events += alerts.advance(watermark)
    expected = model(history, watermark)
    event(f"{min(9, sum(map(len, expected.values())))} incidents")
    assert incidents_of(events) == plain(expected)


@given(history=histories(), wait=st.sampled_from([0, 10, 25, 50]))
def test_without_repetitions_each_event_comes_exactly_once(history, wait):
    alerts = AlertEvaluator(RULES)
    events = [event for each in history for event in alerts.add(each)]
    events += alerts.advance(history[-1].arrival + wait)
    assert len({each.key for each in events}) == len(events)
