"""The records that broke a rule: how many for each reason, and the last ones."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.dashboard.view.texts import short_text, short_value

if TYPE_CHECKING:
    from truckstream.errors import InvalidRecordError

__all__ = ["Rejection", "Rejections"]

#: Rejected records that are kept, and reasons that are counted by themselves. The product has 12 reasons; a schema of
#: the user's may have any.
LATEST: Final = 20
MOST_REASONS: Final = 24
OTHER: Final = "other reasons"


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """One rejected record. Its texts are shortened."""

    version: int
    time: float
    #: The partition key, which names the truck if the record was put as the fleet does.
    key: str
    reason: str
    field: str | None
    value: str
    rule: str

    @classmethod
    def of(cls, error: InvalidRecordError, key: str, version: int, now: float) -> Rejection:
        """Return the rejection of a record for which validation raised `error`."""
        return cls(
            version=version,
            time=now,
            key=short_text(key),
            reason=short_text(error.code),
            field=None if error.field is None else short_text(error.field),
            value=short_value(error.value),
            rule=short_text(error.rule),
        )


class Rejections:
    """The rejected records of one view."""

    def __init__(self) -> None:
        self.version = 0
        self.reasons: Counter[str] = Counter()
        self.latest: deque[Rejection] = deque(maxlen=LATEST)

    def add(self, rejection: Rejection) -> None:
        """Count a rejected record, and keep it for a while."""
        self.version = rejection.version
        is_known = rejection.reason in self.reasons or len(self.reasons) < MOST_REASONS
        self.reasons[rejection.reason if is_known else OTHER] += 1
        self.latest.append(rejection)
