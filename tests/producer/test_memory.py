"""The memory of a producer lies within the promise of its page: the buffer's budget, and a tenth for remembered keys.

tracemalloc counts the bytes that Python objects take, so that these tests give the same result on every machine.
"""

import gc
import tracemalloc
import weakref

import pytest

from tests.producer.support import Service, even_shards, put, reserve
from truckstream.producer.pacing.shard_pacer import ShardPacer
from truckstream.producer.queueing.buffer_budget import MAX_OVERHEAD_BYTES, overhead_of
from truckstream.producer.routing.router import MAX_ROUTES_BYTES, ROUTES_SHARE

BUFFER = 4 << 20

#: Keys of 256 characters, apart from their last four: with one, one to two, and four bytes a character in UTF-8, a
#: single character that makes Python keep four bytes for each, and characters that JSON escapes.
LONG_KEYS = {
    "ascii": "k" * 252,
    "latin": "é" * 252,
    "emoji": "🚚" * 252,
    "mixed": "🚚" + "k" * 251,
    "escaped": "\x01" * 252,
}
KEYS = {"short": "TRUCK_", "uuid": "6f7c1f0e-8a54-4a1b-9d59-6a1d0c3f", **LONG_KEYS}


@pytest.fixture
def traced():
    """A function that returns the bytes that Python objects take now."""
    gc.collect()
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()


def unique_keys(start):
    number = 0
    while True:
        yield f"{start}{number:04}"
        number += 1


#: The first and the largest of them for the plain suite.
some_keys = pytest.mark.parametrize(
    "start",
    [
        pytest.param(start, marks=[] if name in {"short", "escaped"} else pytest.mark.slow)
        for name, start in KEYS.items()
    ],
    ids=KEYS,
)


@some_keys
def test_the_routes_of_any_number_of_keys_take_a_tenth_of_the_buffer(make_core, traced, start):
    core = make_core(buffer_bytes=BUFFER)
    before = traced()
    most = 0
    keys = unique_keys(start)
    for _ in range(5_000):
        core.route(next(keys), None)
        most = max(most, traced() - before)
    assert BUFFER * ROUTES_SHARE * 0.5 < most < BUFFER * ROUTES_SHARE


def test_a_large_buffer_does_not_remember_more_keys(make_core):
    core = make_core(buffer_bytes=16 << 30)
    assert core.routing_table._max_bytes == MAX_ROUTES_BYTES


def send_all(core, service, now):
    while core.budget.used_bytes:
        for request in core.requests_due(now):
            core.on_responses(request, service.respond(request), now)
        core.take_settled()
        now = core.next_wakeup(now)
    return now


@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"aggregate": True}, {"pacing": False}], ids=str)
def test_nothing_is_left_of_a_core_that_has_sent_its_records(make_core, options):
    """The garbage collector does not see outboxes, so it could not free a cycle with one."""
    core, service = make_core(4, **options), Service(even_shards(4))
    groups = [weakref.ref(group) for group in core._router.groups]
    for number in range(1_500):
        put(core, b"x", 0.0, f"TRUCK_{number % 10}")
    send_all(core, service, 0.0)
    del core
    gc.collect()
    assert [group() for group in groups] == [None] * len(groups)


@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"aggregate": True}], ids=str)
def test_outboxes_of_closed_shards_are_freed(make_core, options):
    def count_pacers():
        gc.collect()
        return sum(type(each) is ShardPacer for each in gc.get_objects())

    before = count_pacers()
    core = make_core(4, delivery_timeout=30.0, **options)
    now = 0.0
    for reshard in range(1, 11):
        for number in range(100):
            put(core, b"x", now, f"TRUCK_{number % 10}")
        service = Service(even_shards(4, first=reshard * 10))
        core.on_shards(service.shards.shards, now)
        now = send_all(core, service, now) + 30.0
    core.requests_due(now)
    assert count_pacers() - before <= 5, "four shards, and one for keys without a shard"


def test_a_known_key_is_one_entry_of_a_dict(make_core):
    """Looking it up calls nothing: `__missing__` runs for new keys only."""
    core = make_core(2)
    routed = core.routing_table["TRUCK_001"]
    assert dict(core.routing_table) == {"TRUCK_001": routed}
    assert core.routing_table["TRUCK_001"] is routed


@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"aggregate": True}], ids=["plain", "ordered", "aggregate"])
@some_keys
def test_a_full_buffer_of_records_with_keys_of_their_own_takes_its_budget_and_a_fifth(
    make_core, traced, start, options
):
    """The worst case: empty records, each with a key of its own that nobody else holds."""
    core = make_core(buffer_bytes=BUFFER, linger=50.0, delivery_timeout=100.0, **options)
    before = traced()
    held = []
    keys = unique_keys(start)
    while core.budget.free_bytes > MAX_OVERHEAD_BYTES + 2_000:
        held.append(reserve(core, b"", next(keys)))
        core.put(held[-1], 0.0)
    assert traced() - before - held.__sizeof__() < BUFFER * 1.2


@pytest.mark.parametrize("start", KEYS.values(), ids=KEYS)
def test_no_key_has_a_larger_overhead_than_the_largest(make_core, start):
    core = make_core()
    assert core.route(f"{start}0000", str(2**128 - 1)).overhead <= MAX_OVERHEAD_BYTES
    worst = "\x01" * 255 + "🚚"
    assert 2_700 < core.route(worst, str(2**128 - 1)).overhead <= MAX_OVERHEAD_BYTES


def test_a_short_key_costs_the_documented_overhead():
    assert overhead_of(9, 150) == 500


def test_the_budget_is_free_again_after_records_with_long_keys(make_core):
    core = make_core()
    for start in LONG_KEYS.values():
        core.put(reserve(core, b"a", f"{start}0000"), 0.0)
    assert core.budget.used_bytes > 5 * 500 + 5 * 1_000
    while core.abort():
        pass
    assert core.budget.used_bytes == 0
