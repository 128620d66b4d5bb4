"""The service's clock, as far as it is known: ours, until the service refuses a signature for its time."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["ServiceClock"]

#: A Date header has whole seconds. A correction of less than this would not make a refused signature valid.
LEAST_SKEW_SECONDS = 2.0


class ServiceClock:
    """Our clock plus what it is known to be off. All times are seconds since the epoch."""

    def __init__(self) -> None:
        #: Seconds that the service is ahead of us.
        self.offset = 0.0

    def at(self, now: float) -> float:
        """The service's time at our `now`."""
        return now + self.offset

    def correct(self, date: str | None, now: float, signed_with: float) -> bool:
        """Learn from the Date header of an answer that came at `now` and refused a signature for its time.

        Args:
            date: the header.
            now: our time.
            signed_with: what `offset` was when the request was signed: another request's refusal may have set the
                clock right since.

        Returns:
            Whether to sign with the clock as it is now makes a difference to the refused request.
        """
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return False
        # HTTP's dates are in UTC, whether they say so or not.
        offset = told.replace(tzinfo=told.tzinfo or UTC).timestamp() - now
        if abs(offset - self.offset) >= LEAST_SKEW_SECONDS:
            self.offset = offset
        return abs(self.offset - signed_with) >= LEAST_SKEW_SECONDS
