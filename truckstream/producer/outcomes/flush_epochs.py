"""What a flush waits for: the records that were put before it, and none of those put since.

An entry belongs to the epoch in which it was put, and a flush ends an epoch.
"""

from __future__ import annotations

__all__ = ["Epochs"]


class Epochs:
    """The records without an outcome, by epoch."""

    __slots__ = ("_ended", "current", "flushed", "unsettled")

    def __init__(self) -> None:
        #: What a record that is put now belongs to, and how many of it have no outcome: each put adds one.
        self.current = 1
        self.unsettled = 0
        #: What was put up to this epoch need not wait for company.
        self.flushed = 0
        self._ended: dict[int, int] = {}

    def settle(self, epoch: int, records: int = 1) -> None:
        """Records of `epoch` have their outcome."""
        if epoch == self.current:
            self.unsettled -= records
        else:
            self._ended[epoch] -= records

    @property
    def pending(self) -> int:
        """Records without an outcome."""
        return self.unsettled + sum(self._ended.values())

    def end(self) -> int:
        """End the current epoch; the number to ask `is_flushed` about."""
        self._ended[self.current] = self.unsettled
        self.flushed = self.current
        self.current += 1
        self.unsettled = 0
        return self.flushed

    def is_flushed(self, epoch: int) -> bool:
        """Whether every record put up to `epoch` has its outcome."""
        while (oldest := next(iter(self._ended), None)) is not None and self._ended[oldest] == 0:
            del self._ended[oldest]
        return oldest is None or oldest > epoch
