"""The kinds of findings of an audit, and their meaning for its result."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

__all__ = ["FINDING_KINDS", "AuditFinding", "FindingKind", "Severity"]

#: - problem: records are missing, stored twice or changed.
#: - unclear: the audit could not tell, because the store was changing, or a part of it could not be read.
Severity = Literal["problem", "unclear"]

FindingKind = Literal[
    "hole",
    "half_group",
    "duplicate",
    "overlap",
    "out_of_order",
    "damaged",
    "compacted",
    "missing",
    "doubled",
    "altered",
    "waiting",
    "count",
    "given_up",
    "unreadable",
    "no_objects",
    "no_metadata",
]

#: Each kind's severity and meaning.
FINDING_KINDS: Final[dict[FindingKind, tuple[Severity, str]]] = {
    "hole": ("problem", "an object names a record before it, or a part of its aggregate, that no object holds"),
    "half_group": ("problem", "an object's partner with the other records of the group is missing"),
    "duplicate": ("problem", "two objects hold the same records of a group"),
    "overlap": ("problem", "two groups hold the same records"),
    "out_of_order": ("problem", "an object's time and its sequence numbers contradict those before it"),
    "damaged": ("problem", "an object's bytes are not those that were stored"),
    "compacted": ("problem", "a compacted file is missing or changed, or two files hold the same object"),
    "missing": ("problem", "records of the stream are in no object"),
    "doubled": ("problem", "records are in the objects more often than in the stream"),
    "altered": ("problem", "records in the objects differ from those in the stream"),
    "waiting": ("unclear", "records at the end of the stream have waited for long and are in no object yet"),
    "count": ("problem", "an hour's objects hold another number of records than the stream took"),
    "given_up": ("problem", "Lambda gave the records up; they are in the on-failure destination only"),
    "unreadable": ("unclear", "an object was deleted or could not be read during the audit"),
    "no_objects": ("unclear", "there is no object, so nothing can be proved"),
    "no_metadata": ("unclear", "no object has metadata, so nothing can be proved"),
}


class AuditFinding(msgspec.Struct, frozen=True):
    """One thing that is wrong, or that could not be told."""

    kind: FindingKind
    severity: Severity
    text: str
    #: The objects that it is about.
    keys: tuple[str, ...] = ()
    stream: str | None = None
    shard: str | None = None
    #: Sequence numbers of the first and the last record that it is about, where they are known.
    first_sequence_number: str | None = None
    last_sequence_number: str | None = None

    @classmethod
    def of(
        cls,
        kind: FindingKind,
        text: str,
        *keys: str,
        place: tuple[str, str] | None = None,
        numbers: tuple[int | None, int | None] = (None, None),
        settled: bool = True,
    ) -> AuditFinding:
        """Return a finding about objects of a stream's shard.

        `settled` is False if the store may still have been changing there, so that it proves nothing.
        """
        severity = FINDING_KINDS[kind][0]
        if not settled:
            severity = "unclear"
            text += "; objects there are so new that this may still be under way"
        stream, shard = place or (None, None)
        first, last = (None if each is None else str(each) for each in numbers)
        return cls(kind, severity, text, keys, stream, shard, first, last)
