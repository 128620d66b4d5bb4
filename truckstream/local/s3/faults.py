"""Which requests to the local S3 fail, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

__all__ = ["KINDS", "S3Fault", "S3Faults"]

#: Kind of fault -> the status and the code of the response; None if there is none.
KINDS: Final[dict[str, tuple[int, str] | None]] = {
    "slow-down": (503, "SlowDown"),
    "internal-error": (500, "InternalError"),
    "access-denied": (403, "AccessDenied"),
    "reset-before": None,
    "reset-after": None,
    "stall": None,
}


@dataclass(frozen=True, slots=True)
class S3Fault:
    """A fault of requests for objects, and of listings.

    Args:
        kind: slow-down (503), internal-error (500) or access-denied (403), each before anything is stored; reset-before
            closes the connection before the request is carried out, reset-after when it has been, and stall does
            neither for a minute.
        rate: share of the requests that it strikes, from 0 to 1.
        count: the most requests that it strikes.
        method: HTTP method of the requests for objects, or LIST for listings of the bucket; None for all.

    Raises:
        InvalidArgumentError: there is no such kind, or an option is out of range.
    """

    kind: str
    rate: float = 1.0
    count: int | None = None
    method: str | None = "PUT"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidArgumentError("kind", self.kind, f"must be one of {', '.join(KINDS)}")
        if not 0 <= self.rate <= 1:
            raise InvalidArgumentError("rate", self.rate, "must be from 0 to 1")
        if self.count is not None and self.count < 1:
            raise InvalidArgumentError("count", self.count, "must be at least 1")


class S3Faults:
    """The faults that are set, and how often each kind has struck."""

    def __init__(self) -> None:
        self.hits: dict[str, int] = {}
        self._faults: list[tuple[S3Fault, list[int]]] = []

    def set(self, faults: Sequence[S3Fault]) -> None:
        """Replace the faults, and begin to count anew."""
        self.hits = {}
        self._faults = [(fault, [0]) for fault in faults]

    def strike(self, method: str, random: Random) -> str | None:
        """Return the kind of the first fault that strikes a request, or None."""
        for fault, struck in self._faults:
            if fault.method not in {None, method} or (fault.count is not None and struck[0] >= fault.count):
                continue
            if random.random() < fault.rate:
                struck[0] += 1
                self.hits[fault.kind] = self.hits.get(fault.kind, 0) + 1
                return fault.kind
        return None
