"""The failures that nobody awaited, until `flush` or the end of the context raises them together.

The first hundred are kept. Of more only the number is, because a record that failed holds no room in the buffer any
more, and all of them could take any amount of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.errors import DeliveryErrorGroup

if TYPE_CHECKING:
    from truckstream.producer.delivery import Delivery

__all__ = ["KEPT", "Unnoticed"]

KEPT: Final = 100


class Unnoticed:
    """Deliveries that failed, were not awaited, and are not raised yet."""

    __slots__ = ("_kept", "_more")

    def __init__(self) -> None:
        self._kept: list[Delivery] = []
        self._more = 0

    def add(self, delivery: Delivery) -> bool:
        """Note one; True if it is the first of those that are only counted."""
        if len(self._kept) >= KEPT:
            self._kept = [kept for kept in self._kept if kept.unnoticed_failure]
        if len(self._kept) < KEPT:
            self._kept.append(delivery)
            return False
        self._more += 1
        return self._more == 1

    def take(self) -> DeliveryErrorGroup | None:
        """What is to be raised; after that all of it counts as raised."""
        errors = [delivery.error for delivery in self._kept if delivery.unnoticed_failure and delivery.error]
        total = len(errors) + self._more
        self.clear()
        if not errors:
            return None
        group = DeliveryErrorGroup(f"{total:,} records were not delivered and nobody awaited them", errors)
        group.total = total
        return group

    def clear(self) -> None:
        """They are somebody else's to raise."""
        self._kept, self._more = [], 0
