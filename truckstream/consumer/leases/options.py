"""The settings of leases, and the times that follow from the duration of a lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from truckstream.checks import check_number
from truckstream.consumer.leases.lease import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Checkpoint
from truckstream.errors import InvalidArgumentError

__all__ = ["LeaseOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseOptions:
    """How a worker holds leases. All workers of an application need the same values, `max_leases` excepted.

    Raises:
        InvalidArgumentError: a value breaks its rule.
    """

    #: Seconds without a renewal after which a lease is free for other workers.
    lease_duration: float = 10.0
    #: The most leases that this worker takes. By default no more than its fair share.
    max_leases: int | None = None
    #: Seconds that a worker has to finish a shard that another worker is to take over.
    hand_over_timeout: float = 30.0
    #: Seconds within which a noted checkpoint is written.
    checkpoint_interval: float = 5.0
    #: Seconds between two listings of the shards, give or take a fifth.
    shard_interval: float = 60.0
    #: Whether the shards that are listed cover all hash keys of their streams, so that one without a lease is a hole.
    covers_streams: bool = True
    #: Where an application begins that has no checkpoint yet: TRIM_HORIZON, LATEST or a time with its time zone.
    start: str | datetime = TRIM_HORIZON

    def __post_init__(self) -> None:
        check_number("lease_duration", self.lease_duration, 0.001)
        check_number("hand_over_timeout", self.hand_over_timeout, 0)
        check_number("checkpoint_interval", self.checkpoint_interval, 0)
        check_number("shard_interval", self.shard_interval, 0.001)
        if self.max_leases is not None:
            check_number("max_leases", self.max_leases, 1, whole=True)
        if isinstance(self.start, datetime):
            if self.start.tzinfo is None:
                raise InvalidArgumentError("start", self.start, "must have a time zone: add tzinfo=datetime.UTC")
        elif self.start not in {TRIM_HORIZON, LATEST}:
            raise InvalidArgumentError("start", self.start, "must be 'TRIM_HORIZON', 'LATEST' or a datetime")

    @property
    def first_checkpoint(self) -> Checkpoint:
        """The checkpoint of shards that the application has no history of."""
        return Checkpoint(AT_TIMESTAMP if isinstance(self.start, datetime) else self.start)

    @property
    def child_checkpoint(self) -> Checkpoint:
        """The checkpoint of shards that follow one that the application has read."""
        return Checkpoint(AT_TIMESTAMP if isinstance(self.start, datetime) else TRIM_HORIZON)

    @property
    def renewal_interval(self) -> float:
        """Seconds between two renewals, as in the KCL: two may fail before the lease is lost."""
        return self.lease_duration / 3

    @property
    def retry_interval(self) -> float:
        """Seconds until a failed renewal or a failed reading of the table is repeated."""
        return self.lease_duration / 10

    @property
    def read_interval(self) -> float:
        """Seconds between two readings of the table.

        A killed worker's last renewal is seen up to this much late, so that its leases are taken after at most four
        thirds of their duration.
        """
        return self.lease_duration / 3

    @property
    def busy_read_interval(self) -> float:
        """Seconds between two readings of the table while leases change hands.

        One lease of thirty-two moves at a time. With four to move, each may take a fourth of 1.5 durations.
        """
        return self.lease_duration / 20
