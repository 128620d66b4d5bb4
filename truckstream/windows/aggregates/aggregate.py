"""The interface of an aggregate. Any object with these methods can be one."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Accumulator", "Field", "WindowAggregate", "value_getter"]

#: The name of an attribute of the record, or a function of the record.
Field = str | Callable[[Any], Any]


class Accumulator(Protocol):
    """The aggregate of one window and key while its records come."""

    def add(self, values: Sequence[Any]) -> None:
        """Add values, of which none is None, in the order of their records.

        How the values are divided over several calls must make no difference, to the last bit: after a restart, they
        are divided in another way.
        """

    def merge(self, other: Any) -> None:
        """Add the values of another accumulator of the same aggregate, which is not used afterwards."""

    def value(self) -> Any:
        """Return the aggregate. The window may go on."""

    def state(self) -> Any:
        """Return the state as lists, dictionaries, numbers, texts and None, from which `restore` makes it."""


class WindowAggregate(Protocol):
    """Makes the accumulators of one aggregate."""

    @property
    def field(self) -> Field | None:
        """The values to aggregate; None for the whole record."""

    def new(self) -> Accumulator:
        """Return an accumulator without values."""

    def restore(self, state: Any) -> Accumulator:
        """Return the accumulator that had this state."""


def value_getter(field: Field) -> Callable[[Any], Any]:
    """Return the function that reads a field of a record.

    Raises:
        InvalidArgumentError: it is neither a name nor a function.
    """
    if isinstance(field, str) and field:
        return attrgetter(field)
    if callable(field):
        return field
    raise InvalidArgumentError("field", field, "must be the name of an attribute, or a function of the record")
