"""Which records a flush waits for: those put before it, and none of those put since.

A record belongs to the epoch in which it was put, and a flush ends an epoch.
"""

from __future__ import annotations

__all__ = ["FlushEpochs"]


class FlushEpochs:
    """The number of records without an outcome, by epoch."""

    __slots__ = ("_ended", "current", "flushed", "unsettled")

    def __init__(self) -> None:
        #: The epoch of a record that is put now, and how many of its records have no outcome. Each put adds one.
        self.current = 1
        self.unsettled = 0
        #: Records of this epoch and of earlier ones do not linger.
        self.flushed = 0
        self._ended: dict[int, int] = {}

    @property
    def has_ended_ones(self) -> bool:
        """Whether records of an earlier epoch than the current one may have no outcome."""
        return bool(self._ended)

    def settle(self, epoch: int, records: int = 1) -> None:
        """Count `records` of `epoch` as having their outcome."""
        if epoch == self.current:
            self.unsettled -= records
        else:
            self._ended[epoch] -= records

    @property
    def pending(self) -> int:
        """The number of records without an outcome."""
        return self.unsettled + sum(self._ended.values())

    def end(self) -> int:
        """End the current epoch and return its number, to pass to `is_flushed`."""
        self._ended[self.current] = self.unsettled
        self.flushed = self.current
        self.current += 1
        self.unsettled = 0
        return self.flushed

    def is_flushed(self, epoch: int) -> bool:
        """Return whether every record of `epoch` and of earlier ones has its outcome."""
        while (oldest := next(iter(self._ended), None)) is not None and self._ended[oldest] == 0:
            del self._ended[oldest]
        return oldest is None or oldest > epoch
