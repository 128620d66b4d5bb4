"""The byte budget for records between `put` and their outcome.

A record is charged for its data, its key and an overhead, which is larger for long keys. With `ordered=True` each key
that has records without an outcome is charged too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sized

    from truckstream.producer.queueing.outbox import QueuedRecord

__all__ = [
    "LANE_BYTES",
    "MAX_OVERHEAD_BYTES",
    "RECORD_OVERHEAD_BYTES",
    "BufferBudget",
    "cost_of",
    "largest_size",
    "overhead_of",
]

#: The memory of a record beside its data and key: the `Delivery` (about 200 bytes), the data's object header (33), and
#: its places in queues and requests. Measured with tracemalloc over 100,000 buffered records of 498 bytes, Python 3.11:
#: 260 bytes a record if there are few keys, 520 if each record has a key of its own.
BARE_RECORD_BYTES: Final = 260
RECORD_OVERHEAD_BYTES: Final = 500

#: No overhead is larger: not that of a key of 255 characters that JSON writes with six bytes, and one that makes Python
#: keep each with four.
MAX_OVERHEAD_BYTES: Final = 3_000

#: The memory of a key with `ordered=True` beside its records, measured in the same way: a lane, its deque of 64 places
#: and its entry in the dict take 840 to 1,000 bytes.
LANE_BYTES: Final = 1_000


def overhead_of(key_size: int, key_memory: int) -> int:
    """Bytes of the budget that a record takes beside its data and the `key_size` bytes of its key.

    The record holds its key twice, as text and in the encoding of its request: `key_memory` bytes, which it may share
    with no other record. They exceed the usual overhead if the key has more than 128 characters, or fewer that are not
    ASCII.
    """
    return max(RECORD_OVERHEAD_BYTES, BARE_RECORD_BYTES + key_memory - key_size)


def cost_of(size: int, overhead: int = RECORD_OVERHEAD_BYTES) -> int:
    """Bytes of the budget that a record takes whose data and key have `size` bytes."""
    return size + overhead


def largest_size(cost: int, overhead: int = RECORD_OVERHEAD_BYTES) -> int:
    """The size of the largest record, data and key together, that takes at most `cost` bytes of the budget."""
    return max(0, cost - overhead)


class BufferBudget:
    """The bytes that buffered records may take.

    Args:
        limit: the whole budget, in bytes.
        lanes: the keys whose order is kept; the budget only counts them.
    """

    __slots__ = ("_lanes", "limit", "used_bytes")

    def __init__(self, limit: int, lanes: Sized) -> None:
        self.limit = limit
        self._lanes = lanes
        #: Bytes that records take. The lanes come on top: see `free_bytes`.
        self.used_bytes = 0

    def has_room(self, cost: int) -> bool:
        """Return whether a record that takes `cost` bytes fits."""
        return cost <= self.free_bytes

    def reserve(self, cost: int) -> bool:
        """Charge `cost` bytes for a record. Return False, and charge nothing, if it does not fit."""
        if not self.has_room(cost):
            return False
        self.used_bytes += cost
        return True

    def charge(self, size: int, records: list[QueuedRecord]) -> None:
        """Charge `size` bytes that `records` take together from now on, to those that were never sent before.

        The others were charged for their first attempt. The limit may be exceeded; then no record is accepted until it
        is not.
        """
        share = -(-size // len(records))
        for record in records:
            if record.attempts == 1:
                record.cost += share
                self.used_bytes += share

    def release(self, cost: int) -> None:
        """Return to the budget the bytes that records took."""
        self.used_bytes -= cost

    @property
    def free_bytes(self) -> int:
        """Bytes that neither records nor lanes take. Negative when new lanes took more than was left."""
        return self.limit - self.used_bytes - len(self._lanes) * LANE_BYTES
