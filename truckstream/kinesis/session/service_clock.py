"""An estimate of the service's clock: ours, until the service rejects a signature for its time."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["ServiceClock"]

#: A Date header has whole seconds. A smaller correction than this would not make a rejected signature valid.
LEAST_SKEW_SECONDS = 2.0

#: Kinesis began in November 2013, so a clock before that, or of the far future, is not the service's. A correction to
#: the year 9999 would make times that no datetime can hold, so that no request could be signed any more.
EARLIEST = datetime(2013, 11, 14, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class ServiceClock:
    """Our clock plus a correction. All times are seconds since the epoch."""

    def __init__(self) -> None:
        #: Seconds that the service is ahead of us.
        self.offset = 0.0

    def at(self, now: float) -> float:
        """Return the service's time at our `now`."""
        return now + self.offset

    def correct(self, date: str | None, now: float, signed_with: float) -> bool:
        """Correct the clock by the Date header of a response that rejected a signature for its time.

        Args:
            date: the Date header.
            now: our time when the response came.
            signed_with: the `offset` when the request was signed; another rejection may have corrected the clock since.

        Returns:
            Whether a signature with the corrected clock differs enough from the rejected one to be worth sending.
        """
        try:
            service_time = parsedate_to_datetime(date or "")
        except ValueError:
            return False
        service_time = service_time.replace(tzinfo=service_time.tzinfo or UTC)  # HTTP's dates are in UTC
        if not EARLIEST <= service_time <= LATEST:
            return False
        offset = service_time.timestamp() - now
        if abs(offset - self.offset) >= LEAST_SKEW_SECONDS:
            self.offset = offset
        return abs(self.offset - signed_with) >= LEAST_SKEW_SECONDS
