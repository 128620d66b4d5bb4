"""A tenure: the time from taking a lease to losing it, releasing it or ending its shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from truckstream.consumer.leases.lease_changes import holder_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.consumer.leases.lease import Checkpoint, Lease, PendingCheckpoint
    from truckstream.consumer.leases.options import LeaseOptions

__all__ = ["Tenure", "TenureListener"]


class TenureListener(Protocol):
    """The messages to the reader of the shards. The calls are made on the event loop and return at once."""

    def began(self, tenure: Tenure) -> None:
        """Read from `tenure.start`: the parent shards are done, and the previous owner has finished."""

    def wanted(self, tenure: Tenure) -> None:
        """Finish and save, then call `LeaseManager.release`: another worker is to take over.

        It takes over without that after `hand_over_timeout`.
        """

    def lost(self, tenure: Tenure) -> None:
        """Stop delivering at once. Later saves raise `LeaseLostError`."""


class Tenure:
    """One uninterrupted hold of one lease by this worker. Leases that are taken again get another tenure."""

    def __init__(self, lease: Lease, options: LeaseOptions, *, sent_at: float, clock: Callable[[], float]) -> None:
        self.key = lease.key
        self.shard_id = lease.shard_id
        self.stream = lease.stream
        self.hash_range = lease.hash_range
        #: The checkpoint when the lease was taken.
        self.start: Checkpoint = lease.checkpoint
        #: Work that the previous owner had announced and not completed.
        self.pending: PendingCheckpoint | None = lease.pending
        #: The lease as this worker wrote or read it last.
        self.lease = lease
        #: The checkpoint to write with the next renewal.
        self.noted: Checkpoint | None = None
        self._noted_at = 0.0
        self._options = options
        self._clock = clock
        self._worker_id = lease.owner
        self._renewed_at = sent_at
        self._retry_at = 0.0
        self._is_over = False
        self._asked_at: float | None = None
        self._request_was_seen = False
        #: Whether the lease is being released: another worker may have it before the response comes.
        self.is_closing = False
        #: Whether this worker has agreed to hand the lease over.
        self.is_wanted = False

    @property
    def is_held(self) -> bool:
        """Whether no other worker can have the lease, by this worker's clock.

        Check it before each delivery: a process that was stopped for a while resumes with its timers late.
        """
        return self.may_write and not self.is_closing

    @property
    def may_write(self) -> bool:
        """Whether the lease can still be written.

        A release can be written even after the lease has expired: the table refuses it if another worker has taken
        the lease since.
        """
        return not self._is_over and (self.is_closing or self._clock() < self.expires_at)

    @property
    def expires_at(self) -> float:
        """When other workers may have the lease at the earliest, if it is not renewed.

        The worker that asked for it takes it `hand_over_timeout` and a lease's duration after it asked. This worker
        learns of the request within that duration, by its next write at the latest, or else has lost the lease.
        """
        expires_at = self._renewed_at + self._options.lease_duration
        return (
            expires_at if self._asked_at is None else min(expires_at, self._asked_at + self._options.hand_over_timeout)
        )

    @property
    def next_write_at(self) -> float:
        """When to renew: a third of the lease's duration after the last write, or when a noted checkpoint is due."""
        due = self._renewed_at + self._options.renewal_interval
        if self.noted is not None:
            due = min(due, self._noted_at + self._options.checkpoint_interval)
        return max(due, self._retry_at)

    # --- For the shell --------------------------------------------------------------------------

    def note(self, checkpoint: Checkpoint, now: float) -> None:
        """Keep a checkpoint for the next write."""
        if self.noted is None:
            self._noted_at = now
        self.noted = checkpoint

    def written(self, after: Lease, *, sent_at: float, noted: Checkpoint | None) -> None:
        """Take over a write that succeeded, which was sent at `sent_at` and covers the checkpoint `noted`."""
        self._set_lease(after)
        self._renewed_at = max(self._renewed_at, sent_at)
        if self.noted is noted:
            self.noted = None
        elif noted is not None:
            self._noted_at = sent_at

    def write_failed(self, now: float) -> None:
        """Repeat a renewal whose outcome is unknown after a moment."""
        self._retry_at = now + self._options.retry_interval

    def adopt(self, found: Lease | None) -> bool:
        """Take over the lease as it was read after a refused write; False if another worker has taken it.

        The counter is the same, or 1 higher after a write of this worker whose response was lost. Any other worker that
        took the lease changed both the counter and the holder.
        """
        if found is None or self._is_over:
            return False
        if holder_of(found) != self._worker_id or found.counter - self.lease.counter not in {0, 1}:
            return False
        self._set_lease(found)
        return True

    def _set_lease(self, lease: Lease) -> None:
        self.lease = lease
        if not self.is_asked_for:
            self._asked_at, self._request_was_seen = None, False
        elif self._asked_at is None:
            self._asked_at = self._clock()

    def end(self) -> bool:
        """End the tenure; False if it had ended before."""
        was_over, self._is_over = self._is_over, True
        return not was_over

    # --- Hand-over ------------------------------------------------------------------------------

    @property
    def is_asked_for(self) -> bool:
        """Whether another worker has asked for the lease."""
        return self.lease.checkpoint_owner is not None

    def saw_request_before(self) -> bool:
        """Return whether this was called before about the same request."""
        before, self._request_was_seen = self._request_was_seen, True
        return before

    def __repr__(self) -> str:
        state = "over" if self._is_over else "wanted" if self.is_wanted else "held"
        return f"<Tenure of {self.key}: {state}, from {self.start.sequence_number}>"
