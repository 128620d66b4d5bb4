"""The decisions of a fault plan, without a socket: the requests and records that it strikes, and valid faults."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.errors import InvalidArgumentError
from truckstream.local.faults import KINDS, Fault, FaultPlan
from truckstream.local.faults.injector import FaultInjector

T0 = 1_795_392_000.0


def endings(injector, times, operation="PutRecords"):
    return [replacement(injector.on_request(operation, T0 + at)) for at in times]


def replacement(struck):
    """Return the kind that replaces the normal course of a request, or an empty string."""
    return struck.replacement.kind if struck.replacement else ""


def records(injector, count, *, operation="PutRecords", shard="shardId-000000000000", at=0.0):
    return [kind and kind.name for kind in (injector.on_record(operation, shard, T0 + at) for _ in range(count))]


def injector(*faults, seed=0):
    return FaultInjector(FaultPlan(*faults, seed=seed), T0)


def test_a_fault_strikes_within_its_window_after_its_skips_until_its_count():
    faults = injector(Fault("error-before", after=1.0, until=9.0, skip=1, count=2))
    assert endings(faults, [0.0, 1.0, 2.0, 3.0, 4.0]) == ["", "", "error-before", "error-before", ""]
    assert faults.hits() == {"error-before": 2}
    assert endings(injector(Fault("stall", until=2.0)), [0.0, 1.9, 2.0]) == ["stall", "stall", ""]


def test_the_rate_is_kept_and_depends_on_the_seed():
    def run(seed):
        return records(injector(Fault("throttle", rate=0.3), seed=seed), 10_000)

    assert run(1) == run(1) != run(2)
    assert 2_800 <= run(1).count("throttle") <= 3_200


def test_a_fault_does_not_change_what_another_strikes():
    alone = records(injector(Fault("throttle", rate=0.3)), 1_000)
    both = injector(Fault("throttle", rate=0.3), Fault("internal-failure", rate=0.5))
    assert [kind == "throttle" for kind in records(both, 1_000)] == [kind == "throttle" for kind in alone]
    assert both.hits()["internal-failure"] < 500  # it does not count records that the throttle struck


def test_the_first_fault_of_the_plan_replaces_the_response_and_delays_add_up():
    struck = injector(
        Fault("latency", seconds=0.5), Fault("reset-after"), Fault("error-after"), Fault("latency", seconds=0.25)
    ).on_request("PutRecords", T0)
    assert (replacement(struck), struck.delay) == ("reset-after", 0.75)


def test_jitter_adds_up_to_its_seconds():
    faults = injector(Fault("latency", seconds=1.0, jitter=0.5))
    delays = [faults.on_request("PutRecords", T0).delay for _ in range(1_000)]
    assert 1.0 <= min(delays) < 1.01
    assert 1.49 < max(delays) <= 1.5


def test_operations_and_shards_narrow_a_fault():
    faults = injector(
        Fault("throttle", shards=("shardId-000000000001",)),
        Fault("throttle", operations=("GetRecords",)),
        Fault("limit-exceeded"),
        Fault("access-denied", operations=("DeleteStream",)),
    )
    assert records(faults, 1) == [None]
    assert records(faults, 1, shard="shardId-000000000001") == ["throttle"]
    assert records(faults, 1, operation="GetRecords") == ["throttle"]
    assert endings(faults, [0.0]) == [""]
    assert endings(faults, [0.0], "ListShards") == ["limit-exceeded"]
    assert endings(injector(Fault("access-denied", operations=("DeleteStream",))), [0.0, 0.0]) == ["", ""]


def test_injected_faults_count_their_window_from_then_and_are_cleared():
    faults = injector()
    faults.inject(Fault("stall", after=1.0), T0 + 10)
    assert endings(faults, [10.5, 11.0]) == ["", "stall"]
    assert [(report.fault.kind, report.hits) for report in faults.report()] == [("stall", 1)]
    faults.clear()
    assert endings(faults, [12.0]) == [""]
    assert (faults.report(), faults.hits()) == ([], {"stall": 1})


def test_a_fault_that_changes_the_stream_strikes_once_by_default():
    assert Fault("split").limit == 1
    assert Fault("split", count=3).limit == 3
    assert Fault("throttle").limit == float("inf")


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("kind", {"kind": "gremlin"}),
        ("rate", {"rate": 1.5}),
        ("rate", {"rate": float("nan")}),
        ("count", {"count": 0}),
        ("skip", {"skip": -1}),
        ("after", {"after": -1.0}),
        ("until", {"after": 2.0, "until": 2.0}),
        ("operations", {"operations": ("PutRecrods",)}),
        ("operations", {"operations": "PutRecords"}),
        ("operations", {"operations": ("ListShards",)}),
        ("operations", {"kind": "internal-failure", "operations": ("GetRecords",)}),
        ("shards", {"kind": "stall", "shards": ("shardId-000000000000",)}),
        ("seconds", {"seconds": 1.0}),
        ("seconds", {"kind": "latency"}),
        ("seconds", {"kind": "latency", "seconds": -1.0, "jitter": 2.0}),
        ("seconds", {"kind": "skew"}),
        ("jitter", {"kind": "latency", "seconds": 1.0, "jitter": -0.5}),
        ("jitter", {"kind": "skew", "seconds": 1.0, "jitter": 0.5}),
        ("status", {"kind": "error-after", "status": 404}),
        ("status", {"kind": "stall", "status": 500}),
    ],
)
def test_an_invalid_fault_is_rejected_with_its_field(field, options):
    with pytest.raises(InvalidArgumentError) as error:
        Fault(**{"kind": "throttle"} | options)
    assert error.value.argument == field


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("stall", Fault("stall")),
        ("throttle:rate=0.3,count=100,after=5s,until=2m", Fault("throttle", 0.3, 100, after=5.0, until=120.0)),
        ("latency: seconds=200ms, jitter=0.1", Fault("latency", seconds=0.2, jitter=0.1)),
        ("skew:seconds=-1h", Fault("skew", seconds=-3_600.0)),
        ("error-after:status=503,operations=PutRecord+PutRecords,skip=2",
         Fault("error-after", status=503, skip=2, operations=("PutRecord", "PutRecords"))),
        ('{"kind": "split", "shards": ["shardId-000000000001"]}', Fault("split", shards=("shardId-000000000001",))),
    ],
)  # fmt: skip
def test_a_fault_is_read_from_text(text, fault):
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gremlin", "kind is 'gremlin': must be one of throttle, internal-failure"),
        ("throttle:speed=1", "'speed=1' is not an option; the options after the colon are rate, count"),
        ("throttle:rate", "'rate' is not an option"),
        ("throttle:rate=often", "rate is 'often': must be a number"),
        ("throttle:count=1.5", "count is '1.5': must be a whole number"),
        ("throttle:after=soon", "after is 'soon': must be a number of seconds, or have a unit"),
        ("throttle:rate=2", "rate is 2.0: must be between 0 and 1"),
        ('{"kind": "throttle", "rate": 2}', "rate is 2.0: must be between 0 and 1"),
        ('{"kind": "throttle", "speed": 2}', "unknown field `speed`"),
        ('{"kind": "throttle"', "must be a JSON object"),
        ("", "kind is '': must be one of"),
    ],
)
def test_invalid_text_is_rejected_with_the_rule(text, message):
    with pytest.raises(InvalidArgumentError) as error:
        Fault.parse(text)
    assert message in str(error.value)


@given(
    kind=st.sampled_from([name for name, kind in KINDS.items() if not kind.options]),
    rate=st.floats(0, 1),
    count=st.none() | st.integers(1, 9),
    skip=st.integers(0, 9),
    after=st.floats(0, 99),
)
def test_a_fault_goes_through_json_and_back(kind, rate, count, skip, after):
    fault = Fault(kind, rate, count, skip, after)
    assert (
        Fault.read(json.loads(msgspec.json.encode(fault))) == fault == Fault.parse(msgspec.json.encode(fault).decode())
    )


def test_every_kind_documents_its_effect_and_the_clients_knowledge():
    for name, kind in KINDS.items():
        assert kind.does.endswith("."), name
        assert kind.client.endswith("."), name


FAULTS = st.lists(
    st.builds(
        Fault,
        st.sampled_from([name for name, kind in KINDS.items() if not kind.options & {"seconds"}]),
        st.floats(0, 1),
        st.none() | st.integers(1, 5),
        st.integers(0, 5),
        st.floats(0, 3),
    ),
    max_size=6,
)
COURSE = st.lists(
    st.tuples(st.sampled_from(["PutRecords", "GetRecords", "ListShards"]), st.floats(0, 0.5), st.integers(0, 3)),
    max_size=40,
)


@given(FAULTS, COURSE, st.integers())
def test_decisions_depend_only_on_the_plan_and_the_requests(faults, course, seed):
    def run():
        active, now, seen = injector(*faults, seed=seed), T0, []
        for operation, pause, count in course:
            now += pause
            struck = active.on_request(operation, now)
            for change in struck.stream_changes:
                active.count_hit(change)
            records = [active.on_record(operation, "shardId-000000000000", now) for _ in range(count)]
            seen.append((replacement(struck), [change.fault for change in struck.stream_changes], records))
        return seen, active.report(), active.hits()

    seen, report, hits = run()
    assert (seen, report, hits) == run()
    assert all(one.hits <= one.fault.limit for one in report)
    assert sum(one.hits for one in report) == sum(hits.values())
    counted = sum(bool(kind) + len(changes) + len([one for one in records if one]) for kind, changes, records in seen)
    assert counted == sum(hits.values())
