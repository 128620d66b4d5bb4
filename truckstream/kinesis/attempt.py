"""The progress of one attempt at a request: can the service have received it, and can it still be withdrawn?

The sender of a request needs both answers at the moment when a record's time is up, and cannot wait for the call to
end. A request that waits for credentials, a proxy or a connection is withdrawn: it is certainly not sent, whatever
happens next. A request whose sending has begun goes on, and its records may be stored.

    UNREPORTED                                  the client does not report its progress, so anything is possible
    PREPARING -> SENDING -> SENT                the way of a request
    PREPARING -> WITHDRAWN                      no byte of it may be sent any more
    SENT -> PREPARING                           the service has rejected it, and it is signed and sent again

The sender sets `current_attempt` for the task that makes the call. So a client that wraps another one, or that knows
nothing of attempts, keeps the plain interface of `StreamClient`.
"""

from __future__ import annotations

import enum
from contextvars import ContextVar
from typing import Final

from truckstream.kinesis.failures import FailureKind, RequestFailedError

__all__ = ["Attempt", "current_attempt"]


class _Stage(enum.Enum):
    """A stage of an attempt; the value completes the sentence "the attempt ended"."""

    UNREPORTED = "before its client returned"
    PREPARING = "before it was sent: it waited for credentials, a proxy or a connection"
    WITHDRAWN = "before it was sent: it was withdrawn"
    SENDING = "before its last byte was sent"
    SENT = "before its response was complete"


class Attempt:
    """One attempt at one request."""

    __slots__ = ("_stage",)

    def __init__(self) -> None:
        self._stage = _Stage.UNREPORTED

    @property
    def may_have_arrived(self) -> bool:
        """Whether the service can have received the whole request."""
        return self._stage in {_Stage.UNREPORTED, _Stage.SENT}

    @property
    def progress(self) -> str:
        """How far it has come; the text completes the sentence "the attempt ended"."""
        return self._stage.value

    # --- For the client ---------------------------------------------------------------------------

    def prepare(self) -> None:
        """Note that nothing was sent, or that the service has rejected all that was."""
        if self._stage is not _Stage.WITHDRAWN:
            self._stage = _Stage.PREPARING

    def begin(self) -> None:
        """Note that the first byte is about to be sent.

        Raises:
            RequestFailedError: the request was withdrawn. Nothing of it may be sent.
        """
        if self._stage is _Stage.WITHDRAWN:
            raise RequestFailedError(FailureKind.NOT_SENT, "Withdrawn", f"the attempt ended {self.progress}")
        self._stage = _Stage.SENDING

    def finish(self) -> None:
        """Note that the last byte may have been sent."""
        self._stage = _Stage.SENT

    # --- For the sender ---------------------------------------------------------------------------

    def withdraw(self) -> bool:
        """Keep the request from being sent. Return False if it is too late for that."""
        if self._stage is _Stage.PREPARING:
            self._stage = _Stage.WITHDRAWN
        return self._stage is _Stage.WITHDRAWN

    def __repr__(self) -> str:
        return f"<Attempt {self._stage.name.lower()}>"


#: The attempt that the running task makes, if its caller wants to know the progress.
current_attempt: Final[ContextVar[Attempt | None]] = ContextVar("current_attempt", default=None)
