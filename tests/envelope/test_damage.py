"""Damaged and forged envelopes: a reader returns the right records, or raises its own error, within its bounds.

`pytest tests/envelope/test_damage.py --envelope-inputs 100000 --chaos-seeds 7` tries more of them.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.envelope.support import envelope_of, sealed
from truckstream.envelope import MAX_RAW_SIZE, MAX_RECORDS, REASONS, read
from truckstream.envelope.wire_format import HEADER
from truckstream.envelope.zstd_module import load_zstd
from truckstream.errors import BrokenEnvelopeError
from truckstream.kpl import UserRecord

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.timeout(600)


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", [int(each) for each in metafunc.config.getoption("--chaos-seeds").split(",")])


@pytest.fixture
def inputs(pytestconfig):
    return pytestconfig.getoption("--envelope-inputs")


def some_records(random: Random) -> list[UserRecord]:
    keys = ["TRUCK_001", "TRUCK_002", "ä", "k" * 40]
    return [
        UserRecord(random.choice(keys), random.choice([None, None, "5", "77"]), random.randbytes(random.randrange(40)))
        for _ in range(random.randint(1, 12))
    ]


def flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def overwrite(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    new = random.choice([random.randbytes(4), bytes(4), b"\xff" * 4, random.randrange(70_000).to_bytes(4, "little")])
    return data[:start] + new + data[start + 4 :]


def remove(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    return data[:start] + data[start + random.randint(1, 9) :]


def insert(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data) + 1)
    return data[:start] + random.randbytes(random.randint(1, 9)) + data[start:]


CHANGES: list[Callable[[bytes, Random], bytes]] = [flip_bits, cut, overwrite, remove, insert]


def records_or_reason(data: bytes) -> list[UserRecord] | str:
    try:
        return read(data)
    except BrokenEnvelopeError as error:
        return error.reason


def test_no_damage_makes_other_records(seed, inputs):
    random = Random(seed)
    reasons = set()
    for _ in range(inputs // 2):
        whole = envelope_of(some_records(random)).encode()
        damaged = random.choice(CHANGES)(whole, random)
        if damaged != whole:
            result = records_or_reason(damaged)
            assert isinstance(result, str), f"records of {damaged.hex()}"
            reasons.add(result)
    assert set(REASONS) > reasons >= {"no_magic", "truncated", "unknown_version", "wrong_checksum"}


def test_no_forged_envelope_raises_another_error_or_exceeds_the_bounds(seed, inputs):
    random = Random(seed)
    reasons = set()
    for _ in range(inputs // 2):
        whole = envelope_of(some_records(random)).encode()
        _, _, _, _, *counts, raw_size = HEADER.unpack_from(whole)
        body = load_zstd().decompress(whole[34:])
        frame = None
        what = random.randrange(3)
        if what == 0:
            body = random.choice(CHANGES)(body, random)
            raw_size = random.choice([raw_size, len(body)])
        elif what == 1:
            frame = random.choice(CHANGES)(whole[34:], random)
        else:
            at = random.randrange(4)
            numbers = [*counts, raw_size]
            numbers[at] = random.choice([0, numbers[at] + 1, 2 * numbers[at], random.getrandbits(32)])
            *counts, raw_size = numbers
        result = records_or_reason(sealed(body, *counts, raw_size=raw_size, frame=frame))
        if isinstance(result, str):
            reasons.add(result)
        else:
            assert len(result) <= MAX_RECORDS
            assert sum(len(record.data) for record in result) <= MAX_RAW_SIZE
    assert reasons < set(REASONS)
    assert reasons >= {"no_records", "too_large", "bad_frame", "wrong_size", "index_out_of_range", "not_utf8"}
