"""The work for a record does not depend on the number of shards. Calls are counted, because times vary."""

import gc
import sys

import pytest

from tests.producer.support import Service, even_shards, put

TRUCKS = [f"TRUCK_{number:05}" for number in range(20_000)]


def calls_of(function, *arguments):
    """Return what `function` returns, and how many Python functions it called."""
    calls = 0

    def count(_frame, event, _argument):
        nonlocal calls
        calls += event == "call"

    gc.disable()  # or the finalizers of other tests' garbage would count
    sys.setprofile(count)
    try:
        result = function(*arguments)
    finally:
        sys.setprofile(None)
        gc.enable()
    return result, calls


class Stream:
    """A core and its service, and the calls of all pumps."""

    def __init__(self, core, shards):
        self.core, self.service, self.calls = core, Service(even_shards(shards)), 0

    def put(self, now, trucks):
        for truck in trucks:
            put(self.core, b"x", now, truck)

    def pump(self, now):
        """Send what is due, and respond at once."""
        while True:
            requests, calls = calls_of(self.core.requests_due, now)
            self.calls += calls + calls_of(self.core.next_wakeup, now)[1]
            if not requests:
                return
            for request in requests:
                responses = self.service.respond(request)
                self.calls += calls_of(self.core.on_responses, request, responses, now)[1]
            self.core.take_settled()


def calls_a_record(make_core, shards, turns, trucks_of, **options):
    stream = Stream(make_core(shards, **options), shards)
    count = 0
    for turn in range(-turns, turns):  # the first half, in which shards get their first credit, does not count
        if turn == 0:
            stream.calls = count = 0
        trucks = trucks_of(turn)
        stream.put(turn * 0.1, trucks)
        stream.pump(turn * 0.1 + 0.05)
        stream.pump(turn * 0.1 + 0.1)
        count += len(trucks)
    assert not stream.core.stats(turns * 0.1).buffered
    return stream.calls / count


@pytest.mark.parametrize("options", [{}, {"pacing": False}, {"ordered": True}, {"aggregate": True}], ids=str)
def test_a_stream_of_few_records_costs_no_more_with_many_shards(make_core, options):
    one = calls_a_record(make_core, 1, 40, lambda turn: TRUCKS[turn % 7 : turn % 7 + 1], **options)
    many = calls_a_record(make_core, 2_000, 40, lambda turn: TRUCKS[turn % 7 : turn % 7 + 1], **options)
    assert many <= 1.15 * one


@pytest.mark.parametrize("options", [{}, {"pacing": False}], ids=str)
def test_a_record_of_full_requests_costs_no_more_with_many_shards(make_core, options):
    few = calls_a_record(make_core, 8, 6, lambda turn: TRUCKS[turn % 2 :: 50], **options)
    many = calls_a_record(make_core, 2_000, 6, lambda turn: TRUCKS[turn % 2 :: 10], **options)
    assert many <= few + 0.05


def test_a_core_without_records_sleeps(make_core):
    core = make_core(2_000)
    assert core.requests_due(1.0) == []
    _, calls = calls_of(core.requests_due, 2.0)
    assert (calls, core.next_wakeup(2.0)) == (1, None)


def test_an_observer_of_a_core_without_records_looks_at_no_shard(make_core):
    core = make_core(2_000)
    stats = core.stats(1.0)
    again, calls = calls_of(core.stats, 2.0)
    assert again is stats
    assert calls < 50
    put(core, b"x", 3.0)
    assert core.stats(3.0).buffered == 1
