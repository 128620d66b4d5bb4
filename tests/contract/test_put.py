"""PutRecord and PutRecords."""

import pytest

from tests.contract.support import (
    LAST_HASH_KEY,
    MIDDLE,
    arn_of,
    put,
    read,
    rejected_with,
    shard_ids,
    split,
    summary,
    wait_active,
)

MIB = 1024 * 1024


def records(*keys, data=b"x"):
    return [{"Data": data, "PartitionKey": key} for key in keys]


def test_put_record_returns_shard_and_sequence_number(kinesis, stream):
    """PutRecord returns the shard ID of where the record was placed and the sequence number assigned to it."""
    name = stream()
    response = put(kinesis, name, b"hello")
    assert response["ShardId"] == "shardId-000000000000"
    assert response["SequenceNumber"].isdecimal()
    assert read(kinesis, name, response["ShardId"]) == [b"hello"]


def test_put_record_accepts_an_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    arn = arn_of(kinesis, name)
    kinesis.put_record(StreamARN=arn, Data=b"1", PartitionKey="k")
    kinesis.put_record(StreamARN=arn, StreamName=name, Data=b"2", PartitionKey="k")
    assert read(kinesis, name, "shardId-000000000000") == [b"1", b"2"]


def test_partition_keys_are_mapped_by_md5(kinesis, stream):
    """An MD5 hash function maps partition keys to 128-bit integers: that of "a" is 0cc1..., that of "b" is 92eb..."""
    name = stream(2)
    low, high = shard_ids(kinesis, name)
    assert put(kinesis, name, key="a")["ShardId"] == low
    assert put(kinesis, name, key="b")["ShardId"] == high


def test_an_explicit_hash_key_overrides_the_partition_key(kinesis, stream):
    """ExplicitHashKey determines the shard by overriding the partition key hash."""
    name = stream(2)
    low, high = shard_ids(kinesis, name)
    assert put(kinesis, name, key="a", ExplicitHashKey=MIDDLE)["ShardId"] == high
    assert put(kinesis, name, key="b", ExplicitHashKey="0")["ShardId"] == low


def test_the_last_hash_key_is_in_the_last_shard(kinesis, stream):
    """Hash keys are 128-bit integers, so that 2^128 - 1 is the largest."""
    name = stream()
    assert put(kinesis, name, ExplicitHashKey=LAST_HASH_KEY)["ShardId"] == "shardId-000000000000"


@pytest.mark.parametrize("hash_key", ["-1", "01", "abc", "1.5"])
def test_an_explicit_hash_key_is_a_decimal_number(kinesis, stream, hash_key):
    r"""HashKey has the pattern 0|([1-9]\\d{0,38})."""
    name = stream()
    with rejected_with("ValidationException"):
        put(kinesis, name, ExplicitHashKey=hash_key)


def test_an_explicit_hash_key_of_129_bits_is_rejected(kinesis, stream):
    """Hash keys are 128-bit integers: 2^128 matches the pattern of HashKey, but is too large."""
    name = stream()
    with rejected_with("InvalidArgumentException"):
        put(kinesis, name, ExplicitHashKey=str(2**128))


def test_put_records_rejects_an_invalid_explicit_hash_key(kinesis, stream):
    r"""HashKey has the pattern 0|([1-9]\\d{0,38})."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.put_records(StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "x"}])


def test_put_records_rejects_an_explicit_hash_key_of_129_bits(kinesis, stream):
    """Hash keys are 128-bit integers: 2^128 matches the pattern of HashKey, but is too large."""
    name = stream()
    with rejected_with("InvalidArgumentException"):
        kinesis.put_records(
            StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(2**128)}]
        )


def test_a_partition_key_may_have_256_characters(kinesis, stream):
    """Partition keys are Unicode strings of up to 256 characters, which may have more bytes."""
    name = stream()
    key = "\N{LATIN SMALL LETTER E WITH ACUTE}" * 256
    put(kinesis, name, key=key)
    kinesis.put_records(StreamName=name, Records=records(key))
    assert len(read(kinesis, name, "shardId-000000000000")) == 2


@pytest.mark.parametrize("length", [0, 257])
def test_put_record_rejects_a_partition_key_of_this_length(kinesis, stream, length):
    """PartitionKey has from 1 to 256 characters."""
    name = stream()
    with rejected_with("ValidationException"):
        put(kinesis, name, key="k" * length)


@pytest.mark.parametrize("length", [0, 257])
def test_put_records_rejects_a_partition_key_of_this_length(kinesis, stream, length):
    """PartitionKey has from 1 to 256 characters; one invalid record fails the request before any is stored."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.put_records(StreamName=name, Records=records("good", "k" * length))


def test_put_record_needs_a_key(kinesis, stream):
    """With the USER_PARTITION_KEY strategy, the default, a partition key is required."""
    name = stream()
    with rejected_with("ValidationException", "InvalidArgumentException"):
        kinesis.put_record(StreamName=name, Data=b"x")


def test_put_records_needs_a_key(kinesis, stream):
    """With the USER_PARTITION_KEY strategy, the default, a partition key is required for each record."""
    name = stream()
    with rejected_with("ValidationException", "InvalidArgumentException"):
        kinesis.put_records(StreamName=name, Records=[{"Data": b"x"}])


def test_put_record_needs_data(kinesis, stream):
    """Data is required."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.put_record(StreamName=name, PartitionKey="k")


def test_data_may_be_empty(kinesis, stream):
    """Data has a minimum length of 0."""
    name = stream()
    put(kinesis, name, b"")
    assert read(kinesis, name, "shardId-000000000000") == [b""]


def test_data_may_be_any_bytes(kinesis, stream):
    """The data blob can be any type of data."""
    name = stream()
    every_byte = bytes(range(256))
    put(kinesis, name, every_byte)
    assert read(kinesis, name, "shardId-000000000000") == [every_byte]


def test_a_record_may_have_1_mib_with_its_key(kinesis, stream):
    """A stream's largest record is 1,024 KiB by default, data and partition key together."""
    name = stream()
    put(kinesis, name, b"x" * (MIB - 1), "k")
    kinesis.put_records(StreamName=name, Records=records("k", data=b"x" * (MIB - 1)))
    assert [len(data) for data in read(kinesis, name, "shardId-000000000000")] == [MIB - 1, MIB - 1]


def test_put_record_rejects_1_mib_plus_1_byte(kinesis, stream):
    """When data and partition key are added, the total must not exceed the stream's maximum record size."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        put(kinesis, name, b"x" * (MIB + 1), "k")


def test_put_record_includes_the_partition_key_in_the_size(kinesis, stream):
    """The record size limit applies to the total size of the partition key and data blob."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        put(kinesis, name, b"x" * MIB, "k")


def test_put_records_rejects_1_mib_plus_1_byte(kinesis, stream):
    """A record's ErrorCode is a throttle or an internal failure; a record that is too large fails the whole request."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.put_records(StreamName=name, Records=[*records("k"), *records("k", data=b"x" * (MIB + 1))])


def test_put_records_includes_the_partition_key_in_the_size(kinesis, stream):
    """The record size limit applies to the total size of the partition key and data blob."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.put_records(StreamName=name, Records=records("k", data=b"x" * MIB))


def test_put_record_rejects_10_mib_plus_1_byte(kinesis, stream):
    """Data has a maximum length of 10,485,760."""
    name = stream()
    with rejected_with("ValidationException", "InvalidArgumentException"):
        put(kinesis, name, b"x" * (10 * MIB + 1), "k")


def test_put_records_accepts_10_mib(kinesis, stream):
    """A request may have up to 10 MiB, including partition keys."""
    name = stream()
    response = kinesis.put_records(StreamName=name, Records=records(*"0123456789", data=b"x" * (MIB - 1)))
    assert response["FailedRecordCount"] == 0


def test_put_records_rejects_more_than_10_mib(kinesis, stream):
    """A request may have up to 10 MiB, including partition keys."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.put_records(StreamName=name, Records=records(*"0123456789a", data=b"x" * (MIB - 1)))


def test_put_records_responds_in_the_order_of_the_request(kinesis, stream):
    """Each record in the response array correlates with a record in the request array, from top to bottom."""
    name = stream(2)
    low, high = shard_ids(kinesis, name)
    response = kinesis.put_records(StreamName=name, Records=records("b", "a", "b"))
    assert response["FailedRecordCount"] == 0
    assert [record["ShardId"] for record in response["Records"]] == [high, low, high]
    assert len({record["SequenceNumber"] for record in response["Records"]}) == 3


def test_put_records_accepts_an_explicit_hash_key(kinesis, stream):
    """Each record may include an ExplicitHashKey, which overrides the partition key to shard mapping."""
    name = stream(2)
    low, high = shard_ids(kinesis, name)
    response = kinesis.put_records(
        StreamName=name,
        Records=[
            {"Data": b"1", "PartitionKey": "k", "ExplicitHashKey": MIDDLE},
            {"Data": b"2", "PartitionKey": "k", "ExplicitHashKey": "0"},
        ],
    )
    assert [record["ShardId"] for record in response["Records"]] == [high, low]


def test_put_records_accepts_an_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    kinesis.put_records(StreamARN=arn_of(kinesis, name), Records=records("k"))
    assert read(kinesis, name, "shardId-000000000000") == [b"x"]


def test_put_records_accepts_500_records(kinesis, stream):
    """Each PutRecords request can support up to 500 records."""
    name = stream()
    response = kinesis.put_records(StreamName=name, Records=records(*["k"] * 500))
    assert len(response["Records"]) == 500


def test_put_records_rejects_501_records(kinesis, stream):
    """PutRecordsRequestEntryList has a maximum of 500 members."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.put_records(StreamName=name, Records=records(*["k"] * 501))


def test_put_records_rejects_0_records(kinesis, stream):
    """PutRecordsRequestEntryList has a minimum of 1 member."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.put_records(StreamName=name, Records=[])


def test_put_records_needs_records(kinesis, stream):
    """Records is required."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.put_records(StreamName=name)


def test_sequence_numbers_increase_within_a_shard(kinesis, stream):
    """Sequence numbers increase over time and are specific to a shard."""
    name = stream()
    first = put(kinesis, name)["SequenceNumber"]
    second = put(kinesis, name, SequenceNumberForOrdering=first)["SequenceNumber"]
    third = kinesis.put_records(StreamName=name, Records=records("k"))["Records"][0]["SequenceNumber"]
    assert int(first) < int(second) < int(third)


def test_sequence_numbers_are_unique_in_the_stream(kinesis, stream):
    """The sequence number for the record is unique across all records in the stream."""
    name = stream(2)
    responses = [put(kinesis, name, key=key)["SequenceNumber"] for key in "abab"]
    assert len(set(responses)) == 4


def test_a_sequence_number_for_ordering_is_a_number(kinesis, stream):
    r"""SequenceNumber has the pattern 0|([1-9]\\d{0,128})."""
    name = stream()
    with rejected_with("ValidationException"):
        put(kinesis, name, SequenceNumberForOrdering="first")


def test_a_record_without_encryption_has_type_none(kinesis, stream):
    """EncryptionType, if it is returned, is NONE or KMS."""
    name = stream()
    assert put(kinesis, name).get("EncryptionType", "NONE") == "NONE"


def test_a_dry_run_of_put_record_stores_nothing(kinesis, stream):
    """DryRun checks if the request will succeed: DryRunOperationException, rejected because DryRun was specified."""
    name = stream()
    with rejected_with("DryRunOperationException"):
        put(kinesis, name, DryRun=True)
    assert read(kinesis, name, "shardId-000000000000") == []


def test_a_dry_run_of_put_records_stores_nothing(kinesis, stream):
    """DryRun checks if the request will succeed: DryRunOperationException, rejected because DryRun was specified."""
    name = stream()
    with rejected_with("DryRunOperationException"):
        kinesis.put_records(StreamName=name, Records=records("k"), DryRun=True)
    assert read(kinesis, name, "shardId-000000000000") == []


def test_records_go_to_the_children_after_a_split(kinesis, stream):
    """After a split the two children receive the records with the hash keys of their parent."""
    name = stream()
    split(kinesis, name, "shardId-000000000000")
    assert {put(kinesis, name, key=key)["ShardId"] for key in "ab"} == {"shardId-000000000001", "shardId-000000000002"}


def test_the_maximum_record_size_can_be_raised(kinesis, stream):
    """UpdateMaxRecordSize allows single records of up to 10,240 KiB."""
    name = stream()
    kinesis.update_max_record_size(StreamARN=arn_of(kinesis, name), MaxRecordSizeInKiB=2048)
    wait_active(kinesis, name)
    assert summary(kinesis, name)["MaxRecordSizeInKiB"] == 2048
    put(kinesis, name, b"x" * (2 * MIB - 1), "k")
    with rejected_with("InvalidArgumentException", "ValidationException"):
        put(kinesis, name, b"x" * (2 * MIB), "k")
    assert [len(data) for data in read(kinesis, name, "shardId-000000000000")] == [2 * MIB - 1]
