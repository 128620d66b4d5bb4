"""How a shard is called. The service takes its number for its ID: `7`, `shardId-7`, `any-7` are one shard [rec]."""

from __future__ import annotations

from typing import Final

__all__ = ["full_id", "id_of"]

_LARGEST: Final = 2**31 - 1


def id_of(index: int) -> str:
    """The ID of the stream's shard number `index`."""
    return f"shardId-{index:012}"


def full_id(text: str) -> str | None:
    """The ID that `text` stands for; None where it can't be a shard's."""
    number = text.split("-")[1] if "-" in text else text
    if not (number.isascii() and number.isdigit()) or int(number) > _LARGEST:
        return None
    return id_of(int(number))
