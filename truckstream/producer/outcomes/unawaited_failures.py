"""Failures that nobody awaited, until `flush` or the end of the context raises them together.

The first hundred deliveries are kept. Later ones are only counted: a record that failed takes no room in the buffer any
more, so all of them could take any amount of memory. A delivery that is awaited after all is counted out.

Adding one takes constant time, because 110,000 may fail at once: each knows the count that it is part of, and the kept
ones are searched only when some of them have been awaited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.errors import DeliveryErrorGroup
from truckstream.producer.outcomes.delivery import FailureCount

if TYPE_CHECKING:
    from truckstream.producer.outcomes.delivery import Delivery

__all__ = ["MAX_KEPT", "UnawaitedFailures"]

MAX_KEPT: Final = 100


class UnawaitedFailures:
    """Deliveries that failed, were not awaited, and have not been raised yet."""

    __slots__ = ("_counted", "_kept", "_kept_count")

    def __init__(self) -> None:
        self._kept: list[Delivery] = []
        # How many of the kept ones were not awaited since; and those that are only counted.
        self._kept_count = FailureCount()
        self._counted = FailureCount()

    def add(self, delivery: Delivery) -> bool:
        """Add a failed delivery. Return True if it is the first one that is only counted."""
        if self._kept_count.count < MAX_KEPT:
            if len(self._kept) >= MAX_KEPT:
                self._kept = [kept for kept in self._kept if kept.has_unawaited_failure]
            self._kept.append(delivery)
            delivery.counted_in = self._kept_count
            self._kept_count.count += 1
            return False
        counted = delivery.counted_in = self._counted
        counted.count += 1
        if counted.first_error is not None:
            return False
        counted.first_error = delivery.error
        return True

    def take(self) -> DeliveryErrorGroup | None:
        """Return the failures as an error to raise, and forget them. Return None if there are none."""
        errors = [delivery.error for delivery in self._kept if delivery.has_unawaited_failure and delivery.error]
        counted = self._counted
        total = len(errors) + counted.count
        self.clear()
        if total == 0:
            return None
        if not errors and counted.first_error is not None:
            errors = [counted.first_error]
        group = DeliveryErrorGroup(f"{total:,} records were not delivered and nobody awaited them", errors)
        group.total = total
        return group

    def clear(self) -> None:
        """Forget the failures."""
        self._kept, self._kept_count, self._counted = [], FailureCount(), FailureCount()
