"""A reader in JavaScript reads what the writer makes and refuses the rest."""

import base64
import json
import subprocess
from pathlib import Path
from random import Random

import pytest

from tests.envelope.support import envelope_of, numbers, sealed
from tests.envelope.test_damage import CHANGES, some_records
from tests.external_clients.installation import npm_with, or_skipped, tool
from truckstream import Fleet
from truckstream.envelope import REASONS, read
from truckstream.envelope.zstd_module import load_zstd
from truckstream.errors import BrokenEnvelopeError
from truckstream.kpl import UserRecord

PROGRAM = Path(__file__).parent / "programs" / "envelope_reader.cjs"


def theirs(envelopes):
    """The records that the program reads of each envelope, or the reason why it refuses it."""
    with or_skipped("npm's fzstd"):
        modules, node = npm_with("fzstd@0.1.1") / "node_modules", tool("node")
    given = json.dumps([base64.b64encode(each).decode() for each in envelopes])
    done = subprocess.run(
        [node, PROGRAM], input=given, env={"NODE_PATH": str(modules)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [
        each
        if isinstance(each, str)
        else [UserRecord(key, hash_key, base64.b64decode(data)) for key, hash_key, data in each]
        for each in json.loads(done.stdout)
    ]


def ours(envelope):
    try:
        return read(envelope)
    except BrokenEnvelopeError as error:
        return error.reason


def written():
    fleet = [UserRecord(each.truck_id, None, each.data) for each in Fleet(trucks=500, rate=500, seed=1).take(3_000)]
    chance = Random(7)
    yield from (fleet[:1], fleet[:500], fleet)
    yield from (some_records(chance) for _ in range(100))
    yield [UserRecord("k", None, b"")] * 65_536
    yield [UserRecord("käse 🚚", "340282366920938463463374607431768211455", chance.randbytes(1_000_000))] * 3
    yield [UserRecord(f"k{n}", str(n) if n % 3 else None, bytes(n)) for n in range(1_000)]


def test_it_reads_what_the_writer_makes():
    cases = list(written())
    found = theirs([envelope_of(records).encode() for records in cases])
    assert found == cases


def test_it_refuses_what_is_damaged():
    """All damage is found before anything is decompressed, so that the reasons are the same."""
    chance = Random(7)
    damaged = []
    while len(damaged) < 1_000:
        whole = envelope_of(some_records(chance)).encode()
        changed = chance.choice(CHANGES)(whole, chance)
        if changed != whole:
            damaged.append(changed)
    assert theirs(damaged) == [ours(each) for each in damaged]


BODY = b"abk" + numbers(1, 1, 0, 0, 1)
FORGED = {
    "no_records": sealed(b"", 0, 0),
    "too_large": sealed(b"", 65_537, 1),
    "wrong_size": sealed(BODY, 2, raw_size=len(BODY) + 1),
    "bad_frame": sealed(BODY, 2, frame=b"no frame"),
    "unknown_codec": sealed(BODY, 2, head=b"\x01\x02\x00\x00\x00\x00"),
    "unknown_dictionary": sealed(BODY, 2, head=b"\x01\x01\x07\x00\x00\x00"),
    "unknown_version": sealed(BODY, 2, head=b"\x02\x01\x00\x00\x00\x00"),
    "index_out_of_range": sealed(b"abk" + numbers(1, 1, 0, 1, 1), 2),
    "not_utf8": sealed(b"ab\xff" + numbers(1, 1, 0, 0, 1), 2),
    "truncated": sealed(BODY, 2)[:20],
    "wrong_checksum": sealed(BODY, 2)[:-1],
    "no_magic": b'{"celsius":21}',
}


def test_it_refuses_what_is_forged_for_the_reasons_of_the_page():
    assert FORGED.keys() == REASONS.keys()
    assert [ours(each) for each in FORGED.values()] == list(FORGED)
    assert theirs(FORGED.values()) == list(FORGED)
    assert theirs([sealed(BODY, 2)]) == [[UserRecord("k", None, b"a"), UserRecord("k", None, b"b")]]


def test_it_refuses_a_frame_that_needs_a_window_of_128_mib():
    zstd = load_zstd()
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    frame = compressor.compress(BODY) + compressor.flush()  # without the size of its content
    forged = sealed(BODY, 2, frame=frame)
    assert ours(forged) == "bad_frame"
    assert theirs([forged]) == ["bad_frame"]


@pytest.mark.parametrize(
    ("body", "records", "reason"),
    [
        (b"abk" + numbers(1, 1, 0, -1, 1), 2, "index_out_of_range"),
        (b"abk" + numbers(1, -1, 0, 0, 1), 2, "wrong_size"),
        (bytes(2**20 + 1) + b"k" + numbers(2**20 + 1, 0, 1), 1, "too_large"),
        (b"ab" + numbers(1, 1), 2, "wrong_size"),
    ],
)
def test_it_refuses_columns_that_point_elsewhere(body, records, reason):
    forged = sealed(body, records)
    assert ours(forged) == reason
    assert theirs([forged]) == [reason]
