"""Which records are due follows from the intents and their outcomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.data.replay.journal.entries import Intent, Item, Outcome
from truckstream.data.replay.journal.hour_log import HourLog


def intent(*ids):
    items = [Item(each, "1", None, "key", None, 0.0, b"") for each in ids]
    return Intent(run="run", target="store", at=0.0, stream="arn", shard="shard", items=items)


def outcome(*indices):
    return Outcome(replayed=[(index, "") for index in indices])


def states(log, *ids):
    return [log.state(each) for each in ids]


def test_a_record_in_no_intent_is_due():
    assert HourLog().state("a") == "due"


def test_a_record_is_under_way_until_its_intent_has_an_outcome():
    log = HourLog()
    log.add(1, intent("a", "b"))
    assert states(log, "a", "b", "c") == ["under way", "under way", "due"]
    log.finish(1, outcome(1))
    assert states(log, "a", "b", "c") == ["due", "replayed", "due"]


def test_a_later_intent_takes_records_over():
    """A run found "b" in the stream, and put "a" again, but was killed before it wrote the first outcome."""
    log = HourLog()
    log.add(1, intent("a", "b"))
    log.add(2, intent("a"))
    assert log.open_items(1) == [1]
    assert log.open_items(2) == [0]
    log.finish(1, outcome(1))
    assert states(log, "a", "b") == ["under way", "replayed"]
    log.finish(2, outcome(0))
    assert states(log, "a", "b") == ["replayed", "replayed"]


def test_numbers_ascend():
    log = HourLog()
    log.add(2, intent("a"))
    assert log.next_number == 3
    with pytest.raises(ValueError, match="comes too late"):
        log.add(2, intent("b"))


class Runs:
    """A model of runs that obey the rules: they replay what is due, and are killed between any two steps.

    The model knows which records each intent has really replayed, which a run learns by its outcome only.
    """

    def __init__(self) -> None:
        self.intents = []
        self.outcomes = {}
        #: How often each record was really replayed.
        self.replayed = {}

    def log(self):
        log = HourLog()
        for number, each in enumerate(self.intents, start=1):
            log.add(number, each, self.outcomes.get(number))
        return log

    def begin(self, wanted):
        """Write an intent of the wanted records that are due."""
        log = self.log()
        if due := [each for each in wanted if log.state(each) == "due"]:
            self.intents.append(intent(*due))

    def carry_out(self, number, succeeds):
        """Replay those records of the intent that are under way in it, as far as `succeeds` goes."""
        log = self.log()
        if number not in log.unfinished:
            return
        for index in log.open_items(number):
            if succeeds(index) and (number, index) not in self.replayed.setdefault("places", set()):
                self.replayed["places"].add((number, index))

    def really(self, number):
        return [index for index in range(len(self.intents[number - 1].items)) if (number, index) in self.places]

    @property
    def places(self):
        return self.replayed.get("places", set())

    def finish(self, number):
        if number in self.log().unfinished:
            self.outcomes[number] = outcome(*self.really(number))

    def take_over(self, number):
        """Find out what an intent has replayed, and write an intent of the rest."""
        log = self.log()
        if number in log.unfinished:
            found = set(self.really(number))
            items = self.intents[number - 1].items
            if missing := [items[index].id for index in log.open_items(number) if index not in found]:
                self.intents.append(intent(*missing))

    def count(self, record_id):
        return sum(self.intents[number - 1].items[index].id == record_id for number, index in self.places)


@given(st.data())
def test_no_record_is_replayed_twice_and_each_can_be_replayed(data):
    runs = Runs()
    ids = ["a", "b", "c", "d"]
    for _ in range(data.draw(st.integers(0, 12))):
        number = data.draw(st.integers(1, max(1, len(runs.intents))))
        step = data.draw(st.sampled_from(["begin", "carry out", "finish", "take over"]))
        if step == "begin" or not runs.intents:
            runs.begin(data.draw(st.lists(st.sampled_from(ids), unique=True)))
        elif step == "carry out":
            chosen = data.draw(st.sets(st.integers(0, 3)))
            runs.carry_out(number, chosen.__contains__)
        elif step == "finish":
            runs.finish(number)
        else:
            runs.take_over(number)
        log = runs.log()
        for each in ids:
            assert runs.count(each) <= 1
            if log.state(each) == "replayed":
                assert runs.count(each) == 1
            if log.state(each) == "due":
                assert runs.count(each) == 0
    # A last run finds out about everything, and replays the rest.
    for number in range(1, len(runs.intents) + 1):
        runs.take_over(number)
        runs.finish(number)
    runs.begin(ids)
    for number in sorted(runs.log().unfinished):
        runs.carry_out(number, lambda _: True)
        runs.finish(number)
    assert [runs.log().state(each) for each in ids] == ["replayed"] * 4
    assert [runs.count(each) for each in ids] == [1] * 4
