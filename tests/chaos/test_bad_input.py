"""Invalid records of every kind: none of them raises, and each is stored or rejected with its exact bytes.

`pytest tests/chaos/test_bad_input.py --bad-inputs 100000 --chaos-seeds 7` tries more records.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.batcher.support import ScriptedStore, aggregate, envelope, record, sealed, truck
from truckstream.batcher import Batcher
from truckstream.batcher.reading.rejected_record import REJECTION_REASONS
from truckstream.deaggregation import MAGICS
from truckstream.envelope import MAGIC as ENVELOPE_MAGIC
from truckstream.fleet.corruption import CORRUPTIONS
from truckstream.kpl import MAGIC
from truckstream.record import TruckRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Change = Callable[[bytes, Random], bytes]

pytestmark = pytest.mark.timeout(600)

#: The number of tests that share the inputs of a seed. A plain run takes the first of them.
PARTS = 4

#: The number of records in an event.
EVENT = 500


def number_as(literal: bytes) -> Change:
    """Return a change that replaces a number by a literal."""
    return lambda data, _: data.replace(b"65.4", literal)


def anywhere(change: Callable[[bytes, bytes, bytes], bytes]) -> Change:
    """Return a change at a random place in the bytes. `change` gets the bytes before and after it, and a new byte."""

    def apply(data: bytes, random: Random) -> bytes:
        at = random.randrange(len(data) + 1)
        return change(data[:at], data[at:], random.randbytes(1))

    return apply


def noise(alphabet: bytes) -> Change:
    """Return a change that replaces the record by random characters."""

    def apply(_: bytes, random: Random) -> bytes:
        return bytes(random.choice(alphabet) for _ in range(random.randint(0, 60)))

    return apply


def anywhere_in_envelope(data: bytes, random: Random) -> bytes:
    """Return an envelope with another byte behind its magic number."""
    whole = bytearray(envelope(data, data))
    whole[random.randrange(len(ENVELOPE_MAGIC), len(whole))] ^= random.randint(1, 255)
    return bytes(whole)


#: Changes to records that a truck would not make. Some of them leave a valid record valid, which is allowed.
CORPUS: list[Change] = [
    *map(number_as, [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-0.0", b"+1", b".5", b"1.", b"0x10", b"1_000"]),
    *map(number_as, [b"9" * 400, b"9" * 5_000, b"1" + b"0" * 400 + b".5", b"1e-999999999", b"1E999999999"]),
    *map(number_as, [b"[" * 600 + b"]" * 600, b"[" * 100_000, b'{"a":' * 5_000, b"{}", b"[]", b'""', b"true"]),
    *map(number_as, [b'"\\ud800"', b'"\\u0000"', b'"\\x41"', b'"\xff"', b'"\xc3\x28"', b'"\xed\xa0\x80"']),
    lambda data, _: data.replace(b'"speed"', b'"\\u0073peed"'),
    lambda data, _: data.replace(b'"speed"', b'"\\ud800"'),
    lambda data, _: data.replace(b'"speed":65.4', b'"speed":65.4,"speed":{"speed":1,"speed":2}'),
    lambda data, _: data.replace(b'"speed":65.4', b'"speed":65.4,"speed":65.4'),
    lambda data, random: data * random.randint(2, 5),
    lambda data, _: data.replace(b",", b"\n,\r\n"),
    lambda data, _: data.replace(b",", b"\x00,"),
    lambda data, _: data.replace(b"TRUCK", "卡車\u2028\u2029\U0001f69a".encode()),
    lambda data, _: data.decode("latin-1").encode("utf-16"),
    lambda data, _: data.decode("latin-1").encode("utf-32"),
    lambda data, _: b"\xef\xbb\xbf" + data,
    lambda data, _: base64.b64encode(data),
    lambda data, _: json.dumps(data.decode("latin-1")).encode(),
    lambda data, _: aggregate(data, data[:-1], b"", data),
    lambda data, _: aggregate(*[aggregate(data)] * 3),
    lambda data, _: aggregate(data)[:-1],
    lambda data, _: aggregate(data)[:-16] + bytes(16),
    lambda data, _: sealed(data),
    lambda data, _: sealed(data[:0]),
    lambda data, _: envelope(data, data[:-1], b"", data),
    lambda data, random: envelope(data)[: random.randint(8, 60)],
    anywhere_in_envelope,
    lambda data, _: ENVELOPE_MAGIC + data,
    lambda data, _: MAGIC + data,
    lambda data, _: MAGIC + data[:0],
    lambda data, random: sealed(random.randbytes(len(data) % 60)),
    lambda data, random: random.randbytes(len(data) % 300),
    noise(b'{}[]",:0123456789eE.+-tfn\\u '),
    anywhere(lambda head, _tail, _byte: head),
    anywhere(lambda _head, tail, _byte: tail),
    anywhere(lambda head, tail, byte: head + byte + tail),
    anywhere(lambda head, tail, byte: head + byte + tail[1:]),
    anywhere(lambda head, tail, _byte: head + tail[1:]),
    anywhere(lambda head, tail, _byte: tail + head),
]

#: Records of a mebibyte, of which an event has a few.
LARGE: list[Callable[[Random], bytes]] = [
    lambda random: random.randbytes(1 << 20),
    lambda _: b"[" * (1 << 20),
    lambda _: b'{"a":' * (1 << 17),
    lambda _: b'"' + b"x" * (1 << 20) + b'"',
    lambda _: b"9" * (1 << 20),
    lambda _: bytes(1 << 20),
    lambda _: truck(truck_id="x" * (1 << 20)),
    lambda _: b"{" + b'"a":1,' * (1 << 17) + b'"a":1}',
]

#: Values in place of base64 in an event.
NOT_BASE64 = ["#", "=", "QUJ", "QUI", "Q===", "QUJD\n", " QUJD", "QUJD=", "-_-_", "é", "\ud800", "\x00", 17, None, []]


def bad_inputs(random: Random, count: int) -> Iterator[dict[str, Any]]:
    """Generate records of an event. A few in a hundred are not base64, or have a mebibyte."""
    for n in range(count):
        if random.random() < 0.03:
            yield record(b"", n, encoded=random.choice(NOT_BASE64))
        elif random.random() < 0.004:
            yield record(random.choice(LARGE)(random), n)
        else:
            data = truck(n % 1_000, speed=65.4)
            if random.random() < 0.3:
                data = random.choice(CORRUPTIONS).apply(data, random)
            for _ in range(random.choice([0, 1, 1, 1, 1, 2, 3])):
                data = random.choice(CORPUS)(data, random)
            yield record(data, n)


def payload_of(line: dict[str, Any]) -> object:
    """Return the record's bytes from a line of `rejected/`, or the value that was not base64."""
    if "data" in line:
        return line["data"].encode()
    return base64.b64decode(line["data_base64"]) if "data_base64" in line else line["data_undecoded"]


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])
async def test_no_invalid_record_raises_or_is_lost(seed, part, bad_inputs_wanted):
    random = Random(f"{seed}/{part}")
    codes = Counter()
    for event in range(-(-bad_inputs_wanted // (PARTS * EVENT))):
        records = list(bad_inputs(random, EVENT))
        store = ScriptedStore()
        result = await Batcher(store).process(records)
        where = f"event {event} of part {part} of seed {seed}"
        assert result.first_failed is None, where
        assert result.received == result.stored + result.rejected >= EVENT, where
        lines = store.lines("rejected")
        assert (len(store.lines("sensor_data")), len(lines)) == (result.stored, result.rejected), where
        codes.update(line["reason"] for line in lines)
        for line in lines:
            assert line["rule"], where
        check_records(records, store, lines, where)
    # These records have their numbers; tests/chaos/histories.py has others.
    assert set(codes) == set(REJECTION_REASONS) - {"line_break", "schema", "no_sequence_number"}


def check_records(records: list[dict[str, Any]], store: ScriptedStore, lines: list[dict[str, Any]], where: str) -> None:
    """Check that each record outside aggregates is stored or rejected with its bytes, in the order of arrival."""
    stored = iter(store.lines("sensor_data"))
    rejected = {}
    for line in lines:
        rejected.setdefault(line["sequence_number"], []).append(line)
    for each in records:
        found = rejected.get(each["kinesis"]["sequenceNumber"], [])
        encoded = each["kinesis"]["data"]
        if encoded in NOT_BASE64:
            assert [line["reason"] for line in found] == ["not_base64"], where
            continue
        data = base64.b64decode(encoded)
        if data.startswith(MAGICS) and (not found or "subsequence_number" in found[0]):
            continue  # an aggregate: its user records are counted
        if found:
            assert [payload_of(line) for line in found] == [data], where
        else:
            assert json.loads(data) in stored, where  # consumes the lines before it, so the order is checked
            TruckRecord.from_json(data)


@pytest.mark.parametrize("schema", [None, bytes.decode, dict], ids=["none", "callable", "dict"])
@pytest.mark.parametrize("form", ["ndjson", "json"])
async def test_other_schemas_lose_nothing_either(schema, form, seed, bad_inputs_wanted):
    random = Random(seed)
    for event in range(-(-bad_inputs_wanted // (10 * EVENT))):
        result = await Batcher(ScriptedStore(), schema=schema, format=form).process(list(bad_inputs(random, EVENT)))
        assert result.first_failed is None, f"event {event} of seed {seed}"
        assert result.received == result.stored + result.rejected >= EVENT
