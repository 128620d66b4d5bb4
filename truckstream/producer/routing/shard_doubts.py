"""Shards that may be closed, because a response contradicted the shard map.

A shard is in doubt from the first response that names another shard for one of its records. Its range may have been
divided, so until the map is right again only records of one key surely lie together: see `Bundle.pack`.

The doubt ends in one of two ways. Usually the next map has closed the shard. If the map still has it, the listing may
be older than the reshard, so it proves nothing by itself. But a closed shard stores nothing: if the shard stores a
record of a request that was sent after that listing, it was open all the time, and the response that contradicted the
map was wrong. The shard is in doubt for ever if a service always misreports; only its aggregates are smaller then.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.producer.queueing.outbox import Outbox

__all__ = ["ShardDoubts"]


class ShardDoubts:
    """The outboxes of shards that are in doubt."""

    __slots__ = ("_listed_at",)

    def __init__(self) -> None:
        #: Since then the shard has been in a listing that followed the doubt; infinity if none followed yet.
        self._listed_at: dict[Outbox, float] = {}

    def __len__(self) -> int:
        """The number of shards in doubt."""
        return len(self._listed_at)

    def begin(self, outbox: Outbox) -> bool:
        """A response contradicts the map about the shard of `outbox`. Return whether it was not in doubt before."""
        is_new = not outbox.is_doubted
        outbox.is_doubted = True
        self._listed_at.setdefault(outbox, math.inf)
        return is_new

    def on_listing(self, now: float) -> None:
        """The shards were listed, and the outboxes of those that are gone are closed."""
        self._listed_at = {
            outbox: min(listed_at, now) for outbox, listed_at in self._listed_at.items() if not outbox.is_closed
        }

    def on_stored(self, outbox: Outbox, sent_at: float) -> None:
        """The shard stored a record of a request that was sent at `sent_at`."""
        if sent_at > self._listed_at.get(outbox, math.inf):
            outbox.is_doubted = False
            del self._listed_at[outbox]
