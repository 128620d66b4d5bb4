"""The groups of a shard from its objects: find the two objects of a group, duplicates, and missing partners.

The valid and the rejected records of a group are in two objects with the same first and last number, the same count of
records, and the same name. Each record of the group has a line in one of them.

Several groups may begin with the same number: a long aggregate makes several, and a stream may repeat numbers. They
have different names and digests. Two objects of one kind with the same numbers and the same digest hold the same
records: one is a duplicate.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from truckstream.data.audit.findings import AuditFinding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from truckstream.data.audit.objects.audited_object import AuditedObject

__all__ = ["StoredGroupObjects", "assemble", "check_group"]


class StoredGroupObjects(NamedTuple):
    """The objects of one group: of its valid records, of its rejected ones, or both."""

    objects: tuple[AuditedObject, ...]

    @property
    def main(self) -> AuditedObject:
        return self.objects[0]

    @property
    def first(self) -> int:
        return int(self.main.first)

    @property
    def last(self) -> int:
        return int(self.main.last)

    @property
    def previous(self) -> int | None:
        """The number of the record before the group, if one of its objects states it."""
        known = [each.previous for each in self.objects if each.previous is not None]
        return int(known[0]) if known else None

    @property
    def lines(self) -> int:
        return sum(each.lines for each in self.objects)

    @property
    def modified(self) -> float:
        return max(each.modified for each in self.objects)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(each.key for each in self.objects)

    @property
    def part(self) -> tuple[int, int] | None:
        """Where in its aggregate the group begins, and how many records the aggregate has; None for other groups."""
        return next((each.part for each in self.objects if each.part is not None), None)

    @property
    def begins_inside_aggregate(self) -> bool:
        return self.main.kinesis_records == 0 or self.previous == self.first


def assemble(objects: Iterable[AuditedObject]) -> Iterator[tuple[StoredGroupObjects, list[AuditFinding]]]:
    """Yield a shard's groups from its objects in order, each with the duplicates of its objects."""
    for _, same in groupby(objects, key=lambda each: (each.first, each.last)):
        kept: dict[tuple[object, ...], AuditedObject] = {}
        duplicates: dict[str, list[AuditFinding]] = defaultdict(list)
        for each in same:
            original = kept.setdefault((each.kind, each.records, each.digest), each)
            if original is not each:
                duplicates[original.key].append(_duplicate(original, each))
        # The parts of an aggregate come in their order.
        for group in sorted(_pair(list(kept.values())), key=_place_in_aggregate):
            yield group, [finding for each in group.objects for finding in duplicates[each.key]]


def _place_in_aggregate(group: StoredGroupObjects) -> tuple[bool, int]:
    return group.begins_inside_aggregate, group.part[0] if group.part else 0


def _pair(objects: Sequence[AuditedObject]) -> Iterator[StoredGroupObjects]:
    """Divide objects with the same numbers into groups. There is one group, but for the cases above."""
    by_records: dict[int, list[AuditedObject]] = defaultdict(list)
    for each in objects:
        by_records[each.records].append(each)
    for same in by_records.values():
        kinds = [each.kind for each in same]
        if kinds.count("valid") <= 1 and kinds.count("rejected") <= 1:
            yield from _by_kind(same)
            continue
        by_name: dict[str, list[AuditedObject]] = defaultdict(list)
        for each in same:
            by_name[each.name].append(each)
        for named in by_name.values():
            yield from _by_kind(named)


def _by_kind(named: Sequence[AuditedObject]) -> Iterator[StoredGroupObjects]:
    """Pair objects of one name, the first of each kind, the second of each kind, and so on, if they fit together."""
    valid, rejected = ([each for each in named if each.kind == kind] for kind in ("valid", "rejected"))
    for one, other in zip_longest(valid, rejected):
        pair = tuple(each for each in (one, other) if each is not None)
        if sum(each.lines for each in pair) <= pair[0].records:
            yield StoredGroupObjects(pair)
        else:  # the same records, judged by two schemas
            yield from (StoredGroupObjects((each,)) for each in pair)


def _duplicate(original: AuditedObject, copy: AuditedObject) -> AuditFinding:
    return AuditFinding.of(
        "duplicate",
        f"{copy.key} holds the same {copy.lines:,} records as {original.key}",
        original.key,
        copy.key,
        place=copy.place,
        numbers=copy.numbers,
    )


def check_group(
    group: StoredGroupObjects, *, settled: bool, has_partner_without_metadata: Callable[[str], bool]
) -> list[AuditFinding]:
    """Return what is wrong with a group: its objects must have a line for each of its records."""
    main = group.main
    missing = main.records - group.lines
    if not missing:
        return []
    if missing < 0:
        text = f"{' and '.join(group.keys)}: {group.lines:,} lines for a group of {main.records:,} records"
        return [AuditFinding.of("damaged", text, *group.keys, place=main.place, numbers=main.numbers)]
    if len(group.objects) == 1 and has_partner_without_metadata(main.name):
        return []
    kinds = {each.kind for each in group.objects}
    other = {"valid": "rejected", "rejected": "valid"}[main.kind] if len(kinds) == 1 else "valid or rejected"
    text = f"{' and '.join(group.keys)}: the object of the group's {missing:,} {other} records is missing"
    return [
        AuditFinding.of("half_group", text, *group.keys, place=main.place, numbers=main.numbers, settled=settled),
    ]
