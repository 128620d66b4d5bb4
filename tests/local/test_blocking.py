"""The local Kinesis for code that does not await."""

import threading

import pytest

from truckstream.errors import InvalidArgumentError, UsageError
from truckstream.local import BlockingKinesis, EndpointError, Fault, RefusedError


def test_its_methods_work_and_its_thread_ends():
    before = threading.active_count()
    with BlockingKinesis(stream="s", shards=2) as kinesis:
        kinesis.call("PutRecord", StreamName="s", Data=b"x", PartitionKey="k")
        kinesis.inject(Fault("stall", after=60.0))
        kinesis.clear_faults()
        assert [record.data for record in kinesis.stored()] == [b"x"]
        assert kinesis.stats().records_in == 1
        assert repr(kinesis).startswith("<BlockingKinesis s, 2 shards at the start, http://127.0.0.1:")
        with pytest.raises(RefusedError, match="ResourceNotFoundException"):
            kinesis.call("DescribeStream", StreamName="x")
        with pytest.raises(UsageError, match="runs in real time"):
            kinesis.advance(1)
    assert threading.active_count() == before


def test_an_error_at_the_start_is_raised():
    with BlockingKinesis() as first:
        port = int(first.endpoint_url.rpartition(":")[2])
        with pytest.raises(EndpointError, match=f"cannot listen on 127.0.0.1 port {port}"):
            BlockingKinesis(port=port).__enter__()
    with pytest.raises(InvalidArgumentError, match="shards is 0"):
        BlockingKinesis(shards=0)


def test_outside_its_context_it_raises_an_error():
    kinesis = BlockingKinesis()
    with pytest.raises(UsageError, match="not open"):
        kinesis.stats()
    with kinesis:
        pass
    with pytest.raises(UsageError, match="not open"):
        kinesis.stats()
