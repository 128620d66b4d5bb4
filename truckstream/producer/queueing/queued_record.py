"""One record on its way: what is sent, what it costs, and what became of it.

An entry lives from `put` until it is acknowledged or given up. It is the only object made for a record; the
delivery that the caller holds is this same object (`truckstream.producer.outcomes.delivery`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

if TYPE_CHECKING:  # entries are made and never decoded, so that the struct's types are not needed at run time
    from truckstream.errors import TruckstreamError  # noqa: TC004
    from truckstream.kinesis.responses import RecordResponse  # noqa: TC004
    from truckstream.producer.queueing.outbox import Outbox  # noqa: TC004

__all__ = ["ENTRY_OVERHEAD_BYTES", "Entry", "cost_of", "largest_size"]

#: What a record costs beside its data and key: this object (about 200 bytes), the data's object header (33), and its
#: places in queues and requests. Measured with tracemalloc over 100,000 buffered records of 498 bytes, Python 3.11:
#: 260 bytes a record of few keys; 520 where each record has a key of its own.
ENTRY_OVERHEAD_BYTES = 500


def cost_of(size: int) -> int:
    """Bytes of the buffer's budget that a record takes whose data and key have `size` bytes."""
    return size + ENTRY_OVERHEAD_BYTES


def largest_size(cost: int) -> int:
    """The largest record, data and key together, that takes no more than `cost` bytes."""
    return max(0, cost - ENTRY_OVERHEAD_BYTES)


class Entry(msgspec.Struct, eq=False):
    """A record between `put` and its outcome.

    A struct, because one is made for each record: 0.18 µs, where a class with slots takes 0.36 (Python 3.11). And the
    garbage collector does not look at a struct as long as it looks at none of its fields: see `Outbox`.
    """

    data: bytes
    #: What stands behind the data in a request's body, made of the keys.
    tail: bytes
    partition_key: str
    explicit_hash_key: str | None
    #: Bytes of data and key, as the service counts them.
    size: int
    outbox: Outbox
    # Set by `put`: its time, and what flush ends with it.
    put_at: float = 0.0
    epoch: int = 0
    #: Requests that carried it.
    attempts: int = 0
    #: An attempt ended without telling whether it was stored.
    maybe_duplicate: bool = False
    #: It was in a bundle that the service refused as malformed, and now goes by itself.
    alone: bool = False
    # The outcome: at most one of the two is ever set, and only once.
    answer: RecordResponse | None = None
    error: TruckstreamError | None = None

    #: A record that is sent by itself has none; a `Bundle` of records has.
    members: ClassVar[None] = None

    @property
    def cost(self) -> int:
        """Bytes of the buffer's budget, held until the outcome."""
        return cost_of(self.size)

    @property
    def settled(self) -> bool:
        return self.answer is not None or self.error is not None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.size} bytes for {self.partition_key!r}: {self._state()}>"

    def _state(self) -> str:
        outcome = "acknowledged" if self.answer else repr(self.error) if self.error else "under way"
        return f"{outcome}, {self.attempts} attempts"
