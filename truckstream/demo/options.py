"""The options of a run, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DemoOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The options of a run."""

    seconds: float
    shards: int
    trucks: int
    #: Records per second of the whole fleet; None fills the shards.
    rate: float | None
    #: Share of the records that break a rule.
    invalid: float
    #: The directory that takes the place of the bucket: an absolute path.
    out: Path
    #: Where the caller will save the report. A run only starts if this file can be written.
    report_file: Path | None
    seed: int
    #: Seconds that pass for the trucks in one second.
    time_lapse: float = 1.0
    #: Records share compressed Kinesis records; see `Producer`.
    compression: str | None = None

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("seconds", self.seconds, 0.1, 24 * 3600.0),
            ("shards", self.shards, 1, 64),
            ("trucks", self.trucks, 1, 100_000),
            ("rate", self.rate, 0.1, 1e6),
            ("invalid", self.invalid, 0.0, 1.0),
            ("time_lapse", self.time_lapse, 0.1, 1_000.0),
        ):
            if value is not None and not low <= value <= high:
                raise InvalidArgumentError(name, value, f"must be from {low:g} to {high:g}")
