"""A shard that does not throttle is never sent more than its quota, whatever the sizes and times of the records."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.producer.support import Service, even_shards, put
from truckstream.kinesis.limits import MIB, SHARD_BYTES_PER_SECOND, SHARD_RECORDS_PER_SECOND
from truckstream.producer.core import ProducerCore
from truckstream.producer.options import ProducerOptions
from truckstream.producer.pacing.token_bucket import TokenBucket

SHARDS = 2
BUFFER = 16 * MIB
KEYS = [f"TRUCK_{number:03}" for number in range(4)]


class Quota:
    """The service's buckets for one shard, which hold a second of its quota."""

    def __init__(self):
        self.records = TokenBucket(SHARD_RECORDS_PER_SECOND, SHARD_RECORDS_PER_SECOND, 0.0)
        self.bytes = TokenBucket(SHARD_BYTES_PER_SECOND, SHARD_BYTES_PER_SECOND, 0.0)

    def take(self, size, now):
        self.records.take(1, now)
        self.bytes.take(size, now)
        assert self.records.level(now) > -0.01
        assert self.bytes.level(now) > -1.0


def check_quotas(core, dice, sizes, seconds):
    service, quotas, in_flight, now = Service(even_shards(SHARDS)), {}, [], 0.0
    while now < seconds:
        if dice.random() < 0.3:
            size = dice.choice(sizes)
            for _ in range(dice.choice([1, 5, 300]) if max(sizes) < 1_000 else 1):
                if core.budget.used_bytes + size < BUFFER - 1_000:
                    put(core, bytes(size), now, dice.choice(KEYS))
        for request in core.requests_due(now):
            in_flight.append(request)
            for parcel in request.parcels:
                quotas.setdefault(parcel.outbox, Quota()).take(parcel.size, now)
        while in_flight and dice.random() < 0.5:
            request = in_flight.pop(dice.randrange(len(in_flight)))
            core.on_responses(request, [service.store(parcel) for parcel in request.parcels], now)
        core.take_settled()
        wakeup = core.next_wakeup(now)
        sleeps = wakeup is None or dice.random() < 0.7
        now = now + dice.choice([0.001, 0.02, 0.2, 1.0]) if sleeps else max(now, wakeup)


@pytest.mark.parametrize("options", [{}, {"aggregate": True}, {"ordered": True}], ids=str)
@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32),
    sizes=st.sampled_from([[1, 100], [1, 40_000, MIB - len(KEYS[0])]]),
    linger=st.sampled_from([0.0, 0.1]),
)
def test_no_shard_is_sent_more_than_its_quota(options, seed, sizes, linger):
    core = ProducerCore(
        ProducerOptions(buffer_bytes=BUFFER, linger=linger, delivery_timeout=60.0, max_in_flight=4, **options),
        Random(seed),
    )
    core.on_shards(even_shards(SHARDS), 0.0)
    check_quotas(core, Random(seed), sizes, seconds=20.0)
