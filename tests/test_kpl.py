"""Aggregates: by their bytes, by property, and beside the two libraries of AWS."""

import base64
import json
import subprocess
from hashlib import md5

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator, messages_pb2
from aws_kinesis_agg.deaggregator import deaggregate_records
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strangers.installed import npm_with, or_skipped, tool
from truckstream.errors import BrokenAggregateError, InvalidArgumentError
from truckstream.kpl import MAGIC, REASONS, Aggregate, UserRecord, decode, is_aggregate

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
hash_keys = st.none() | st.integers(0, 2**128 - 1).map(str)
records = st.lists(st.builds(UserRecord, keys, hash_keys, st.binary(max_size=200)), min_size=1, max_size=30)


def aggregate(given_records):
    made = Aggregate()
    for record in given_records:
        assert made.add(record.data, record.partition_key, record.explicit_hash_key)
    return made


def sealed(message):
    """A message between a right magic number and a right MD5."""
    return MAGIC + message + md5(message).digest()


def reason_of(data):
    with pytest.raises(BrokenAggregateError) as caught:
        decode(data)
    assert caught.value.reason in REASONS
    return caught.value.reason


# --- By its bytes -------------------------------------------------------------------------------


def test_the_bytes_of_an_aggregate():
    made = aggregate([UserRecord("T1", None, b"abc"), UserRecord("T2", "7", b""), UserRecord("T1", None, b"d" * 200)])
    assert made.encode()[4:-16] == (
        b"\x0a\x02T1\x0a\x02T2"
        b"\x12\x017"
        b"\x1a\x07\x08\x00\x1a\x03abc"
        b"\x1a\x06\x08\x01\x10\x00\x1a\x00"
        b"\x1a\xcd\x01\x08\x00\x1a\xc8\x01" + b"d" * 200
    )


def test_the_first_records_keys_are_the_aggregates():
    made = aggregate([UserRecord("T1", "5", b"a"), UserRecord("T2", None, b"b")])
    assert (made.partition_key, made.explicit_hash_key) == ("T1", "5")
    assert repr(made) == f"<Aggregate of 2 records, {made.size} bytes>"


def test_an_empty_aggregate_cannot_be_encoded():
    empty = Aggregate()
    for use in (empty.encode, lambda: empty.partition_key, lambda: empty.explicit_hash_key):
        with pytest.raises(InvalidArgumentError, match="at least one record"):
            use()


def test_a_key_that_utf_8_cannot_encode_is_rejected_and_changes_nothing():
    made = Aggregate()
    for bad in (("\ud800", None), ("T1", "\ud800")):
        with pytest.raises(InvalidArgumentError, match="UTF-8"):
            made.add(b"", *bad)
    assert (len(made), made.size) == (0, 20)
    made.add(b"", "T2")
    assert decode(made.encode()) == [UserRecord("T2", None, b"")]


@pytest.mark.parametrize("size", [0, 1, 122, 123, 124, 127, 128, 16_375, 16_383, 16_384, 2_097_151, 2_097_152])
def test_lengths_on_both_sides_of_a_varints_edges(size):
    made = aggregate([UserRecord("k", None, bytes(size))])
    assert made.size == len(made.encode())
    assert [len(record.data) for record in decode(made.encode())] == [size]


def test_more_keys_than_an_index_of_two_bytes_holds():
    given_records = [UserRecord(f"k{n}", str(n), b"%d" % n) for n in range(16_500)]
    made = aggregate(given_records)
    assert made.size == len(made.encode())
    assert decode(made.encode()) == given_records


# --- By property --------------------------------------------------------------------------------


@given(records)
def test_records_survive_a_round_trip_and_the_size_is_always_exact(given_records):
    made = Aggregate()
    for count, record in enumerate(given_records):
        arguments = (record.data, record.partition_key, record.explicit_hash_key)
        size = made.size_with(*arguments)
        assert not made.add(*arguments, limit=size - 1)
        assert len(made) == count
        assert made.add(*arguments, limit=size)
        assert made.size == size == len(made.encode())
    assert decode(made.encode()) == given_records
    assert is_aggregate(made.encode())


@given(records, st.integers(0, 2_000))
def test_a_limit_is_never_exceeded(given_records, limit):
    made = Aggregate()
    taken = [
        record
        for record in given_records
        if made.add(record.data, record.partition_key, record.explicit_hash_key, limit=limit)
    ]
    assert len(made) == len(taken)
    if taken:
        assert len(made.encode()) <= limit
        assert decode(made.encode()) == taken


@given(st.binary(max_size=100) | st.binary(max_size=100).map(lambda data: MAGIC + data))
def test_bytes_that_are_not_an_aggregate_are_recognised(data):
    assert not is_aggregate(data)
    with pytest.raises(BrokenAggregateError) as caught:
        decode(data)
    assert not caught.value.is_aggregate
    assert caught.value.reason == ("wrong_md5" if data.startswith(MAGIC) and len(data) > 20 else "no_magic")


# --- Broken -------------------------------------------------------------------------------------

KEY = b"\x0a\x01k"
GOOD = b"\x1a\x05\x08\x00\x1a\x01x"
TEN = b"\xff" * 9 + b"\x01"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (KEY, "no_records"),
        (b"\x0a\x05k", "truncated"),
        (KEY + b"\x1a", "truncated"),
        (KEY + b"\x1a\x05\x08\x00\x1a\x02x", "truncated"),
        (KEY + b"\x1a\x03\x08\x00\x1a" + GOOD, "truncated"),
        (KEY + b"\x1a\x02\x08\x80" + GOOD, "truncated"),
        (KEY + GOOD + b"\x1a\x7f\x08", "truncated"),
        (KEY + GOOD + b"\x29abc", "truncated"),
        (KEY + b"\x1a" + b"\xff" * 11, "bad_number"),
        (KEY + b"\x1a\x0f\x08" + b"\xff" * 10 + b"\x01\x1a\x01x", "bad_number"),
        (KEY + b"\x1a\x0e\x08" + b"\xff" * 9 + b"\x02\x1a\x01x", "bad_number"),
        (b"\x08\x01" + KEY + GOOD, "bad_field"),
        (b"\x02\x01x" + KEY + GOOD, "bad_field"),
        (KEY + GOOD + b"\x23\x24", "bad_field"),
        (KEY + GOOD + b"\x27", "bad_field"),
        (KEY + b"\x1a\x06\x0a\x01\x00\x1a\x01x", "bad_field"),
        (KEY + GOOD + b"\xfa\xff\xff\xff\xff\x01\x00", "bad_field"),
        (KEY + b"\x1a\x02\x08\x00", "missing_field"),
        (KEY + b"\x1a\x02\x08\x00" + GOOD, "missing_field"),
        (KEY + b"\x1a\x03\x1a\x01x", "missing_field"),
        (KEY + b"\x1a\x00", "missing_field"),
        (KEY + b"\x1a\x07\x08\x00\x1a\x01x\x22\x00", "missing_field"),
        (GOOD, "index_out_of_range"),
        (KEY + b"\x1a\x05\x08\x01\x1a\x01x", "index_out_of_range"),
        (KEY + b"\x1a\x07\x08\x00\x10\x00\x1a\x01x", "index_out_of_range"),
        (KEY + b"\x1a\x0e\x08" + TEN + b"\x1a\x01x", "index_out_of_range"),
        (b"\x0a\x01\xff" + GOOD, "not_utf8"),
        (KEY + b"\x1a\x0b\x08\x00\x1a\x01x\x22\x04\x0a\x02\xff\xff", "not_utf8"),
    ],
)
def test_a_broken_message_is_rejected_with_its_reason(message, reason):
    assert reason_of(sealed(message)) == reason


@pytest.mark.parametrize(
    "message",
    [
        GOOD + KEY,
        KEY + b"\x1a\x05\x1a\x01x\x08\x00",
        KEY + b"\x1a\x06\x08\x80\x00\x1a\x01x",
        KEY + b"\x1a\x07\x08\x07\x08\x00\x1a\x01x",
        KEY + b"\x1a\x0c\x08\x00\x1a\x01x\x22\x05\x0a\x01t\x12\x00",
        KEY + b"\x1a\x0a\x08\x00\x1a\x01x\x2d1234",
        KEY + GOOD + b"\x29" + bytes(8) + b"\x30\x05\x3a\x02ab",
    ],
    ids=["table last", "data first", "long varint", "given twice", "a tag", "record's later field", "later fields"],
)
def test_every_form_that_protobuf_allows_is_read(message):
    assert decode(sealed(message)) == [UserRecord("k", None, b"x")]


@given(records, st.data())
def test_the_md5_detects_a_changed_or_missing_byte_anywhere(given_records, data):
    whole = aggregate(given_records).encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    for broken in (flipped, whole[:at], whole[:at] + whole[at + 1 :]):
        assert reason_of(broken) in {"no_magic", "wrong_md5"}


# --- Beside aws-kinesis-agg of PyPI ---------------------------------------------------------------


def theirs(given_records):
    """Return the aggregate that their aggregator makes of the records."""
    aggregator = RecordAggregator()
    for record in given_records:
        full = aggregator.add_user_record(record.partition_key, record.data, record.explicit_hash_key)
        assert full is None
    return aggregator.clear_and_get()


@given(records)
def test_python_writes_the_same_bytes(given_records):
    made = aggregate(given_records)
    _, _, data = theirs(given_records).get_contents()
    assert made.encode() == data
    assert made.size == len(data)  # theirs counts a key again each time that it comes


@given(records)
def test_python_reads_what_we_write(given_records):
    """It gives records without a hash key the first in the table (its `_create_user_record`); the KCL gives none."""
    event = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "sequenceNumber": "1",
            "approximateArrivalTimestamp": 1.0,
            "data": base64.b64encode(aggregate(given_records).encode()).decode(),
        }
    }
    read = [user["kinesis"] for user in deaggregate_records([event])]
    assert [(user["partitionKey"], base64.b64decode(user["data"])) for user in read] == [
        (record.partition_key, record.data) for record in given_records
    ]
    for user, record in zip(read, given_records, strict=True):
        if record.explicit_hash_key is not None:
            assert user["explicitHashKey"] == record.explicit_hash_key


@st.composite
def spoilt_messages(draw):
    """Messages of protobuf, some of whose bytes are changed, added or left out."""
    message = bytearray(aggregate(draw(records)).encode()[4:-16])
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(message)))
        message[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(message)


#: Where protobuf in Python reads on and we do not. The KCL, too, ends in an exception on an index beyond its table, and
#: protobuf in Java on a required field that is missing.
STRICTER = {"no_records", "index_out_of_range", "missing_field", "not_utf8", "bad_field", "bad_number"}


@settings(max_examples=500)
@given(spoilt_messages() | st.binary(max_size=30))
def test_protobuf_reads_the_same_records_and_rejects_the_same_bytes(message):
    try:
        read = decode(sealed(message))
    except BrokenAggregateError as error:
        ours, reason = None, error.reason
    else:
        ours, reason = [(record.partition_key, record.explicit_hash_key, record.data) for record in read], None
    try:
        parsed = messages_pb2.AggregatedRecord.FromString(message)
    except DecodeError:
        assert ours is None
        return
    if ours is None:
        assert reason in STRICTER | {"no_magic"}
        return
    assert ours == [
        (
            parsed.partition_key_table[record.partition_key_index],
            parsed.explicit_hash_key_table[record.explicit_hash_key_index]
            if record.HasField("explicit_hash_key_index")
            else None,
            record.data,
        )
        for record in parsed.records
    ]


# --- Beside aws-kinesis-agg of npm ----------------------------------------------------------------

NODE_SCRIPT = """
const agg = require('aws-kinesis-agg');
const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const output = input.map(({ aggregate, records }) => {
  const aggregator = new agg.RecordAggregator();
  for (const { partitionKey, explicitHashKey, data } of records)
    aggregator.addUserRecord({ partitionKey, explicitHashKey, data: Buffer.from(data, 'base64') });
  const users = [];
  agg.deaggregateSync({ data: aggregate, sequenceNumber: '1' }, true, (error, found) => {
    if (error) throw error;
    users.push(...found);
  });
  return { encoded: aggregator.build().data.toString('base64'), users };
});
console.log(JSON.stringify(output));
"""


def node_cases():
    """Seeded by their place; keys that are whole numbers are left out, because node puts these first in its tables."""
    plain = [[UserRecord(f"TRUCK_{n % 7:03}", None, b"%d" % n * n) for n in range(count)] for count in (1, 2, 300)]
    hashed = [UserRecord("käse €" + "x" * n, f"h{n % 3}", bytes(range(n))) for n in range(200)]
    mixed = [UserRecord(f"k{n}", f"h{n}" if n % 2 else None, b"\xff" * n * 20) for n in range(150)]
    long = [UserRecord("k" * 256, None, bytes(20_000)), UserRecord("z", None, bytes(500_000))]
    return [*plain, hashed, mixed, long]


def node(script, text):
    """Run a script under node with aws-kinesis-agg installed and `text` on its standard input; return its output."""
    with or_skipped("npm's aws-kinesis-agg"):
        folder, program = npm_with("aws-kinesis-agg@4.2.8"), tool("node")
    done = subprocess.run(
        [program, "-e", script], cwd=folder, input=text, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_node_writes_the_same_bytes_and_reads_ours():
    cases = node_cases()
    asked = [
        {
            "aggregate": base64.b64encode(aggregate(case).encode()).decode(),
            "records": [
                {
                    "partitionKey": record.partition_key,
                    **({} if record.explicit_hash_key is None else {"explicitHashKey": record.explicit_hash_key}),
                    "data": base64.b64encode(record.data).decode(),
                }
                for record in case
            ],
        }
        for case in cases
    ]
    answers = json.loads(node(NODE_SCRIPT, json.dumps(asked)))
    for case, answer in zip(cases, answers, strict=True):
        encoded = base64.b64decode(answer["encoded"])
        assert decode(encoded) == case
        assert encoded == aggregate(case).encode()
        assert [(user["partitionKey"], base64.b64decode(user["data"])) for user in answer["users"]] == [
            (record.partition_key, record.data) for record in case
        ]
        for user, record in zip(answer["users"], case, strict=True):
            if record.explicit_hash_key is not None:
                assert user["explicitPartitionKey"] == record.explicit_hash_key
