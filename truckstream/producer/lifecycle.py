"""The states of a producer, and the legal transitions between them.

    NEW -> OPENING -> OPEN -> CLOSING -> DISCONNECTING -> CLOSED

Other ways: a producer that is closed before it was opened goes from NEW to CLOSED. One that fails to open goes from
OPENING to DISCONNECTING, and one that is closed meanwhile to CLOSING. The copy of a producer in a forked process is
FORKED, for good.

Every change of state passes `Lifecycle.to`, which raises before anything changes if the table does not have it.
"""

from __future__ import annotations

import enum
from typing import Final

from truckstream.errors import ProducerClosedError

__all__ = ["TRANSITIONS", "IllegalTransitionError", "Lifecycle", "State"]


class State(enum.Enum):
    """A state of a producer."""

    #: It was never opened.
    NEW = "not open"
    #: It connects. It takes no records yet.
    OPENING = "opening, not open"
    #: It takes records and sends them.
    OPEN = "open"
    #: It takes no more records, and sends those that it has.
    CLOSING = "closing"
    #: It sends no more requests. Every record has its outcome.
    DISCONNECTING = "disconnecting"
    CLOSED = "closed"
    #: It is a copy in another process, and leaves the records and connections to its parent.
    FORKED = "closed by a fork"


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.NEW: frozenset({State.OPENING, State.CLOSED}),
    State.OPENING: frozenset({State.OPEN, State.CLOSING, State.DISCONNECTING, State.FORKED}),
    State.OPEN: frozenset({State.CLOSING, State.FORKED}),
    State.CLOSING: frozenset({State.DISCONNECTING, State.FORKED}),
    State.DISCONNECTING: frozenset({State.CLOSED, State.FORKED}),
    State.CLOSED: frozenset(),
    State.FORKED: frozenset(),
}

#: States after the last request.
_ENDED: Final = {State.DISCONNECTING, State.CLOSED, State.FORKED}

_NOT_OPEN: Final = "the producer is not open: use it as `async with Producer(...) as producer`"
_CLOSED: Final = "the producer is closed"

#: The reason why a producer takes no records in a state.
_TAKES_NO_RECORDS: Final = {
    State.NEW: _NOT_OPEN,
    State.OPENING: _NOT_OPEN,
    State.CLOSING: _CLOSED,
    State.DISCONNECTING: _CLOSED,
    State.CLOSED: _CLOSED,
    State.FORKED: "this process was forked from the one that opened the producer: make a new one",
}


class IllegalTransitionError(RuntimeError):
    """The producer has a defect: it tried a transition that the table does not have."""


class Lifecycle:
    """The state of one producer."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = State.NEW

    def to(self, state: State) -> None:
        """Change the state.

        Raises:
            IllegalTransitionError: the present state has no transition to `state`. Nothing changes.
        """
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransitionError(f"a producer cannot go from {self.state.name} to {state.name}")
        self.state = state

    @property
    def has_ended(self) -> bool:
        """Whether the last request was sent and every record has its outcome."""
        return self.state in _ENDED

    def require_new(self) -> None:
        """Check that the producer was never opened or closed.

        Raises:
            ProducerClosedError: it was.
        """
        if self.state is not State.NEW:
            raise ProducerClosedError("a producer can be opened only once: make a new one")

    def require_open(self) -> None:
        """Check that the producer takes records.

        Raises:
            ProducerClosedError: it does not; the message has the reason.
        """
        if reason := _TAKES_NO_RECORDS.get(self.state):
            raise ProducerClosedError(reason)
