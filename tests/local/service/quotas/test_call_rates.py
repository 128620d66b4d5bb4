"""The call rates of operations, the scale of quotas, and both in the stats. Times are seconds after the start."""

import math

import pytest
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.support import ARN, T0, Api
from truckstream.errors import InvalidArgumentError
from truckstream.local import LocalKinesis, RefusedError
from truckstream.local.kinesis_stats import read_stats
from truckstream.local.service.quotas.call_rates import RATES

QUICK = settings(max_examples=60)
SHARD = "shardId-000000000000"


def passed(api, at, operation, tries, **members):
    """Return how many of the calls pass, and the distinct errors of the others."""
    errors = []
    for _ in range(tries):
        try:
            api(at, operation, **members)
        except RefusedError as error:
            errors.append(str(error))
    return tries - len(errors), set(errors)


def test_every_operation_with_a_rate_documents_a_throttling_error():
    model = get_session().get_service_model("kinesis")
    for operation in RATES:
        errors = {shape.name for shape in model.operation_model(operation).error_shapes}
        assert errors & {"LimitExceededException", "ProvisionedThroughputExceededException"}, operation


@pytest.mark.parametrize(("operation", "rate"), [("DescribeStream", 10), ("DescribeStreamSummary", 20)])
def test_an_operation_has_a_rate_of_calls_a_second(operation, rate):
    api = Api()
    text = "Rate exceeded for stream s under account 000000000000."
    assert passed(api, 0, operation, rate + 5, StreamName="s") == (rate, {f"LimitExceededException: {text}"})
    assert passed(api, 0.5, operation, rate, StreamName="s")[0] == rate // 2
    assert passed(api, 60, operation, rate + 5, StreamName="s")[0] == rate


def test_the_error_of_an_operation_without_a_stream_names_the_account():
    text = "LimitExceededException: Rate exceeded for account 000000000000."
    assert passed(Api(), 0, "ListStreams", 6) == (5, {text})


def test_the_rate_of_list_shards_applies_to_each_stream():
    api = Api()
    api(0, "CreateStream", StreamName="t", ShardCount=1)
    assert passed(api, 0, "ListShards", 1_001, StreamName="s")[0] == 1_000
    assert passed(api, 0, "ListShards", 1, StreamARN=ARN)[0] == 0
    assert passed(api, 0, "ListShards", 1, StreamName="t")[0] == 1


def test_the_rate_of_get_shard_iterator_applies_to_each_shard():
    api = Api(2)
    members = {"StreamName": "s", "ShardIteratorType": "LATEST"}
    text = f"Rate exceeded for shard {SHARD} in stream s under account 000000000000."
    errors = {f"ProvisionedThroughputExceededException: {text}"}
    assert passed(api, 0, "GetShardIterator", 6, ShardId=SHARD, **members) == (5, errors)
    assert passed(api, 0, "GetShardIterator", 1, ShardId="shardId-000000000001", **members)[0] == 1


def test_a_request_for_an_unknown_stream_counts_towards_the_rate():
    api = Api()
    assert passed(api, 0, "DescribeStream", 10, StreamName="unknown")[0] == 0
    assert passed(api, 0, "DescribeStream", 1, StreamName="s")[0] == 0


def test_a_request_that_violates_a_constraint_does_not_count_towards_the_rate():
    api = Api()
    assert passed(api, 0, "DescribeStream", 10, StreamName="s", Limit=0)[0] == 0
    assert passed(api, 0, "DescribeStream", 10, StreamName="s")[0] == 10


def test_a_scale_multiplies_every_quota():
    api = Api(quota_scale=0.1)
    assert api.put(0, 200) == 100
    assert passed(api, 0, "DescribeStreamSummary", 3, StreamName="s")[0] == 2
    assert len(api.read(0)["Records"]) == 100
    with pytest.raises(RefusedError, match="Rate exceeded for shard"):
        api.read(1.9)
    assert api.read(2.1)["Records"]


def test_without_quotas_no_call_is_throttled():
    api = Api(limited=False)
    assert passed(api, 0, "DescribeLimits", 100)[0] == 100
    stats = read_stats(api.service, "s", T0, {})
    assert (stats.calls_left, stats.shards[SHARD].quota_left) == ({}, None)


def test_buckets_that_are_full_again_are_deleted(monkeypatch):
    monkeypatch.setattr("truckstream.local.service.quotas.call_rates._BUCKETS", 10)
    api = Api()
    for number in range(10):
        passed(api, 0, "ListShards", 1, StreamName=f"unknown-{number}")
    passed(api, 10, "ListShards", 1, StreamName="s")
    assert list(read_stats(api.service, "s", T0 + 10, {}).calls_left) == ["ListShards s"]


def test_the_stats_have_the_remaining_quotas_and_the_throttled_calls():
    api = Api()
    passed(api, 0, "DescribeStream", 12, StreamName="s")
    api.put(0, 400, size=1_000)
    api.read(0)
    stats = read_stats(api.service, "s", T0, {})
    assert stats.calls_throttled == {"DescribeStream": 2}
    assert stats.calls_left["DescribeStream"] == 0
    assert stats.calls_left[f"GetShardIterator s {SHARD}"] == 4
    left = stats.shards[SHARD].quota_left
    assert (left.write_records, left.write_bytes) == (600, 2**20 - 400_000)
    assert (left.read_calls, left.read_bytes) == (4, 2**21 - 400_000)


def test_throttled_reads_are_counted():
    api = Api()
    iterator = api.iterator(0)
    assert passed(api, 0, "GetRecords", 8, ShardIterator=iterator)[0] == 5
    assert read_stats(api.service, "s", T0, {}).shards[SHARD].reads_throttled == 3


@QUICK
@given(st.lists(st.floats(0, 0.5), max_size=80), st.sampled_from([0.5, 1.0, 3.0]))
def test_no_window_has_more_calls_than_its_rate_and_one_burst(pauses, scale):
    api = Api(quota_scale=scale)
    now, accepted = 0.0, []
    for pause in pauses:
        now += pause
        accepted += [now] * passed(api, now, "DescribeStream", 1, StreamName="s")[0]
    rate = 10 * scale
    for index, start in enumerate(accepted):
        for count, end in enumerate(accepted[index:], 1):
            assert count <= rate * (1 + end - start) + 1e-6


@pytest.mark.parametrize("quotas", [0, -1.0, math.inf, math.nan])
def test_a_scale_is_a_positive_number(quotas):
    with pytest.raises(InvalidArgumentError, match="quotas"):
        LocalKinesis(quotas=quotas)
