"""What a local Kinesis is started with: checked once, and the same for this process and for another."""

from __future__ import annotations

import math

import msgspec

from truckstream.errors import InvalidArgumentError
from truckstream.local.faults.fault import Fault, FaultPlan
from truckstream.local.protocol.signature import Credentials
from truckstream.local.service.state.memory_cap import DEFAULT_BYTES, LEAST_BYTES

__all__ = ["Options"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `LocalKinesis` that do not tell where it runs; see there.

    Raises:
        InvalidArgumentError: one is out of its range.
    """

    stream: str = "truck-sensor-stream"
    shards: int = 1
    quotas: bool | float = True
    max_bytes: int | None = DEFAULT_BYTES
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    transition_seconds: float = 0.0
    tls: bool = False
    #: Empty for no look at signatures.
    credentials: tuple[Credentials, ...] = ()

    def __post_init__(self) -> None:
        if self.shards < 1:
            raise InvalidArgumentError("shards", self.shards, "must be at least 1")
        if self.quotas is not False and not 0 < self.quotas < math.inf:
            raise InvalidArgumentError("quotas", self.quotas, "must be True, False or a positive number")
        if not 0 <= self.port <= 65_535:  # noqa: PLR2004 - 16 bits
            raise InvalidArgumentError("port", self.port, "must be from 0 to 65535")
        if not 0 <= self.transition_seconds < math.inf:
            raise InvalidArgumentError("transition_seconds", self.transition_seconds, "must be at least 0")
        if self.max_bytes is not None and self.max_bytes < LEAST_BYTES:
            raise InvalidArgumentError("max_bytes", self.max_bytes, f"must be None or at least {LEAST_BYTES}")

    @property
    def quota_scale(self) -> float:
        """What multiplies the service's rates."""
        return math.inf if self.quotas is False else float(self.quotas)

    @property
    def plan(self) -> FaultPlan:
        """The faults with their seed."""
        return FaultPlan(*self.faults, seed=self.seed)
