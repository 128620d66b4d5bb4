"""The progress of a shard's storer and its last obstacle, for health checks and logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["LOG_SECONDS", "ShardStatus"]

#: Seconds between two log lines about a shard that is held. A wave's groups fail together, and each is tried again.
LOG_SECONDS: Final = 30.0


@dataclass(slots=True)
class ShardStatus:
    """The state of one shard. Times are seconds of the event loop's clock."""

    shard_id: str
    #: Age of the oldest record that was still to be read, in milliseconds, when records came last.
    millis_behind: int = 0
    #: Since when the next records wait, because the shard holds as many as it may; None if they do not.
    full_since: float | None = None
    #: Records that were read and are in no saved checkpoint.
    records_held: int = 0
    records_stored: int = 0
    records_rejected: int = 0
    objects_created: int = 0
    #: Existing objects that hold records of the shard, such as those of a previous owner that was killed.
    objects_found: int = 0
    #: When the groups that are being stored were begun; None if none are.
    wave_since: float | None = None
    #: Why these groups are not stored yet; None if nothing failed.
    last_error: str | None = None

    #: When a failure was logged last.
    logged_at: float | None = None

    def millis_behind_at(self, now: float) -> int:
        """Return `millis_behind`, plus the time for which the next records wait."""
        return self.millis_behind + (0 if self.full_since is None else round(1000 * (now - self.full_since)))

    def fail(self, error: Exception, now: float) -> bool:
        """Note a failure, after which the groups are tried again. Return whether it is time to log it."""
        self.last_error = str(error)
        if self.logged_at is not None and now - self.logged_at < LOG_SECONDS:
            return False
        self.logged_at = now
        return True

    def save(self, records: int) -> None:
        """Note that the groups that were being stored are in a saved checkpoint."""
        self.records_held -= records
        self.wave_since = self.last_error = self.logged_at = None
