"""The options of a local Kinesis, checked once. This process and a child process start from the same object."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from truckstream.errors import InvalidArgumentError
from truckstream.local.faults.fault import Fault, FaultPlan
from truckstream.local.http.security.allowed_hosts import check_host_name
from truckstream.local.protocol.signature import Credentials
from truckstream.local.service.state.memory_cap import DEFAULT_BYTES, LEAST_BYTES

__all__ = ["ACCOUNT_ID", "REGION_NAME", "Options"]

ACCOUNT_ID: Final = "000000000000"
REGION_NAME: Final = "us-east-1"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of `LocalKinesis` that do not depend on the process that serves; see there.

    Raises:
        InvalidArgumentError: an option is out of its range.
    """

    stream: str = "truck-sensor-stream"
    shards: int = 1
    quotas: bool | float = True
    max_bytes: int | None = DEFAULT_BYTES
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    allowed_hosts: tuple[str, ...] = ()
    transition_seconds: float = 0.0
    tls: bool = False
    #: Empty if signatures are not checked.
    credentials: tuple[Credentials, ...] = ()

    def __post_init__(self) -> None:
        if self.shards < 1:
            raise InvalidArgumentError("shards", self.shards, "must be at least 1")
        if self.quotas is not False and not 0 < self.quotas < math.inf:
            raise InvalidArgumentError("quotas", self.quotas, "must be True, False or a positive number")
        if not 0 <= self.port <= 65_535:  # noqa: PLR2004 - 16 bits
            raise InvalidArgumentError("port", self.port, "must be from 0 to 65535")
        for name in self.allowed_hosts:
            check_host_name(name)
        if not 0 <= self.transition_seconds < math.inf:
            raise InvalidArgumentError("transition_seconds", self.transition_seconds, "must be at least 0")
        if self.max_bytes is not None and self.max_bytes < LEAST_BYTES:
            raise InvalidArgumentError("max_bytes", self.max_bytes, f"must be None or at least {LEAST_BYTES}")

    @property
    def quota_scale(self) -> float:
        """Factor of the service's quotas and rates; infinite for none."""
        return math.inf if self.quotas is False else float(self.quotas)

    @property
    def plan(self) -> FaultPlan:
        """The faults with their seed."""
        return FaultPlan(*self.faults, seed=self.seed)

    @property
    def stream_arn(self) -> str:
        """The ARN of the stream that exists from the start."""
        return f"arn:aws:kinesis:{REGION_NAME}:{ACCOUNT_ID}:stream/{self.stream}"
