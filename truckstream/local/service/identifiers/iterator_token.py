"""Shard iterators and page tokens: opaque to the client, and complete for the server.

The server keeps no table of iterators. A token contains the stream (with its creation time, so that an iterator does
not outlive a deleted stream), the position, and the time of issue. It is not signed, because it is no security
boundary.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from truckstream.local.service.errors import RefusedError, invalid
from truckstream.local.service.quotas import limits

__all__ = ["PageToken", "ShardIterator", "open_iterator", "open_page", "seal"]


class ShardIterator(msgspec.Struct, frozen=True, array_like=True, tag="iterator"):
    """The place in a shard where the next read begins."""

    stream_name: str
    created_at: float
    shard_id: str
    place: int
    issued_at: float


class PageToken(msgspec.Struct, frozen=True, array_like=True, tag="page"):
    """The position of the next page. `filter` is the ShardFilter of the first request."""

    stream_name: str
    created_at: float
    after: str
    filter: dict[str, str | float] | None
    issued_at: float


_TOKEN_VERSION: Final = bytes([0, 0, 0, 0, 0, 0, 0, 1])
_BLOCK: Final = 16
_FEWEST_BLOCKS: Final = 9

_Token = TypeVar("_Token", ShardIterator, PageToken)


def seal(token: ShardIterator | PageToken) -> str:
    """Return the token as text.

    It is as long as one of the service, which consists of a version and nine or more blocks of 16 bytes [rec], so that
    a client that stores tokens reserves enough space.
    """
    text = msgspec.json.encode(token)
    blocks = max(-(-len(text) // _BLOCK), _FEWEST_BLOCKS)
    return base64.b64encode(_TOKEN_VERSION + text.ljust(_BLOCK * blocks)).decode()


def open_iterator(text: str, now: float) -> ShardIterator:
    """Return the iterator in `text`.

    Raises:
        RefusedError: `text` is no iterator, or the iterator is older than five minutes.
    """
    token = _open(text, ShardIterator)
    if token is None:
        raise invalid("Invalid ShardIterator.")  # [rec]
    if now - token.issued_at > limits.ITERATOR_SECONDS:
        text = (  # [rec]
            f"Iterator expired. The iterator was created at time {_java_time(token.issued_at)} while right now it is "
            f"{_java_time(now)} which is further in the future than the tolerated delay of "
            f"{limits.ITERATOR_SECONDS * 1000} milliseconds."
        )
        raise RefusedError("ExpiredIteratorException", text)
    return token


def open_page(text: str, now: float) -> PageToken:
    """Return the page token in `text`.

    Raises:
        RefusedError: `text` is no page token, or the token is older than five minutes.
    """
    token = _open(text, PageToken)
    if token is None:
        raise invalid("Invalid NextToken.")
    if now - token.issued_at > limits.TOKEN_SECONDS:
        raise RefusedError("ExpiredNextTokenException", "The pagination token passed to the operation is expired.")
    return token


def _open(text: str, kind: type[_Token]) -> _Token | None:
    try:
        sealed = binascii.a2b_base64(text, strict_mode=True)
        return msgspec.json.decode(sealed.removeprefix(_TOKEN_VERSION), type=kind)
    except (ValueError, msgspec.MsgspecError):
        return None


def _java_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
