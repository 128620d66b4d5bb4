"""The failures that nobody awaited, until `flush` or the end of the context raises them together.

The first hundred are kept. The rest are only counted, because a record that failed holds no room in the buffer any
more, and all of them could take any amount of memory. One that is awaited after all takes itself off that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truckstream.errors import DeliveryErrorGroup

if TYPE_CHECKING:
    from truckstream.errors import TruckstreamError
    from truckstream.producer.outcomes.delivery import Delivery

__all__ = ["KEPT", "Surplus", "Unnoticed"]

KEPT: Final = 100


@dataclass(slots=True)
class Surplus:
    """Those that are only counted, with the first one's error."""

    count: int = 0
    error: TruckstreamError | None = None


class Unnoticed:
    """Deliveries that failed, were not awaited, and are not raised yet."""

    __slots__ = ("_kept", "_surplus")

    def __init__(self) -> None:
        self._kept: list[Delivery] = []
        self._surplus = Surplus()

    def add(self, delivery: Delivery) -> bool:
        """Note one; True if it is the first of those that are only counted."""
        if len(self._kept) >= KEPT:
            self._kept = [kept for kept in self._kept if kept.unnoticed_failure]
        if len(self._kept) < KEPT:
            self._kept.append(delivery)
            return False
        surplus = delivery.surplus = self._surplus
        surplus.count += 1
        if surplus.error is not None:
            return False
        surplus.error = delivery.error
        return True

    def take(self) -> DeliveryErrorGroup | None:
        """What is to be raised; after that all of it counts as raised."""
        errors = [delivery.error for delivery in self._kept if delivery.unnoticed_failure and delivery.error]
        surplus = self._surplus
        total = len(errors) + surplus.count
        self.clear()
        if total == 0:
            return None
        if not errors and surplus.error is not None:
            errors = [surplus.error]
        group = DeliveryErrorGroup(f"{total:,} records were not delivered and nobody awaited them", errors)
        group.total = total
        return group

    def clear(self) -> None:
        """They are somebody else's to raise."""
        self._kept, self._surplus = [], Surplus()
