"""Faults of time: late responses and a wrong clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.errors import InvalidArgumentError
from truckstream.local.faults.kinds.kind import TimingKind

if TYPE_CHECKING:
    from random import Random

    from truckstream.local.faults.kinds.kind import FaultOptions

__all__ = ["KINDS"]


class _Latency(TimingKind, frozen=True):
    def check(self, options: FaultOptions) -> None:
        if options.seconds < 0:
            raise InvalidArgumentError("seconds", options.seconds, "must be at least 0 for latency")
        if options.seconds + options.jitter <= 0:
            raise InvalidArgumentError("seconds", options.seconds, "must be over 0, or jitter must be")

    def delay(self, options: FaultOptions, random: Random) -> float:
        return options.seconds + random.random() * options.jitter


class _Skew(TimingKind, frozen=True):
    def check(self, options: FaultOptions) -> None:
        if options.seconds == 0:
            raise InvalidArgumentError("seconds", options.seconds, "must not be 0 for skew")

    def clock_skew(self, options: FaultOptions) -> float:
        return options.seconds


KINDS: Final = (
    _Latency(
        "latency",
        "The response is sent `seconds` later, and up to `jitter` more. The request is carried out when it arrives.",
        "Stored, and acknowledged late. A client that gives up cannot know.",
        frozenset({"seconds", "jitter"}),
    ),
    _Skew(
        "skew",
        "The service's clock is `seconds` ahead, in the Date header and in the check of the signature's age: a request "
        "signed over five minutes from that time is rejected with InvalidSignatureException.",
        "Nothing is stored if the request is rejected. A signature with the time of the Date header helps.",
        frozenset({"seconds"}),
    ),
)
