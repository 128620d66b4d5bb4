"""What an object of lines looks like: JSON Lines or a JSON array, plain or compressed. Parquet is in `parquet`.

| format | key ends with | Content-Type | read by |
|---|---|---|---|
| ndjson | .json | application/x-ndjson | DuckDB, Athena (a line is a row), `jq`, any editor |
| json | .json | application/json | browsers, whatever wants one JSON document |
| + gzip | .json.gz | the same, Content-Encoding: gzip | DuckDB and Athena go by the key's end, browsers by the header |
| + zstd | .json.zst | the same, Content-Encoding: zstd | likewise |

The same lines give the same bytes: gzip's header has neither time nor host in it. (Another version of zlib or zstd may
compress the same lines to other bytes. That is why a stored object is judged by its lines, never by its bytes.)
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, get_args

from truckstream.errors import ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["FORMATS", "NDJSON", "Compression", "Format", "FormatName", "Formats", "read_formats"]

FormatName = Literal["ndjson", "json", "parquet"]
Compression = Literal["gzip", "zstd"]


class Format(Protocol):
    """How lines become an object, and how an object shows its lines."""

    #: What keys end with.
    @property
    def suffix(self) -> str: ...

    #: The object's HTTP headers.
    @property
    def headers(self) -> dict[str, str]: ...

    #: Part of the claim of an object whose key does not tell its format; empty for JSON Lines.
    @property
    def layout(self) -> str: ...

    #: True if encoding takes long enough to be better done in a thread.
    @property
    def slow(self) -> bool: ...

    #: What a record must keep beyond its schema, by an exception; None if it is nothing.
    @property
    def check(self) -> Callable[[bytes], object] | None: ...

    def encode(self, lines: Sequence[bytes], numbers: Sequence[str], /) -> bytes:
        """The object of these lines, of which there is at least one; `numbers` say where their records stand."""

    def text(self, lines: Sequence[bytes], numbers: Sequence[str], /) -> bytes:
        """What tells these lines from all others, each ended by a line feed."""

    def read_text(self, content: bytes, /) -> bytes | None:
        """The `text` of a stored object; None if it is none of this format."""


# --- Compression --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Codec:
    name: str
    suffix: str
    compress: Callable[[bytes], bytes]
    #: None if the content is not compressed so.
    decompress: Callable[[bytes], bytes | None]


#: zlib's own default, and zstd's: what tools expect, at a tenth and a hundredth of a second a MiB.
_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 3

#: No flags, no time, no extra flags, no operating system.
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


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


def _zstd_codec() -> _Codec:
    zstd = _import_zstd()

    def decompress(content: bytes) -> bytes | None:
        try:
            return bytes(zstd.decompress(content))
        except zstd.ZstdError:
            return None

    return _Codec("zstd", ".zst", lambda body: bytes(zstd.compress(body, _ZSTD_LEVEL)), decompress)


def _import_zstd() -> Any:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - only who asks for it pays for it
        else:
            from backports import zstd  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "compression", "is 'zstd', and there is no zstd", "Install truckstream[zstd], or use gzip."
        ) from error
    return zstd


def _codec(compression: str | None) -> _Codec | None:
    if compression == "zstd":
        return _zstd_codec()
    return _Codec("gzip", ".gz", _gzip, _gunzip) if compression == "gzip" else None


# --- Lines --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """Lines of JSON as they came: one after the other, or as the elements of an array."""

    array: bool = False
    codec: _Codec | None = None
    check: None = None

    @property
    def suffix(self) -> str:
        return ".json" + (self.codec.suffix if self.codec else "")

    @property
    def headers(self) -> dict[str, str]:
        content_type = {"Content-Type": "application/json" if self.array else "application/x-ndjson"}
        return content_type | ({"Content-Encoding": self.codec.name} if self.codec else {})

    @property
    def layout(self) -> str:
        return "-array" if self.array else ""

    @property
    def slow(self) -> bool:
        return self.codec is not None

    def encode(self, lines: Sequence[bytes], _: Sequence[str]) -> bytes:
        body = b"[\n" + b",\n".join(lines) + b"\n]\n" if self.array else b"\n".join(lines) + b"\n"
        return self.codec.compress(body) if self.codec else body

    def text(self, lines: Sequence[bytes], _: Sequence[str]) -> bytes:
        return b"\n".join(lines) + b"\n"

    def read_text(self, content: bytes) -> bytes | None:
        body = self.codec.decompress(content) if self.codec else content
        if body is None or not self.array:
            return body
        if not (body.startswith(b"[\n") and body.endswith(b"\n]\n")):
            return None
        # No line holds a line feed, and none that is JSON ends with a comma.
        return body[2:-2].replace(b",\n", b"\n")


NDJSON: Final = JsonFormat()


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats of a batcher's two kinds of objects. Refused records are always lines of JSON."""

    data: Format = NDJSON
    rejected: Format = NDJSON


#: JSON Lines, plain.
FORMATS: Final = Formats()


def read_formats(name: str, compression: str | None, schema: Any) -> Formats:
    """The formats behind `Batcher(format=…, compression=…)`.

    Raises:
        InvalidArgumentError: there is none of that name, or it does not go with the schema.
        ConfigurationError: the package that it needs is not installed.
    """
    if name not in get_args(FormatName):
        raise InvalidArgumentError("format", name, f"must be one of {', '.join(get_args(FormatName))}")
    if compression is not None and compression not in get_args(Compression):
        raise InvalidArgumentError("compression", compression, 'must be "gzip", "zstd" or None')
    if name == "parquet":
        from truckstream.batcher.formats.parquet import ParquetFormat  # noqa: PLC0415 - only who asks for it pays for it

        if compression not in {None, "zstd"}:
            raise InvalidArgumentError("compression", compression, "Parquet's pages are compressed with zstd")
        return Formats(ParquetFormat(schema))
    lines = JsonFormat(array=False, codec=_codec(compression))
    return Formats(replace(lines, array=name == "json"), lines)
