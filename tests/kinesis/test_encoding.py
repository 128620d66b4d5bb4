"""Bodies are JSON from which any parser reads back the same records."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from tests.kinesis.support import Record
from truckstream.kinesis.encoding import encode_body

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
hash_keys = st.none() | st.integers(0, 2**128 - 1).map(str)
records = st.lists(st.tuples(st.binary(max_size=100), keys, hash_keys), min_size=1, max_size=5)


def test_the_bytes_of_a_body():
    body = encode_body({"StreamName": "trucks"}, [Record(b"ABC", "TRUCK_001"), Record(b"", 'a"b', "7")])
    assert body == (
        b'{"StreamName":"trucks","Records":['
        b'{"Data":"QUJD","PartitionKey":"TRUCK_001"},{"Data":"","PartitionKey":"a\\"b","ExplicitHashKey":"7"}]}'
    )


@given(records)
def test_a_body_holds_its_records(given_records):
    body = json.loads(encode_body({"StreamARN": "arn:…"}, [Record(*record) for record in given_records]))
    assert body["StreamARN"] == "arn:…"
    assert [
        (base64.b64decode(record["Data"]), record["PartitionKey"], record.get("ExplicitHashKey"))
        for record in body["Records"]
    ] == given_records
