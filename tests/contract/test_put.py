"""PutRecord and PutRecords, by their pages of the API reference."""

from tests.contract.support import LAST_HASH_KEY, MIDDLE, put, read, refused, shard_ids


def test_put_record_says_where_it_was_stored(kinesis, stream):
    """PutRecord returns the shard ID of where the record was placed and the sequence number assigned to it."""
    name = stream()
    answer = put(kinesis, name, b"hello")
    assert answer["ShardId"] == "shardId-000000000000"
    assert answer["SequenceNumber"].isdecimal()
    assert read(kinesis, name, answer["ShardId"]) == [b"hello"]


def test_put_records_answers_in_the_order_of_the_request(kinesis, stream):
    """Each record in the response array correlates with a record in the request array, from top to bottom."""
    name = stream(2)
    low, high = shard_ids(kinesis, name)
    answer = kinesis.put_records(
        StreamName=name,
        Records=[
            {"Data": b"1", "PartitionKey": "k", "ExplicitHashKey": MIDDLE},
            {"Data": b"2", "PartitionKey": "k", "ExplicitHashKey": "0"},
            {"Data": b"3", "PartitionKey": "k", "ExplicitHashKey": LAST_HASH_KEY},
        ],
    )
    assert answer["FailedRecordCount"] == 0
    assert [record["ShardId"] for record in answer["Records"]] == [high, low, high]


def test_put_records_takes_500(kinesis, stream):
    """Each PutRecords request can support up to 500 records."""
    name = stream()
    answer = kinesis.put_records(StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k"}] * 500)
    assert len(answer["Records"]) == 500


def test_put_records_refuses_501(kinesis, stream):
    """PutRecordsRequestEntryList has a maximum of 500 members."""
    name = stream()
    with refused("ValidationException"):
        kinesis.put_records(StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k"}] * 501)


def test_put_records_refuses_0(kinesis, stream):
    """PutRecordsRequestEntryList has a minimum of 1 member."""
    name = stream()
    with refused("ValidationException"):
        kinesis.put_records(StreamName=name, Records=[])
