"""Which rows of an answer have changed since the last time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["ChangeKind", "Row", "RowChange", "changes_between"]

Row: TypeAlias = tuple[Any, ...]
ChangeKind: TypeAlias = Literal["insert", "update", "delete"]


class RowChange(NamedTuple):
    """One row that came, changed or went."""

    kind: ChangeKind
    #: The row as it is now; of a deleted row, as it was.
    row: Row


def changes_between(before: Sequence[Row], after: Sequence[Row], key: Sequence[int] | None) -> list[RowChange]:
    """Return the changes that make one answer of the other, in the order of the later answer; deleted rows come last.

    Args:
        before: the earlier answer.
        after: the later answer.
        key: the places of the columns that identify a row; None if only whole rows differ.
    """
    if key is not None:
        old, new = _by_key(before, key), _by_key(after, key)
        if len(old) == len(before) and len(new) == len(after):
            return [
                *(RowChange("insert" if each not in old else "update", row) for each, row in _changed(old, new)),
                *(RowChange("delete", row) for each, row in old.items() if each not in new),
            ]
    # Rows that differ in no column are counted.
    return [
        *(RowChange("insert", row) for row in _beyond(after, before)),
        *(RowChange("delete", row) for row in _beyond(before, after)),
    ]


def _changed(old: dict[Any, Row], new: dict[Any, Row]) -> Iterator[tuple[Any, Row]]:
    """Yield the rows that are new, or differ from the old one with their key."""
    for each, row in new.items():
        if each not in old or _hashable(row) != _hashable(old[each]):
            yield each, row


def _by_key(rows: Iterable[Row], key: Sequence[int]) -> dict[Any, Row]:
    return {_hashable([row[place] for place in key]): row for row in rows}


def _beyond(rows: Iterable[Row], others: Iterable[Row]) -> list[Row]:
    """Return the rows that the others do not have, or have less often."""
    left = Counter(map(_hashable, others))
    found = []
    for row in rows:
        key = _hashable(row)
        if left[key] > 0:
            left[key] -= 1
        else:
            found.append(row)
    return found


def _hashable(value: Any) -> Any:
    """Return a value that is equal where the value is: lists and structs of DuckDB have no hash, NaN equals nothing."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_hashable, value))
    if isinstance(value, dict):
        return tuple((name, _hashable(each)) for name, each in value.items())
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        return "NaN"
    return value
