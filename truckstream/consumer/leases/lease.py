"""A lease: one shard's item in the lease table, with the attributes of the KCL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["AT_TIMESTAMP", "LATEST", "SHARD_END", "TRIM_HORIZON", "Checkpoint", "Lease", "PendingCheckpoint"]

TRIM_HORIZON: Final = "TRIM_HORIZON"
LATEST: Final = "LATEST"
AT_TIMESTAMP: Final = "AT_TIMESTAMP"
SHARD_END: Final = "SHARD_END"


class Checkpoint(NamedTuple):
    """The last record that was processed, or one of the four words above.

    The next reader begins at this sequence number and drops the records up to and with this subsequence number.
    """

    sequence_number: str
    #: 0 for a record that was not aggregated, as in the KCL.
    subsequence_number: int = 0

    @property
    def is_ended(self) -> bool:
        """Whether the shard was processed to its end."""
        return self.sequence_number == SHARD_END


class PendingCheckpoint(NamedTuple):
    """A checkpoint that was announced before its work was done, so that a successor does the same work."""

    checkpoint: Checkpoint
    #: The application's own note, at most some kilobytes.
    state: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One lease. Every write replaces it.

    A write of the holder, or of a worker that takes the lease, adds 1 to `counter`, so that others notice it. A request
    for a hand-over does not, as in the KCL, so that the holder can go on.
    """

    #: The shard's id; with several streams `account:stream:creation:shard`, as in the KCL.
    key: str
    shard_id: str
    #: With several streams: `account:stream:creation`.
    stream: str | None = None
    owner: str | None = None
    counter: int = 0
    checkpoint: Checkpoint
    pending: PendingCheckpoint | None = None
    owner_switches: int = 0
    parent_ids: tuple[str, ...] = ()
    child_ids: tuple[str, ...] = ()
    #: Both ends included.
    hash_range: tuple[int, int] | None = None
    #: In a planned hand-over: the previous owner, which finishes and checkpoints before the new owner begins.
    checkpoint_owner: str | None = None
