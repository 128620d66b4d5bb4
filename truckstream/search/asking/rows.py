"""Rows of an answer, the same from both engines.

A row has the fields of the schema in their order, then the record's place in the stream. A field that a record does not
have is None. The newest record comes first, by its arrival; records that arrived at the same time are in the order of
their numbers in the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError
from truckstream.record import TruckRecord
from truckstream.search.language.fields import all_names, search_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DEFAULT_LIMIT", "Row", "SearchOptions", "arrival_text", "row_maker"]

Row: TypeAlias = dict[str, Any]

DEFAULT_LIMIT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """Which records are looked for, and how many rows are wanted.

    Args:
        since: with a time zone. Only records that arrived in Kinesis from then on.
        until: likewise, before this time.
        limit: the most rows.
        schema: the type of the records.

    Raises:
        InvalidArgumentError: an option breaks a rule.
    """

    since: datetime | None = None
    until: datetime | None = None
    limit: int = DEFAULT_LIMIT
    schema: Any = TruckRecord

    def __post_init__(self) -> None:
        check_number("limit", self.limit, 1, 1_000_000, whole=True)
        for name, time in (("since", self.since), ("until", self.until)):
            if time is not None and time.tzinfo is None:
                raise InvalidArgumentError(name, time, "must have a time zone, such as datetime.now(UTC)")


def row_maker(schema: Any) -> Callable[[Mapping[str, Any]], Row]:
    """Return the function that makes the row of a record's values."""
    names = all_names(schema)
    numbers = [field.name for field in search_fields(schema).values() if field.kind == "number"]

    def make_row(source: Mapping[str, Any]) -> Row:
        row = {name: source.get(name) for name in names}
        for name in numbers:
            # A number of JSON such as 65 is an integer to one engine, and 65.0 to the other.
            value = row[name]
            if value is not None:
                row[name] = float(value)
        return row

    return make_row


def arrival_text(time: datetime) -> str:
    """Return a time as the field of the arrival holds it: in UTC, with milliseconds, without a time zone."""
    in_utc = time.astimezone(UTC) if time.tzinfo is not None else time
    return in_utc.replace(tzinfo=None).isoformat(" ", "milliseconds")
