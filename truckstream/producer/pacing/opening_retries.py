"""Whether the calls that open a producer are tried again: after the failures that a put survives, until a deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.kinesis.failures import TRANSIENT

if TYPE_CHECKING:
    from truckstream.kinesis.failures import RequestFailedError
    from truckstream.producer.pacing.retry_backoff import RetryBackoff

__all__ = ["OPEN_SECONDS", "OpeningRetries"]

#: Seconds that opening may take by default. A failover or a burst of starting producers is over by then, and a new
#: stream is usually ACTIVE.
OPEN_SECONDS: Final = 30.0

#: Less time than this is not worth another attempt.
LEAST_SECONDS: Final = 0.05


class OpeningRetries:
    """The attempts at opening one producer.

    Args:
        backoff: draws the pauses between them.
        deadline: when opening must end.
    """

    __slots__ = ("_attempts", "_backoff", "_deadline")

    def __init__(self, backoff: RetryBackoff, deadline: float) -> None:
        self._backoff = backoff
        self._deadline = deadline
        self._attempts = 0

    def retry_at(self, failure: RequestFailedError, now: float) -> float | None:
        """Return when to try again after `failure`; None if that would not help, or no time is left."""
        self._attempts += 1
        if failure.kind not in TRANSIENT or self._deadline - now < LEAST_SECONDS:
            return None
        return self._backoff.retry_at(self._attempts, now, self._deadline)
