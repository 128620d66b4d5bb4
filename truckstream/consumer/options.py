"""The options of a consumer, and the rules for their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from truckstream.checks import check_number
from truckstream.consumer.leases.lease import LATEST, TRIM_HORIZON
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.limits import MIB

__all__ = ["CheckpointMode", "ConsumerOptions", "Outside", "Start"]

Start: TypeAlias = Literal["TRIM_HORIZON", "LATEST"] | datetime
CheckpointMode: TypeAlias = Literal["after", "manual"]
Outside: TypeAlias = Literal["deliver", "drop"]

#: A page of GetRecords has up to 10 MiB; with less than this a shard that is behind would be read in small pieces.
LEAST_PREFETCH_BYTES: Final = 1 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
    """The options of a consumer, as `Consumer` documents them.

    Raises:
        InvalidArgumentError: an option is out of range or of another type.
    """

    application: str | None
    start: Start
    shards: Sequence[str] | None
    checkpoint: CheckpointMode
    lease_duration: float
    max_leases: int | None
    hand_over_timeout: float
    checkpoint_interval: float | None
    prefetch_bytes: int
    max_batch_records: int | None
    outside: Outside
    fan_out: bool | str
    open_timeout: float

    def __post_init__(self) -> None:
        self._check_names()
        self._check_words()
        check_number("lease_duration", self.lease_duration, 1)
        check_number("hand_over_timeout", self.hand_over_timeout, 0)
        if self.checkpoint_interval is not None:
            check_number("checkpoint_interval", self.checkpoint_interval, 0.001, self.lease_duration)
        check_number("prefetch_bytes", self.prefetch_bytes, LEAST_PREFETCH_BYTES, whole=True)
        check_number("open_timeout", self.open_timeout, 0.001)
        for option in ("max_leases", "max_batch_records"):
            if (value := getattr(self, option)) is not None:
                check_number(option, value, 1, whole=True)

    @property
    def start_time(self) -> float | None:
        """Seconds since the epoch, for a start at a time."""
        return self.start.timestamp() if isinstance(self.start, datetime) else None

    def _check_names(self) -> None:
        if self.application is not None and (not isinstance(self.application, str) or not self.application):
            rule = "must be the name that all workers of the application share, as a str, or None"
            raise InvalidArgumentError("application", self.application, rule)
        if self.shards is None:
            return
        is_list = isinstance(self.shards, Sequence) and not isinstance(self.shards, str)
        if not is_list or not self.shards or not all(isinstance(each, str) for each in self.shards):
            raise InvalidArgumentError("shards", self.shards, "must be a list of shard ids, or None for all shards")
        if self.application is not None:
            rule = "must be None with an application, whose workers share all shards"
            raise InvalidArgumentError("shards", self.shards, rule)

    @property
    def longest_checkpoint_interval(self) -> float:
        """Seconds within which an automatic checkpoint is written."""
        return self.lease_duration / 2 if self.checkpoint_interval is None else self.checkpoint_interval

    @property
    def fan_out_name(self) -> str | None:
        """The name of the registered consumer with enhanced fan-out; None without it."""
        if isinstance(self.fan_out, str):
            return self.fan_out
        return (self.application or "truckstream") if self.fan_out else None

    def _check_words(self) -> None:
        if not (isinstance(self.start, datetime) or self.start in (TRIM_HORIZON, LATEST)):
            rule = 'must be "TRIM_HORIZON", "LATEST" or a datetime'
            raise InvalidArgumentError("start", self.start, rule)
        if isinstance(self.start, datetime) and self.start.tzinfo is None:
            raise InvalidArgumentError("start", self.start, "must have a time zone: datetime(..., tzinfo=UTC)")
        if self.checkpoint not in ("after", "manual"):
            raise InvalidArgumentError("checkpoint", self.checkpoint, 'must be "after" or "manual"')
        if not isinstance(self.fan_out, bool | str) or self.fan_out == "":
            rule = "must be True, False or the name of a registered consumer"
            raise InvalidArgumentError("fan_out", self.fan_out, rule)
        if self.outside not in ("deliver", "drop"):
            raise InvalidArgumentError("outside", self.outside, 'must be "deliver" or "drop"')
