"""Parsing pages of records: all that the service returns, and nothing lost where a response is malformed."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.reading.records_page import parse_records_page
from truckstream.kinesis.reading.shard_record import ChildShard, RecordsPage, ShardRecord
from truckstream.local.protocol import codec_json

RECORD = (
    b'{"SequenceNumber":"49","ApproximateArrivalTimestamp":1764431234.567,"Data":"YQ==","PartitionKey":"TRUCK_001"}'
)
STORED = ShardRecord(b"a", "TRUCK_001", "49", 1764431234.567, "shard")


def test_a_page():
    body = b'{"Records":[%b,%b],"NextShardIterator":"AAA=","MillisBehindLatest":12}' % (RECORD, RECORD)
    assert parse_records_page(body, "shard") == RecordsPage(
        records=[STORED, STORED], next_iterator="AAA=", millis_behind=12, size=len(body)
    )


@pytest.mark.parametrize("following", [b"", b',"NextShardIterator":null', b',"NextShardIterator":""'])
def test_the_end_of_a_closed_shard_names_its_children(following):
    child = (
        b'{"ShardId":"shardId-2","ParentShards":["shardId-0","shardId-1"],'
        b'"HashKeyRange":{"StartingHashKey":"5","EndingHashKey":"340282366920938463463374607431768211455"}}'
    )
    page = parse_records_page(b'{"Records":[],"ChildShards":[%b]%b}' % (child, following), "shard")
    assert page.next_iterator is None
    assert page.children == (
        ChildShard(
            shard_id="shardId-2",
            parent_ids=("shardId-0", "shardId-1"),
            starting_hash_key=5,
            ending_hash_key=2**128 - 1,
        ),
    )


def test_an_event_of_a_subscription():
    body = b'{"Records":[%b],"ContinuationSequenceNumber":"50","MillisBehindLatest":0}' % RECORD
    page = parse_records_page(body, "shard")
    assert (page.records, page.continuation, page.next_iterator) == ([STORED], "50", None)


@pytest.mark.parametrize("arrival", [b"1764431234", b"1764431234.0", b"1.764431234e9"])
def test_an_arrival_may_be_any_number_of_seconds(arrival):
    [record] = parse_records_page(b'{"Records":[%b]}' % RECORD.replace(b"1764431234.567", arrival), "s").records
    assert record.arrival == 1764431234.0


def test_a_record_need_not_have_a_partition_key_or_an_arrival():
    """A stream that distributes its records automatically needs no keys."""
    keyless = RECORD.replace(b',"PartitionKey":"TRUCK_001"', b"")
    bare = b'{"SequenceNumber":"50","Data":""}'
    records = parse_records_page(b'{"Records":[%b,%b,%b]}' % (RECORD, keyless, bare), "shard").records
    assert records == [
        STORED,
        ShardRecord(b"a", "", "49", 1764431234.567, "shard"),
        ShardRecord(b"", "", "50", 0.0, "shard"),
    ]


@pytest.mark.parametrize(
    "record",
    [
        RECORD[:-1] + b',"EncryptionType":"KMS"}',
        RECORD[:-1] + b',"EncryptionType":null}',
        RECORD[:-1] + b',"Novelty":{"PartitionKey":"{:\\"Records\\":[]}"}}',
        RECORD.replace(b'":', b'" : '),
    ],
)
def test_members_that_are_not_needed_are_ignored(record):
    assert parse_records_page(b'{"Records":[%b],"Novelty":[1,2]}' % record, "shard").records == [STORED]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `Records`"),
        (b'{"Records":null}', "Expected `array`, got `null`"),
        (b'{"Records":[%b' % RECORD, "truncated"),
        (b'{"Records":[{}]}', "missing required field"),
        (b'{"Records":[%b]}' % RECORD.replace(b'"SequenceNumber":"49",', b""), "missing .*`SequenceNumber`"),
        (b'{"Records":[%b]}' % RECORD.replace(b'"49"', b'""'), "Expected `str` of length >= 1"),
        (b'{"Records":[%b]}' % RECORD.replace(b'"49"', b"49"), "Expected `str`, got `int`"),
        (b'{"Records":[%b]}' % RECORD.replace(b'"Data":"YQ==",', b""), "missing required field `Data`"),
        (b'{"Records":[%b]}' % RECORD.replace(b"YQ==", b"YQ="), "Invalid base64"),
        (b'{"Records":[%b]}' % RECORD.replace(b"YQ==", b"Y!=="), "Invalid base64"),
        (b'{"Records":[%b]}' % RECORD.replace(b"1764431234.567", b"-1"), "Expected `float` >= 0"),
        (b'{"Records":[%b]}' % RECORD.replace(b"1764431234.567", b"1e300"), "Expected `float` < 2"),
        (b'{"Records":[%b]}' % RECORD.replace(b"TRUCK", b"\xff"), "can't decode byte 0xff"),
        (b'{"Records":[%b],"X":%b}' % (RECORD, b"[" * 100_000), "recursion"),
        (
            b'{"Records":[],"ChildShards":[{"ShardId":"a","ParentShards":[],"HashKeyRange":%b}]}'
            % b'{"StartingHashKey":"x","EndingHashKey":"1"}',
            "invalid literal for int",
        ),
    ],
)
def test_a_malformed_page_fails_with_an_excerpt(body, text):
    with pytest.raises(RequestFailedError, match=f"MalformedResponse: .*{text}") as caught:
        parse_records_page(body, "shard")
    assert caught.value.kind is FailureKind.AMBIGUOUS
    assert repr(body[:20].decode(errors="replace"))[:-1] in caught.value.message


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"Records":[%b],"Records":[]}' % RECORD, "Records"),
        (b'{"Records":[],"MillisBehindLatest":1,"Records":[%b]}' % RECORD, "Records"),
        (b'{"Records":[],"MillisBehindLatest":1,"MillisBehindLatest":2}', "MillisBehindLatest"),
        (b'{"Records":[],"NextShardIterator":"A","NextShardIterator":null}', "NextShardIterator"),
        (b'{"NextShardIterator":"A","Records":[],"NextShardIterator":null}', "NextShardIterator"),
        (b'{"NextShardIterator":"[:]","Records":[%b],"NextShardIterator":null}' % RECORD, "NextShardIterator"),
        (b'{"Records":[%b],"R\\u0065cords":[%b]}' % (RECORD, RECORD.replace(b"YQ==", b"Yg==")), "Records"),
        (b'{"Records":[%b],"Records":[%b]}' % (RECORD, RECORD.replace(b"49", b"50")), "Records"),
        (b'{"Records":[%b],"Records":[%b]}' % (RECORD.replace(b"TRUCK", b"}"), RECORD), "Records"),
        (b'{"ChildShards":[],"Records":[%b],"Records":[]}' % RECORD, "Records"),
    ],
)
def test_a_member_that_stands_twice_is_malformed(body, name):
    """A decoder keeps one of the two, and would lose the records of the other, or those that follow."""
    with pytest.raises(RequestFailedError, match=f"MalformedResponse: '{name}' stands twice"):
        parse_records_page(body, "shard")


@pytest.mark.parametrize("key", ["a:b", ":", '"Records":[', 'Type":"KMS"', "{}", "\\", "ключ\n"])
def test_a_partition_key_may_look_like_json(key):
    record = {"SequenceNumber": "49", "ApproximateArrivalTimestamp": 1.5, "Data": "YQ==", "PartitionKey": key}
    for ensure_ascii in (False, True):
        body = json.dumps({"Records": [record] * 3}, ensure_ascii=ensure_ascii).encode()
        assert [each.partition_key for each in parse_records_page(body, "shard").records] == [key] * 3


NUMBERS = st.integers(0, 10**56).map(str)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def described_records(draw):
    record = {
        "SequenceNumber": draw(NUMBERS),
        "ApproximateArrivalTimestamp": draw(st.floats(0, 4e9)),
        "Data": draw(st.binary(max_size=50)),
    }
    if draw(st.booleans()):
        record["PartitionKey"] = draw(TEXT)
    if draw(st.booleans()):
        record["EncryptionType"] = "KMS"
    return record


PAGES = st.fixed_dictionaries(
    {"Records": st.lists(described_records(), max_size=5), "MillisBehindLatest": st.integers(0, 10**9)},
    optional={
        "NextShardIterator": st.binary(min_size=1).map(lambda token: token.hex()),
        "ContinuationSequenceNumber": NUMBERS,
        "ChildShards": st.lists(
            st.fixed_dictionaries(
                {
                    "ShardId": TEXT,
                    "ParentShards": st.lists(TEXT, max_size=2),
                    "HashKeyRange": st.fixed_dictionaries({"StartingHashKey": NUMBERS, "EndingHashKey": NUMBERS}),
                }
            ),
            max_size=2,
        ),
    },
)


@given(PAGES)
def test_a_page_of_the_local_kinesis_parses_to_its_content(document):
    page = parse_records_page(codec_json.encode(document), "shard")
    assert page.records == [
        ShardRecord(
            record["Data"],
            record.get("PartitionKey", ""),
            record["SequenceNumber"],
            record["ApproximateArrivalTimestamp"],
            "shard",
        )
        for record in document["Records"]
    ]
    assert page.next_iterator == document.get("NextShardIterator")
    assert page.continuation == document.get("ContinuationSequenceNumber")
    assert page.millis_behind == document["MillisBehindLatest"]
    assert [child.shard_id for child in page.children] == [each["ShardId"] for each in document.get("ChildShards", [])]


@given(PAGES, st.data())
def test_any_bytes_are_a_page_or_malformed(document, data):
    body = bytearray(codec_json.encode(document))
    for position in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        body[position : position + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(RequestFailedError):
        page = parse_records_page(bytes(body), "shard")
        assert {record.shard_id for record in page.records} <= {"shard"}


@given(st.binary(max_size=200))
def test_no_bytes_raise_another_error(body):
    with pytest.raises(RequestFailedError):
        parse_records_page(b"\x00" + body, "shard")
