"""The quotas of a shard for writes and reads. Times are seconds after the start."""

from tests.local.support import T0, Api, error_text


def test_a_shard_accepts_1000_records_a_second():
    api = Api()
    assert [api.put(0, 500), api.put(0, 500), api.put(0, 500)] == [500, 500, 0]
    assert api.put(0.25, 500) == 250
    assert [api.put(10, 500) for _ in range(3)] == [500, 500, 0]


def test_a_shard_accepts_1_mib_a_second_of_data_and_keys():
    api = Api()
    assert api.put(0, 20, size=100_000) == 10  # 1,048,576 bytes
    assert api.put(0.5, 20, size=100_000) == 5
    assert api.put(0.5, 1, size=80_000) == 0
    stats = api.service.shard_stats("s", T0)["shardId-000000000000"]
    assert (stats.records_in, stats.bytes_in, stats.records_throttled) == (15, 1_500_000, 26)


def test_a_throttled_record_is_named_and_a_later_smaller_one_is_stored():
    api = Api()
    sizes = (600_000, 600_000, 400_000)
    records = [{"Data": bytes(size), "PartitionKey": "k"} for size in sizes]
    response = api(0, "PutRecords", StreamName="s", Records=records)
    text = "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."
    assert [record.get("ErrorMessage") for record in response["Records"]] == [None, text, None]
    assert error_text(api, 0, "PutRecord", StreamName="s", Data=bytes(600_000), PartitionKey="k") == (
        f"ProvisionedThroughputExceededException: {text}"
    )


def test_a_record_over_the_quota_of_a_second_needs_a_full_bucket_and_leaves_a_debt():
    api = Api(shards=0)
    api(0, "CreateStream", StreamName="s", ShardCount=1, MaxRecordSizeInKiB=10_240)
    assert api.put(0, size=3 * 2**20) == 1
    assert [api.put(at, size=1_000) for at in (0.5, 1.9)] == [0, 0]
    assert api.put(2.1, size=1_000) == 1
    assert api.put(2.9, size=3 * 2**20) == 0


def test_a_shard_is_read_five_times_a_second():
    api = Api()
    iterator = api.iterator(0)
    for _ in range(5):
        api(0, "GetRecords", ShardIterator=iterator)
    assert error_text(api, 0.1, "GetRecords", ShardIterator=iterator).startswith(
        "ProvisionedThroughputExceededException"
    )
    api(0.2, "GetRecords", ShardIterator=iterator)


def test_after_10_mib_a_shard_is_not_read_for_five_seconds():
    """The API reference of GetRecords documents this rule."""
    api = Api()
    for second in range(11):
        api.put(second, size=2**20)
    response = api.read(20)
    assert len(response["Records"]) == 10
    for at in (20.1, 24.9):
        assert error_text(api, at, "GetRecords", ShardIterator=response["NextShardIterator"]).startswith("Provisioned")
    assert len(api(25.1, "GetRecords", ShardIterator=response["NextShardIterator"])["Records"]) == 1


def test_without_quotas_nothing_is_throttled():
    api = Api(limited=False)
    assert sum(api.put(0, 500, size=20_000) for _ in range(10)) == 5_000
