"""The scaling rules: which figures of CloudWatch lead to which advice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.cloud.watch.figures import Figures
from truckstream.cloud.watch.scaling_rules import (
    BYTES_A_SHARD,
    MAX_SHARDS,
    RECORDS_A_SHARD,
    RULE_COUNT,
    Capacity,
    advise,
    unchecked_rules,
)


def capacity(**changed):
    return Capacity(**({"shards": 2, "on_demand": False, "memory": 512, "timeout": 300} | changed))


def advice(figures, **changed):
    """Return rule, parameter and value of each piece of advice."""
    found = advise(Figures(60, **figures), capacity(**changed))
    return [(each.rule, each.parameter, each.value) for each in found]


@pytest.mark.parametrize(
    ("figures", "changed", "expected"),
    [
        ({}, {}, []),
        ({"records_per_second": 1_600.0}, {}, []),
        ({"records_per_second": 1_601.0}, {}, [("shards", "ShardCount", "3")]),
        ({"records_per_second": 900.0}, {"shards": 1}, [("shards", "ShardCount", "2")]),
        ({"bytes_per_second": 2.0 * 1024 * 1024}, {}, [("shards", "ShardCount", "3")]),
        ({"records_per_second": 80_000.0}, {}, [("shards", "ShardCount", "4")]),
        ({"records_per_second": 80_000.0}, {"on_demand": True}, []),
        ({"duration_ms": 240_000.0}, {}, []),
        ({"duration_ms": 240_001.0}, {}, [("memory", "MemorySize", "1024")]),
        ({"duration_ms": 250_000.0}, {"timeout": 900}, []),
        ({"duration_ms": 290_000.0}, {"memory": 8_192}, [("memory", "MemorySize", "10240")]),
        ({"duration_ms": 290_000.0}, {"memory": 10_240}, [("memory", None, None)]),
        ({"errors": 1.0, "invocations": 100.0}, {}, []),
        ({"errors": 2.0, "invocations": 100.0}, {}, [("errors", None, None)]),
        ({"put_latency_ms": 5_000.0}, {}, []),
        ({"put_latency_ms": 5_001.0}, {}, [("uploads", None, None)]),
        ({"throttles": 3.0}, {}, [("concurrency", None, None)]),
        ({"throttles": 3.0}, {"reserved_concurrency": 1}, [("concurrency", "ReservedConcurrency", "2")]),
        ({"throttles": 3.0}, {"reserved_concurrency": 2}, [("concurrency", None, None)]),
    ],
)
def test_a_rule_applies_beyond_its_limit_and_not_at_it(figures, changed, expected):
    assert advice(figures, **changed) == expected


def test_the_advice_for_a_large_step_names_the_final_number_of_shards():
    [found] = advise(Figures(60, records_per_second=7_000.0), capacity())
    assert found.action == "2 shards -> 4, then 9: Kinesis at most doubles at once"


rates = st.floats(0, 1e8)


@given(records=rates, size=st.floats(0, 1e11), shards=st.integers(1, MAX_SHARDS))
def test_the_advised_shards_grow_at_most_twofold_and_never_exceed_the_limit(records, size, shards):
    found = advise(Figures(60, records_per_second=records, bytes_per_second=size), capacity(shards=shards))
    if not found:
        assert shards == MAX_SHARDS or (records <= shards * RECORDS_A_SHARD and size <= shards * BYTES_A_SHARD)
    for each in found:
        assert shards < int(each.value) <= min(2 * shards, MAX_SHARDS)


@given(records=st.floats(801, 1e6))
def test_repeated_runs_reach_a_number_of_shards_and_then_give_no_advice(records):
    shards = 1
    for _ in range(20):
        found = advise(Figures(60, records_per_second=records), capacity(shards=shards))
        if not found:
            break
        shards = int(found[0].value)
    assert records / shards <= RECORDS_A_SHARD
    assert shards == 1 or records / (shards - 1) > RECORDS_A_SHARD


def test_a_rule_without_its_figure_is_not_checked():
    assert len(unchecked_rules(Figures(60))) == RULE_COUNT
    assert unchecked_rules(Figures(60, duration_ms=1.0, throttles=0.0)) == ("shards", "errors", "uploads")
    assert unchecked_rules(Figures(60, invocations=0.0, errors=0.0)) == unchecked_rules(Figures(60))
    everything = {"records_per_second": 1.0, "invocations": 1.0, "errors": 0.0, "put_latency_ms": 1.0}
    assert unchecked_rules(Figures(60, **everything, duration_ms=1.0, throttles=0.0)) == ()
