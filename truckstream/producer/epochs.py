"""What a flush waits for: the records that were put before it, and none of those put since.

An entry belongs to the epoch in which it was put, and a flush ends an epoch.
"""

from __future__ import annotations

__all__ = ["Epochs"]


class Epochs:
    """The records without an outcome, by epoch."""

    __slots__ = ("_unsettled", "current", "flushed")

    def __init__(self) -> None:
        #: What a record that is put now belongs to.
        self.current = 1
        #: What was put up to this epoch need not wait for company.
        self.flushed = 0
        self._unsettled: dict[int, int] = {1: 0}

    def put(self) -> int:
        """A record is put: its epoch."""
        self._unsettled[self.current] += 1
        return self.current

    def settle(self, epoch: int, records: int = 1) -> None:
        """Records of `epoch` have their outcome."""
        self._unsettled[epoch] -= records

    @property
    def is_single(self) -> bool:
        """Whether all records without an outcome are of the current epoch."""
        return len(self._unsettled) == 1

    def end(self) -> int:
        """End the current epoch; the number to ask `is_flushed` about."""
        self.flushed = self.current
        self.current += 1
        self._unsettled[self.current] = 0
        return self.flushed

    def is_flushed(self, epoch: int) -> bool:
        """Whether every record put up to `epoch` has its outcome."""
        for ended in [ended for ended, count in self._unsettled.items() if count == 0 and ended != self.current]:
            del self._unsettled[ended]
        return all(unsettled > epoch for unsettled in self._unsettled)
