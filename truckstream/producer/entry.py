"""One record on its way: what is sent, what it costs, and what became of it.

An entry lives from `put` until it is acknowledged or given up. It is the only object made for a record; the
delivery that the caller holds is this same object (`truckstream.producer.delivery`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from truckstream.kinesis.encoding import decode_data, encoded_size

if TYPE_CHECKING:
    from truckstream.errors import TruckstreamError
    from truckstream.kinesis.client import RecordAnswer
    from truckstream.producer.outbox import Outbox

__all__ = ["ENTRY_OVERHEAD_BYTES", "Entry", "cost_of", "largest_size"]

#: What a record costs beside its piece: this object (about 200 bytes), the piece's object header (33), and its
#: places in queues and requests. Measured with tracemalloc over 100,000 buffered records of 498 bytes, Python 3.11:
#: 260 bytes a record, and room to spare.
ENTRY_OVERHEAD_BYTES = 400


def cost_of(size: int) -> int:
    """Bytes of the buffer's budget that a record takes whose data and key have `size` bytes: it is kept encoded."""
    return encoded_size(size) + ENTRY_OVERHEAD_BYTES


def largest_size(cost: int) -> int:
    """The largest record, data and key together, that takes no more than `cost` bytes."""
    return max(0, (3 * (cost - ENTRY_OVERHEAD_BYTES) + 2) // 4)


class Entry:
    """A record between `put` and its outcome."""

    __slots__ = (
        "alone",
        "answer",
        "attempts",
        "cost",
        "epoch",
        "error",
        "explicit_hash_key",
        "maybe_duplicate",
        "outbox",
        "partition_key",
        "piece",
        "put_at",
        "size",
    )

    #: A record that is sent by itself has none; a `Bundle` of records has.
    members: ClassVar[None] = None

    def __init__(
        self,
        piece: bytes,
        partition_key: str,
        explicit_hash_key: str | None,
        *,
        size: int,
        outbox: Outbox,
    ) -> None:
        #: The record as it stands in a request's body; a retry sends the same. With aggregation: its data while it
        #: waits, and nothing while it is in a bundle, which holds it encoded.
        self.piece = piece
        self.partition_key = partition_key
        self.explicit_hash_key = explicit_hash_key
        #: Bytes of data and key, as the service counts them.
        self.size = size
        #: Bytes of the buffer's budget, held until the outcome.
        self.cost = cost_of(size)
        self.outbox = outbox
        # Set by `put`: its time, and what flush ends with it.
        self.put_at = 0.0
        self.epoch = 0
        #: Requests that carried it.
        self.attempts = 0
        #: An attempt ended without telling whether it was stored.
        self.maybe_duplicate = False
        #: It was in a bundle that the service refused as malformed, and now goes by itself.
        self.alone = False
        # The outcome: at most one of the two is ever set, and only once.
        self.answer: RecordAnswer | None = None
        self.error: TruckstreamError | None = None

    @property
    def data(self) -> bytes:
        """The record's data, decoded again at each call."""
        return decode_data(self.piece)

    @property
    def settled(self) -> bool:
        return self.answer is not None or self.error is not None
