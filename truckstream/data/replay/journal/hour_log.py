"""The intents of one hour, which decide the records that are due, under way or replayed.

Intents are numbered, and each is created only after all earlier ones have been read (`journal.py`). So two runs at the
same time agree on their order, and no record is in two intents unless the earlier one is known not to have replayed it.
From this follow the rules:

- A record in no intent is due.
- A record is under way in the last intent that names it, until that intent has an outcome.
- It is replayed if the outcome of any intent names it. If the outcome of its last intent does not, it is due again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from truckstream.data.replay.journal.entries import Intent, Outcome

__all__ = ["HourLog", "RecordState"]

RecordState = Literal["due", "under way", "replayed"]


class HourLog:
    """The intents of an hour as far as they were read."""

    def __init__(self) -> None:
        #: The number of the next intent.
        self.next_number = 1
        #: The intents without an outcome, by number.
        self.unfinished: dict[int, Intent] = {}
        self._replayed: set[str] = set()
        #: The last intent without an outcome that names a record.
        self._under_way: dict[str, int] = {}

    def state(self, record_id: str) -> RecordState:
        """Return the state of a record."""
        if record_id in self._replayed:
            return "replayed"
        return "under way" if record_id in self._under_way else "due"

    def add(self, number: int, intent: Intent, outcome: Outcome | None = None) -> None:
        """Add the next intent. Its outcome may also be added later, by `finish`."""
        if number < self.next_number:
            raise ValueError(f"intent {number} was added before, or comes too late")
        self.next_number = number + 1
        self.unfinished[number] = intent
        for item in intent.items:
            self._under_way[item.id] = number
        if outcome is not None:
            self.finish(number, outcome)

    def finish(self, number: int, outcome: Outcome) -> None:
        """Add the outcome of an intent."""
        intent = self.unfinished.pop(number)
        self._replayed.update(intent.items[index].id for index, _ in outcome.replayed)
        for item in intent.items:
            if self._under_way.get(item.id) == number:
                del self._under_way[item.id]

    def open_items(self, number: int) -> list[int]:
        """Return the indices of the records that are under way in an unfinished intent, and in no later one."""
        items = self.unfinished[number].items
        return [
            index
            for index, item in enumerate(items)
            if item.id not in self._replayed and self._under_way.get(item.id) == number
        ]
