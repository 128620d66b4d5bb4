"""Many threads with one producer, against the local Kinesis with faults."""

import threading
from collections import Counter

import pytest

from truckstream.blocking import Producer
from truckstream.local import BlockingKinesis, Fault, FaultPlan

THREADS, RECORDS = 8, 60
FAULTS = FaultPlan(
    *(Fault("throttle", rate=0.2), Fault("reset-after", rate=0.1), Fault("error-before", rate=0.1)),
    seed=5,
)


@pytest.mark.usefixtures("fake_credentials")
@pytest.mark.parametrize("options", [{}, {"buffer_bytes": 30_000}, {"aggregate": True}, {"ordered": True}])
def test_each_record_of_each_thread_is_stored_and_acknowledged(options):
    with BlockingKinesis(stream="s", shards=3, faults=FAULTS) as kinesis:
        deliveries = []

        def put(thread):
            for number in range(RECORDS):
                deliveries.append(producer.put(f"{thread} {number}", f"key {thread}"))
                if number % 20 == 0:
                    deliveries[-1].result()

        with Producer("s", endpoint_url=kinesis.endpoint_url, region_name=kinesis.region_name, **options) as producer:
            putters = [threading.Thread(target=put, args=(thread,)) for thread in range(THREADS)]
            for each in putters:
                each.start()
            for each in putters:
                each.join()
            producer.flush()
            acks = {each.data: each.result() for each in deliveries}
            stats = producer.stats
        stored = kinesis.stored()
    expected = {b"%d %d" % (thread, number) for thread in range(THREADS) for number in range(RECORDS)}
    assert acks.keys() == expected
    assert stats.put == stats.acked == len(expected)
    if not options.get("aggregate"):
        copies = Counter(record.data for record in stored)
        assert copies.keys() == expected
        assert all(acks[data].maybe_duplicate for data, count in copies.items() if count > 1)
    if options.get("ordered"):
        first = list(dict.fromkeys(record.data for record in stored))
        for thread in range(THREADS):
            numbers = [int(data.split()[1]) for data in first if data.startswith(b"%d " % thread)]
            assert numbers == sorted(numbers)
