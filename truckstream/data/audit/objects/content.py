"""Check an object's bytes against its metadata, and read the records in them.

The SHA-256 proves the bytes. An object of an earlier version has none: then at least the number of its lines is
compared, and the seal that every Parquet object has.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.batcher.formats.compression import codec_for
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from truckstream.batcher.storing.object_metadata import ObjectProof
    from truckstream.data.audit.objects.audited_object import AuditedObject

__all__ = ["RejectedLine", "find_damage", "lines_of", "read_rejected", "read_rows", "reasons_of"]

#: The end of a line of an array.
_ARRAY_END: Final = re.compile(rb",?\n")


class RejectedLine(msgspec.Struct):
    """The parts of a line below `rejected/` that an audit needs."""

    reason: str
    sequence_number: str
    subsequence_number: int | None = None
    data: str | None = None
    data_base64: str | None = None

    @property
    def payload(self) -> bytes | None:
        """The record's bytes; None if the event had none."""
        if self.data_base64 is not None:
            return base64.b64decode(self.data_base64)
        return None if self.data is None else self.data.encode()


_decode_rejected: Final = msgspec.json.Decoder(RejectedLine).decode


def find_damage(each: AuditedObject, proof: ObjectProof, content: bytes | None) -> str | None:
    """Return what is wrong with an object's bytes; None if nothing is known to be.

    `content` is None if the object was not read: then only its size is compared.
    """
    size = each.size if content is None else len(content)
    if proof.size is not None and size != int(proof.size):
        return f"{size:,} bytes, and {int(proof.size):,} were stored"
    if content is None:
        return None
    if proof.sha256 is not None:
        return None if sha256(content).hexdigest() == proof.sha256 else "the SHA-256 is not that of the stored bytes"
    return _find_damage_in_lines(each, content)


def _find_damage_in_lines(each: AuditedObject, content: bytes) -> str | None:
    try:
        records = read_rows(content) if each.suffix == ".parquet" else lines_of(each, content)
    except ConfigurationError:  # a package is not installed: nothing is known
        return None
    if records is None:
        return "these are not the records that its name promises"
    return None if len(records) == each.lines else f"{len(records):,} records, and {each.lines:,} were stored"


def lines_of(each: AuditedObject, content: bytes) -> list[bytes] | None:
    """Return the lines of an object of JSON; None if it is none.

    Raises:
        ConfigurationError: the package for zstd is not installed.
    """
    compression = {".json.gz": "gzip", ".json.zst": "zstd"}.get(each.suffix)
    body = codec_for(compression).decompress(content) if compression else content
    if body is None or each.suffix == ".parquet":
        return None
    if each.layout.endswith("-array") and each.kind == "valid":
        if not (body.startswith(b"[\n") and body.endswith(b"\n]\n")):
            return None
        body = _ARRAY_END.sub(b"\n", body[2:-2])
    return body[:-1].split(b"\n") if body.endswith(b"\n") else None


def read_rows(content: bytes) -> Any:
    """Return the rows of an object of Parquet; None if it is none, or if it was changed.

    Raises:
        ConfigurationError: the package for Parquet is not installed.
    """
    from truckstream.batcher.formats.parquet import read_sealed  # noqa: PLC0415 - an optional package

    return read_sealed(content)


def read_rejected(each: AuditedObject, content: bytes) -> list[RejectedLine] | None:
    """Return the lines of an object of rejected records; None if they cannot be read."""
    try:
        lines = lines_of(each, content)
        return None if lines is None else [_decode_rejected(line) for line in lines]
    except (ConfigurationError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def reasons_of(each: AuditedObject, content: bytes) -> Counter[str] | None:
    """Return how many of the records were rejected for each reason; None if the lines cannot be read."""
    lines = read_rejected(each, content)
    return None if lines is None else Counter(line.reason for line in lines)
