"""Documents that no SDK writes: none is an internal failure, and none takes memory or time out of proportion."""

import re
import tracemalloc

import cbor2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.support import ARN, T0, Api
from truckstream.local.protocol import codec_cbor, codec_json
from truckstream.local.protocol.api_call import respond
from truckstream.local.service.errors import RefusedError
from truckstream.local.service.validation.constraints import _compiled
from truckstream.local.service.validation.shapes import REQUESTS, Items, Pairs, Shape, Text

CBOR = "application/x-amz-cbor-1.1"
JSON = "application/x-amz-json-1.1"


def status(operation, body, content_type):
    response = respond(
        Api().service, target=f"Kinesis_20131202.{operation}", content_type=content_type, body=body, now=T0
    )
    return response.status


# --- Any document -----------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64) + 1, 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from(["s", "shardId-000000000000", ARN, "TRIM_HORIZON", "AT_TIMESTAMP", "0", "9" * 5_000, "\ud7ff"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


def values_of(rule):
    """Values that a member of this rule may have, and a few that it may not have."""
    match rule:
        case Shape(members=members):
            return st.fixed_dictionaries({}, optional={name: values_of(member) for name, member in members.items()})
        case Items(member=member):
            fitting = st.lists(values_of(member), max_size=3)
        case Pairs():
            fitting = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
        case Text(choices=choices) if choices:
            fitting = st.sampled_from(choices)
        case _:
            fitting = SCALARS
    return fitting | VALUES


@settings(max_examples=400)
@given(st.data())
def test_no_document_is_an_internal_failure(data):
    operation = data.draw(st.sampled_from(sorted(REQUESTS)))
    document = data.draw(values_of(REQUESTS[operation]))
    if data.draw(st.booleans()):
        assert status(operation, cbor2.dumps(document), CBOR) in {200, 400}
    else:
        assert status(operation, msgspec.json.encode(document), JSON) in {200, 400}


@settings(max_examples=300)
@given(st.binary(max_size=100), st.sampled_from([b"", b"\xbf", b"\xa1\x61", b'{"Limit":', b'{"Records":[', b"[{"]))
def test_no_bytes_are_an_internal_failure(body, start):
    for content_type in (JSON, CBOR):
        for operation in ("PutRecords", "ListStreams", "AddTagsToStream"):
            assert status(operation, start + body, content_type) in {200, 400}


# --- Memory and time --------------------------------------------------------------------------------

#: Made when they are used: they are large, and each process of pytest imports this file.
MANY = 8_000_000
WIDE = {
    "empty maps": lambda: b"\x9a\x00\x7a\x12\x00" + b"\xa0" * MANY,
    "empty lists": lambda: b"\x9f" + b"\x9f\xff" * MANY + b"\xff",
    "numbers": lambda: b"\x9a\x00\x7a\x12\x00" + b"\x00" * MANY,
    "texts in parts": lambda: b"\x7f" + b"\x61a" * MANY + b"\xff",
}
WIDE_JSON = {
    "empty maps": lambda: b"[" + b"{}," * (MANY // 2) + b"0]",
    "empty lists": lambda: b"[" + b"[]," * (MANY // 2) + b"0]",
    "numbers": lambda: b"[" + b"300," * (MANY // 2) + b"0]",
    "members": lambda: b"{" + b",".join(b'"%d":0' % number for number in range(1_000_000)) + b"}",
}


@pytest.mark.parametrize(
    ("codec", "make"),
    [
        *(pytest.param(codec_cbor, make, id=f"cbor, {name}") for name, make in WIDE.items()),
        *(pytest.param(codec_json, make, id=f"json, {name}") for name, make in WIDE_JSON.items()),
        pytest.param(codec_json, lambda: b"[" * 5_000_000, id="json, nested"),
        pytest.param(codec_cbor, lambda: b"\x81" * 5_000_000, id="cbor, nested"),
    ],
)
def test_a_document_of_millions_of_values_is_refused_before_it_is_decoded(codec, make):
    body = make()
    tracemalloc.start()
    try:
        with pytest.raises(RefusedError, match="SerializationException"):
            codec.decode("PutRecords", body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_the_largest_requests_are_not_complex():
    keys = "".join(",[{" * 85 + "x")
    records = [{"Data": b"\x00" * 20_000, "PartitionKey": keys, "ExplicitHashKey": "1" * 39}] * 500
    document = {"StreamName": "s", "Records": records}
    for content_type, body in ((CBOR, cbor2.dumps(document)), (JSON, msgspec.json.encode(document))):
        assert len(body) > 10_000_000
        assert status("PutRecords", body, content_type) == 200


@pytest.mark.parametrize(
    "cut",
    [b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", b"\x5b\x00", b"\x1b", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", b"\xff"],
)
def test_a_large_document_that_is_cut_off_is_unreadable(cut):
    with pytest.raises(RefusedError, match="SerializationException"):
        codec_cbor.decode("PutRecords", b"\x82\x5a\x00\x20\x00\x00" + bytes(2**21) + cut)


def test_numbers_as_keys_are_refused():
    """All of these have the same hash, so that a map of a million takes hours."""
    keys = b"".join(cbor2.dumps((2**61 - 1) * number) + b"\x00" for number in range(1, 1_000))
    assert status("PutRecords", b"\xb9\x03\xe7" + keys, CBOR) == 400


def test_every_tag_is_refused_except_for_times_and_the_mark_of_cbor_itself():
    """Among them are 1 times 2 to the power of 2**62, regular expressions, and lists that contain themselves."""
    readable = []
    for tag in range(2**16):
        for value in ([2**62, 1], "a", b"a", 1):
            try:
                codec_cbor.decode("ListStreams", cbor2.dumps({"unknown": cbor2.CBORTag(tag, value)}))
            except RefusedError:
                break
        else:
            readable.append(tag)
    assert readable == [1, 55_799]


# --- Patterns ---------------------------------------------------------------------------------------

PATTERNS = sorted(
    {
        member.pattern
        for shape in REQUESTS.values()
        for member in shape.members.values()
        if isinstance(member, Text) and ".*" in member.pattern
    }
)
PARTS = (
    "arn:aws",
    ":kinesis:",
    "000000000000",
    ":000000000000:",
    "stream/",
    "channel/",
    "/consumer/",
    ":1",
    "a",
    " ",
    "\n",
)


@settings(max_examples=500)
@given(st.sampled_from(PATTERNS), st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_a_pattern_is_matched_as_the_service_writes_it(pattern, text):
    for candidate in (text, f"arn:aws:kinesis:us-east-1:000000000000:stream/{text}"):
        assert bool(_compiled(pattern).fullmatch(candidate)) == bool(re.fullmatch(pattern, candidate))


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws" + ":kinesis:" * 1_500_000,
        "arn:aws" + ":kinesis:000000000000:stream/a/consumer/a:" * 180 + "x",
        "arn:aws" + ":kinesis:000000000000:stream/" * 280 + " ",
    ],
    ids=["one part", "all parts", "blank"],
)
def test_a_text_that_nearly_matches_a_pattern_is_rejected_at_once(text):
    """With the service's patterns as they are, each of these takes minutes."""
    members = {"ConsumerARN": text, "StreamARN": text, "ResourceARN": text, "ShardId": "a", "Tags": {"a": "b"}}
    for operation in ("DescribeStreamConsumer", "ListShards", "TagResource"):
        assert status(operation, msgspec.json.encode(members), JSON) == 400


def test_a_number_of_a_million_digits_is_a_violated_constraint():
    members = {"StreamName": "s", "Data": "", "PartitionKey": "k", "ExplicitHashKey": "1" * 1_000_000}
    assert status("PutRecord", msgspec.json.encode(members), JSON) == 400
