"""The producer's core while the service is slow or a connection stalls: few duplicates, and no waiting for nothing."""

import functools
from random import Random

from tests.producer.support import Service, even_shards, put
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.producer.queueing.shard_group import OVERTAKEN_SECONDS


def run(core, *, seconds, delay, timeout, feed):
    """Respond to each request after `delay(number)` seconds, or time it out. Return the most that were in flight."""
    service, in_flight, now, most, sent = Service(even_shards(1)), [], 0.0, 0, 0
    while now < seconds or core.budget.used_bytes:
        if now < seconds:
            feed(now)
        for request in core.requests_due(now):
            takes = delay(sent)
            sent += 1
            action = functools.partial(core.on_responses, request, service.respond(request))
            if takes > timeout:
                failure = RequestFailedError(FailureKind.AMBIGUOUS, "ReadTimeout", "")
                action = functools.partial(core.on_failure, request, failure)
            in_flight.append((now + min(takes, timeout), action))
        most = max(most, len(in_flight))
        now += 0.05
        for at, action in [item for item in in_flight if item[0] <= now]:
            action(at)
        in_flight = [item for item in in_flight if item[0] > now]
    return most, sent, service


def test_timeouts_of_a_slow_server_do_not_become_a_storm_of_retries(make_core):
    """For a minute it responds after 12 s, and requests time out after 10, at 1,000 records a second."""
    core = make_core(max_in_flight=50, delivery_timeout=300.0)
    clock = [0.0]

    def feed(now):
        clock[0] = now
        for _ in range(50):
            put(core, b"x", now)

    _, sent, service = run(core, seconds=90.0, delay=lambda _: 12.0 if clock[0] < 60 else 0.02, timeout=10.0, feed=feed)
    assert core.stats(0.0).failed == 0
    copies = len(service.stored) / core.stats(0.0).acked
    assert copies < 1.2, "each timeout was stored and sent again"
    assert sent < 1_000


def test_a_stalled_connection_does_not_stall_the_others(make_core):
    """One request of the first ten never gets a response."""
    core, feeding = make_core(), Random(1)

    def feed(now):
        for _ in range(45):
            put(core, b"x", now, key=f"TRUCK_{feeding.randrange(100):03}")

    late = []
    requests_due = core.requests_due

    def watch(now):
        late.append(core.stats(now).buffered)
        return requests_due(now)

    core.requests_due = watch
    run(core, seconds=9.0, delay=lambda number: 100.0 if number == 5 else 0.02, timeout=10.0, feed=feed)
    waited = 900 * OVERTAKEN_SECONDS
    assert max(late) <= waited, "records waited for longer than order needs, although nine of ten connections were free"
