"""The reader: each field of the format, each reason to refuse, and its bounds of memory."""

import builtins
import gc
import tracemalloc
from struct import pack

import pytest

from tests.envelope.support import envelope_of, numbers, sealed
from truckstream.envelope import MAGIC, MAX_DATA_SIZE, MAX_RAW_SIZE, MAX_RECORDS, REASONS, is_envelope, read
from truckstream.envelope.zstd_module import load_zstd
from truckstream.errors import BrokenEnvelopeError, ConfigurationError
from truckstream.kpl import MAGIC as KPL_MAGIC
from truckstream.kpl import UserRecord

#: One record with the data "x" and the key "k".
ONE = b"xk" + numbers(1, 0, 1)
WHOLE = sealed(ONE)


def reason_of(data):
    with pytest.raises(BrokenEnvelopeError) as caught:
        read(data)
    assert caught.value.reason in REASONS
    assert caught.value.is_aggregate == is_envelope(data)
    return caught.value.reason


def test_the_smallest_envelope():
    assert read(WHOLE) == [UserRecord("k", None, b"x")]


def test_every_part_of_a_body():
    body = b"aab" + b"k1k2" + b"57" + numbers(1, 1, 1, 0) + numbers(0, 1, -1, 0) + numbers(2, 2)
    body += numbers(1, -1, 2, 0) + numbers(1, 1)
    assert read(sealed(body, 4, 2, 2)) == [
        UserRecord("k1", "5", b"a"),
        UserRecord("k2", None, b"a"),
        UserRecord("k1", "7", b"b"),
        UserRecord("k1", "7", b""),
    ]


def test_records_share_the_texts_of_their_keys():
    first, second = read(envelope_of([UserRecord("truck", "5", b"1"), UserRecord("truck", "5", b"2")]).encode())
    assert first.partition_key is second.partition_key
    assert first.explicit_hash_key is second.explicit_hash_key


@pytest.mark.parametrize("data", [b"", b'{"a":1}', KPL_MAGIC + bytes(40), MAGIC[:7], b"\x28\xb5\x2f\xfd" + bytes(40)])
def test_other_data_is_no_envelope(data):
    assert not is_envelope(data)
    assert reason_of(data) == "no_magic"


def test_no_other_format_begins_like_an_envelope():
    with pytest.raises(UnicodeDecodeError):
        MAGIC[:1].decode()
    assert MAGIC[0] == 0xC1  # the byte that MessagePack never uses
    assert MAGIC[1] == 0xFC  # a value that CBOR reserves
    assert min(MAGIC[:6]) >= 0x80  # a tag of protobuf ends after five bytes at most
    assert not MAGIC.startswith(KPL_MAGIC[:1])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (MAGIC, "truncated"),
        (WHOLE[:33], "truncated"),
        (WHOLE[:34], "wrong_checksum"),
        (WHOLE[:-1], "wrong_checksum"),
        (WHOLE + b"\0", "wrong_checksum"),
        (sealed(ONE, head=b"\x02\x01\0\0\0\0"), "unknown_version"),
        (sealed(ONE, head=b"\x00\x01\0\0\0\0"), "unknown_version"),
        (sealed(ONE, head=b"\x01\x02\0\0\0\0"), "unknown_codec"),
        (sealed(ONE, head=b"\x01\x00\0\0\0\0"), "unknown_codec"),
        (sealed(ONE, head=b"\x01\x01\x07\0\0\0"), "unknown_dictionary"),
        (sealed(b"", 0, 0), "no_records"),
        (sealed(ONE, MAX_RECORDS + 1), "too_large"),
        (sealed(ONE, raw_size=MAX_RAW_SIZE + 1), "too_large"),
        (sealed(ONE, 1, 2), "too_large"),
        (sealed(bytes(MAX_DATA_SIZE + 1) + b"k" + numbers(MAX_DATA_SIZE + 1, 0, 1)), "too_large"),
        (sealed(ONE, 1, 1, 2), "too_large"),
        (sealed(ONE, 2), "wrong_size"),
        (sealed(ONE, frame=b""), "wrong_size"),
        (sealed(ONE, frame=b"noise"), "bad_frame"),
        (sealed(ONE, frame=WHOLE[34:] * 2), "bad_frame"),
        (sealed(ONE, frame=WHOLE[34:] + b"\0"), "bad_frame"),
        (sealed(ONE, raw_size=len(ONE) + 1), "wrong_size"),
        (sealed(ONE, raw_size=len(ONE) - 1), "wrong_size"),
        (sealed(b"xk" + numbers(2, 0, 1)), "wrong_size"),
        (sealed(b"xk" + numbers(1, 0, 0)), "wrong_size"),
        (sealed(b"xk" + numbers(-1, 0, 3)), "wrong_size"),
        (sealed(b"xk" + numbers(1, 1, 1)), "index_out_of_range"),
        (sealed(b"xk" + numbers(1, -1, 1)), "index_out_of_range"),
        (sealed(b"xk5" + numbers(1, 0, 1, 2, 1), 1, 1, 1), "index_out_of_range"),
        (sealed(b"xk5" + numbers(1, 0, 1, -1, 1), 1, 1, 1), "index_out_of_range"),
        (sealed(b"x" + numbers(1, 0), 1, 0), "index_out_of_range"),
        (sealed(b"x\xff" + numbers(1, 0, 1)), "not_utf8"),
    ],
)
def test_a_broken_envelope_is_refused_with_its_reason(data, reason):
    assert reason_of(data) == reason


def test_a_frame_that_lacks_its_end_is_refused():
    zstd = load_zstd()
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})
    frame = compressor.compress(ONE, compressor.FLUSH_FRAME)
    assert read(sealed(ONE, frame=frame)) == [UserRecord("k", None, b"x")]
    for end in range(1, 8):
        assert reason_of(sealed(ONE, frame=frame[:-end])) in {"bad_frame", "wrong_size"}


def test_the_frames_own_checksum_is_compared():
    frame = bytearray(envelope_of([UserRecord("k", None, b"x" * 9)]).encode()[34:])
    frame[-1] ^= 1
    body = b"x" * 9 + b"k" + numbers(9, 0, 1)
    assert reason_of(sealed(body, frame=bytes(frame))) == "bad_frame"


def peak_of(data):
    load_zstd()
    gc.collect()
    tracemalloc.start()
    try:
        reason = reason_of(data)
        return reason, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_frame_that_unfolds_to_more_than_the_header_states_takes_no_memory_for_it():
    reason, peak = peak_of(sealed(bytes(100_000_000), raw_size=100_000))
    assert reason == "wrong_size"
    assert peak < 1_000_000


def test_a_header_that_states_more_than_there_is_takes_no_memory_for_it():
    reason, peak = peak_of(sealed(ONE, MAX_RECORDS, MAX_RECORDS, raw_size=MAX_RAW_SIZE))
    assert reason == "wrong_size"
    assert peak < 1_000_000


def test_a_frame_may_not_ask_for_a_larger_window_than_a_body():
    # The magic number of zstd, a descriptor without a size, a window of 128 MiB, and an empty last block.
    frame = b"\x28\xb5\x2f\xfd" + bytes([0, 17 << 3]) + pack("<I", 1)[:3]
    assert reason_of(sealed(ONE, frame=frame)) == "bad_frame"


def test_the_largest_envelope_is_read():
    lengths = [MAX_DATA_SIZE] * 15 + [MAX_DATA_SIZE - 133]
    body = bytes(sum(lengths)) + b"k" + numbers(*lengths, *[0] * 16, 1)
    assert len(body) == MAX_RAW_SIZE
    assert [len(record.data) for record in read(sealed(body, 16))] == lengths


def test_a_missing_package_is_no_fault_of_the_envelope(monkeypatch):
    load_zstd.cache_clear()
    imported = builtins.__import__

    def without_zstd(name, *arguments):
        if name in {"backports", "compression"}:
            raise ImportError(name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_zstd)
    with pytest.raises(ConfigurationError, match="Install backports-zstd"):
        read(WHOLE)
