"""Aggregates compared with those of aws-kinesis-agg, the libraries of AWS for Python and Node.js."""

import base64
import json
import subprocess

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator, messages_pb2
from aws_kinesis_agg.deaggregator import deaggregate_records
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.external_clients.installation import npm_with, or_skipped, tool
from tests.kpl.support import aggregate_of, records, sealed
from truckstream.errors import BrokenAggregateError
from truckstream.kpl import UserRecord, decode

# --- aws-kinesis-agg of PyPI ----------------------------------------------------------------------


def theirs(given_records):
    """Return the aggregate that their aggregator makes of the records."""
    aggregator = RecordAggregator()
    for record in given_records:
        full = aggregator.add_user_record(record.partition_key, record.data, record.explicit_hash_key)
        assert full is None
    return aggregator.clear_and_get()


@given(records)
def test_python_writes_the_same_bytes(given_records):
    made = aggregate_of(given_records)
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
            "data": base64.b64encode(aggregate_of(given_records).encode()).decode(),
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
def corrupted_messages(draw):
    """Messages of protobuf, some of whose bytes are changed, added or left out."""
    message = bytearray(aggregate_of(draw(records)).encode()[4:-16])
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(message)))
        message[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(message)


#: Where protobuf in Python reads on and we do not. The KCL, too, ends in an exception on an index beyond its table, and
#: protobuf in Java on a required field that is missing.
STRICTER = {"no_records", "index_out_of_range", "missing_field", "not_utf8", "bad_field", "bad_number"}


@settings(max_examples=500)
@given(corrupted_messages() | st.binary(max_size=30))
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


# --- aws-kinesis-agg of npm -----------------------------------------------------------------------

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
    """The same on every run. No key is a whole number, because node puts these first in its tables."""
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


@pytest.mark.external
def test_node_writes_the_same_bytes_and_reads_ours():
    cases = node_cases()
    requests = [
        {
            "aggregate": base64.b64encode(aggregate_of(case).encode()).decode(),
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
    results = json.loads(node(NODE_SCRIPT, json.dumps(requests)))
    for case, result in zip(cases, results, strict=True):
        encoded = base64.b64decode(result["encoded"])
        assert decode(encoded) == case
        assert encoded == aggregate_of(case).encode()
        assert [(user["partitionKey"], base64.b64decode(user["data"])) for user in result["users"]] == [
            (record.partition_key, record.data) for record in case
        ]
        for user, record in zip(result["users"], case, strict=True):
            if record.explicit_hash_key is not None:
                assert user["explicitPartitionKey"] == record.explicit_hash_key
