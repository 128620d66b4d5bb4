"""How long before its deadline a record is sent at the latest: as long as responses take lately, and again as long.

A record that is sent with a few milliseconds left fails before its response comes, and nobody knows whether it is
stored. Under a lasting overload that would be every record: the oldest go first, and all of them are about to expire.
So a record with too little time left is not sent any more, and those behind it arrive.

The time follows the slowest response at once, and faster ones slowly. An attempt that is cut off at its deadline shows
that responses take even longer than its time. Otherwise a service that has become slow would never get the time to
respond, and the time would never be learnt.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ResponseTime"]

#: The time to allow, as a multiple of the responses' time.
ALLOWANCE_FACTOR: Final = 2.0

#: It is never more than this share of `delivery_timeout`. And half of the time after lingering is left for sending.
MOST_SHARE: Final = 0.25

#: How much a response counts that is faster than those before.
FASTER_WEIGHT: Final = 0.1


class ResponseTime:
    """The time that responses take lately.

    Args:
        delivery_timeout: seconds from put to the outcome of a record.
        linger: seconds that a record waits for others, less than `delivery_timeout`.
    """

    __slots__ = ("_most", "_seconds")

    def __init__(self, delivery_timeout: float, linger: float) -> None:
        self._most = min(delivery_timeout * MOST_SHARE, (delivery_timeout - linger) / 2)
        self._seconds = 0.0

    @property
    def allowance(self) -> float:
        """Seconds that must be left until a record's deadline when it is sent; 0 before the first response."""
        return min(self._most, self._seconds * ALLOWANCE_FACTOR)

    def on_response(self, seconds: float) -> None:
        """The service responded to a request within `seconds`."""
        weight = FASTER_WEIGHT if seconds < self._seconds else 1.0
        self._seconds += (seconds - self._seconds) * weight

    def on_cut_off(self, seconds: float) -> None:
        """There was no response within `seconds`, when the deadline of the youngest record of a request came."""
        self._seconds = max(self._seconds, seconds)
