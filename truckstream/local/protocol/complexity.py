"""Refuses documents of so many values that they take memory and time out of proportion to their bytes.

A list or map of one or two bytes takes 60 as an object, so that a body of 16 MiB would become a gigabyte. The largest
request of an SDK has 500 records with three members each, and is large because of the data in it. Small bodies are not
looked at: they cannot become large objects.
"""

from __future__ import annotations

from typing import Final

__all__ = ["is_complex_cbor", "is_complex_json"]

#: Bytes of a body that is not looked at, which can become up to 64 MiB.
_SMALL: Final = 1024 * 1024
#: Number of values. JSON has more, because 500 partition keys of 256 characters can consist of what separates values.
_MOST_JSON: Final = 500_000
_MOST_CBOR: Final = 50_000
_BYTES: Final = 2
_TEXT: Final = 3


def is_complex_json(body: bytes) -> bool:
    """Return whether a JSON document may have too many values."""
    return len(body) > _SMALL and sum(map(body.count, (b",", b"[", b"{"))) > _MOST_JSON


def is_complex_cbor(body: bytes) -> bool:
    """Return whether a CBOR document has too many values.

    The values are counted as they follow each other, whether they are inside of others or not.
    """
    if len(body) <= _SMALL:
        return False
    at = 0
    for _ in range(_MOST_CBOR):
        if at >= len(body):
            return False
        major, length = body[at] >> 5, body[at] & 31
        at += 1
        if 24 <= length <= 27:  # noqa: PLR2004 - RFC 8949: the argument follows in 1, 2, 4 or 8 bytes
            size = 1 << (length - 24)
            length = int.from_bytes(body[at : at + size])
            at += size
        elif length > 27:  # noqa: PLR2004 - indefinite: the parts or members are values that follow
            length = 0
        if major in {_BYTES, _TEXT}:
            at += length
    return True
