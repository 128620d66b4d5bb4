"""An account's minimum throughput billing commitment.

"Commitments have a minimum duration of 24 hours that must be honored before they can be disabled. If you attempt to
disable a commitment before the minimum commitment period ends, the commitment will be scheduled for automatic disable
at the earliest allowed end time. You can cancel a pending disable by enabling the commitment again before the earliest
allowed end time." (API, MinimumThroughputBillingCommitmentInput)
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["ThroughputCommitment"]

_MINIMUM_SECONDS: Final = 86_400.0


class ThroughputCommitment:
    """When the commitment of an account began, and when it ends."""

    def __init__(self) -> None:
        self._started_at: float | None = None
        self._ends_at: float | None = None

    def is_on(self, now: float) -> bool:
        return self._started_at is not None and (self._ends_at is None or now < self._ends_at)

    def enable(self, now: float) -> None:
        if not self.is_on(now):
            self._started_at = now
        self._ends_at = None

    def disable(self, now: float) -> None:
        if self.is_on(now) and self._started_at is not None:
            self._ends_at = max(now, self._started_at + _MINIMUM_SECONDS)

    def describe(self, now: float) -> dict[str, Any]:
        """Return the API's `MinimumThroughputBillingCommitmentOutput`."""
        if self._started_at is None:
            return {"Status": "DISABLED"}
        state: dict[str, Any] = {"StartedAt": self._started_at}
        if not self.is_on(now):
            return state | {"Status": "DISABLED", "EndedAt": self._ends_at}
        state["EarliestAllowedEndAt"] = self._started_at + _MINIMUM_SECONDS
        return state | {"Status": "ENABLED" if self._ends_at is None else "ENABLED_UNTIL_EARLIEST_ALLOWED_END"}
