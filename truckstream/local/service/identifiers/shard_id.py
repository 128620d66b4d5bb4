"""Shard IDs. The service accepts the number of a shard for its ID: `7`, `shardId-7` and `any-7` are one shard [rec]."""

from __future__ import annotations

from typing import Final

__all__ = ["full_id", "id_of"]

_LARGEST: Final = 2**31 - 1


def id_of(index: int) -> str:
    """Return the ID of shard number `index` of a stream."""
    return f"shardId-{index:012}"


def full_id(text: str) -> str | None:
    """Return the full ID for `text`, or None if it cannot be a shard ID."""
    number = text.split("-")[1] if "-" in text else text
    if not (number.isascii() and number.isdigit()) or int(number) > _LARGEST:
        return None
    return id_of(int(number))
