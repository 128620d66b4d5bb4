"""A service that fails records one by one with InternalFailure gets few requests, and every record its outcome."""

import heapq
from random import Random

import pytest

from tests.producer.support import Service, even_shards, failed_inside, put


def run(core, part, *, seconds, rate=100, seed=1):
    """Put `rate` records a second, of which the service fails a `part`. Return the requests and sends a second."""
    dice, service, responses, now, ties = Random(seed), Service(even_shards(1)), [], 0.0, 0
    requests = sends = 0
    while now < seconds:
        put(core, b"x", now, f"TRUCK_{requests % 50:03}")
        now += 1 / rate
        while responses and responses[0][0] <= now:
            at, _, request = heapq.heappop(responses)
            answers = [failed_inside() if dice.random() < part else service.store(each) for each in request.parcels]
            core.on_responses(request, answers, at)
            core.take_settled()
        for request in core.requests_due(now):
            requests += 1
            sends += len(request.parcels)
            ties += 1
            heapq.heappush(responses, (now + 0.02, ties, request))
    return requests / seconds, sends / seconds


@pytest.mark.parametrize("seed", range(3))
def test_while_every_record_fails_there_are_few_requests(make_core, seed):
    core = make_core(delivery_timeout=30.0)
    requests, sends = run(core, 1.0, seconds=60.0, seed=seed)
    assert requests < 5
    assert sends < 200
    assert core.stats(60.0).acked == 0
    assert core.stats(60.0).failed > 2_000, "older ones are past their deadline"


@pytest.mark.parametrize("seed", range(3))
def test_while_half_of_the_records_fail_all_are_delivered_in_as_many_requests_as_usual(make_core, seed):
    core = make_core(delivery_timeout=30.0)
    requests, sends = run(core, 0.5, seconds=60.0, seed=seed)
    assert requests < 25
    assert 180 < sends < 220
    stats = core.stats(60.0)
    assert stats.failed == 0
    assert stats.acked > 5_800


def test_a_service_that_stores_one_record_in_ten_is_not_sent_ten_times_as_many(make_core):
    core = make_core(delivery_timeout=120.0)
    _, sends = run(core, 0.9, seconds=120.0)
    assert sends < 100 + 100 + 40, "the new records, the free retries, and those that stored records paid for"
