"""gzip and zstd for objects of JSON. Loaded only by a batcher that compresses.

A compressed object is a compressed *file*: the key has its suffix, the Content-Type its type, and there is no
Content-Encoding. DuckDB, Athena, Spark, pandas and `gunzip` decompress by the suffix. With a Content-Encoding, HTTP
clients and browsers would decompress the body too, and hand over a text under a name that ends with .gz; the next
reader that goes by the name fails ("not a gzip file"). The reverse, a Content-Encoding without the suffix, is read by
browsers only. `tests/batcher/formats/test_readers.py` reads objects with each of these readers that can be installed.

The same lines give the same bytes, because the gzip header contains neither a time nor a host. Another version of zlib
or zstd may compress the same lines to other bytes, so a stored object is compared by its lines, never by its bytes.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.envelope.zstd_module import load_zstd

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CompressionCodec", "codec_for"]


class CompressionCodec(NamedTuple):
    """A compression: the Content-Type of its objects, the end of their keys, and its two functions."""

    content_type: str
    suffix: str
    compress: Callable[[bytes], bytes]
    #: Returns None if the content is not compressed this way.
    decompress: Callable[[bytes], bytes | None]


#: The defaults of zlib and of zstd, which take a tenth and a hundredth of a second for a MiB.
_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 3

#: No flags, no time, no extra flags, an unknown operating system.
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def codec_for(compression: str) -> CompressionCodec:
    """Return the codec named "gzip" or "zstd".

    Raises:
        ConfigurationError: the package for zstd is not installed.
    """
    return _zstd_codec() if compression == "zstd" else CompressionCodec("application/gzip", ".gz", _gzip, _gunzip)


def _gzip(body: bytes) -> bytes:
    deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    tail = zlib.crc32(body).to_bytes(4, "little") + (len(body) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"".join((_GZIP_HEADER, deflate.compress(body), deflate.flush(), tail))


def _gunzip(content: bytes) -> bytes | None:
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        body = inflate.decompress(content)
    except zlib.error:
        return None
    return body if inflate.eof and not inflate.unused_data else None


def _zstd_codec() -> CompressionCodec:
    zstd = load_zstd()

    def decompress(content: bytes) -> bytes | None:
        try:
            return bytes(zstd.decompress(content))
        except zstd.ZstdError:
            return None

    def compress(body: bytes) -> bytes:
        return bytes(zstd.compress(body, _ZSTD_LEVEL))

    return CompressionCodec("application/zstd", ".zst", compress, decompress)
