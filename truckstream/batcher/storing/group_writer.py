"""Store one group: the object of its valid records and the object of its rejected ones.

The group counts as stored only if both objects are.

- The object that holds the group's first record is the *main object*. It is stored first, because its creation decides
  where the group ends (see `grouping/plan.py`). Every delivery that groups from that record on meets the same main
  object, because each delivery judges a record in the same way. The *second object* is made for exactly the main
  object's records; a redelivery finds the main object and completes the group. A group of rejected records only has
  no second object.
- A stored group may go on after the event's last record. If the event were acknowledged then, the next event would
  begin inside the group and store the rest of it again. So the group counts as not stored, and Lambda delivers it again
  from its first record. The exception is a group whose redelivery would begin where this event begins: it would change
  nothing, and making progress is worth up to a group of duplicates.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from truckstream.batcher.result import StoredGroup
from truckstream.batcher.storing.redelivery import Coverage
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from truckstream.batcher.grouping.plan import Group
    from truckstream.batcher.result import Receipt
    from truckstream.batcher.storing.object_writer import ObjectWriter, WrittenObject

__all__ = ["GroupWriter"]

_logger = logging.getLogger("truckstream.batcher")


class GroupWriter:
    """Stores groups of one event.

    Args:
        valid: writes objects of valid records.
        rejected: writes objects of rejected records.
    """

    def __init__(self, valid: ObjectWriter, rejected: ObjectWriter) -> None:
        self._valid = valid
        self._rejected = rejected

    async def write(self, group: Group) -> StoredGroup:
        """Store the group, or find that it is stored.

        Raises:
            StoreError: not all of it is stored.
        """
        start = group.start
        main_writer, second_writer = self._writers(start)
        main = await main_writer.write(start, group.stop)
        _check_end(main, main_writer, start)
        stop = main.coverage.stop
        others, others_end = await self._write_second(second_writer, start, stop)
        unwritten: Coverage | None = None
        if main.end_is_guessed and not others:
            unwritten = await self._find_second(second_writer, start, stop)
            others_end = unwritten.stop if unwritten else stop
        # Content shows lines only: the group may have gone on with records whose lines are in the second object.
        lines = main_writer.lines
        stop = max(stop, lines.boundaries.at_or_before(min(others_end, lines.next_line(stop))))
        if main.end_is_guessed and not main.coverage.beyond_event:
            if unwritten and not unwritten.beyond_event and not second_writer.lines.count(stop, others_end):
                await second_writer.complete(start, stop)
            await main_writer.complete(start, stop, main.receipt.key)
        is_new = main.receipt.outcome == "created"
        if main_writer is self._valid:
            return StoredGroup(start, stop, is_new, (main.receipt,), others)
        return StoredGroup(start, stop, is_new, others, (main.receipt,))

    async def key_is_free(self, group: Group) -> bool:
        """True if it is known that no main object begins where the group begins."""
        main_writer, _ = self._writers(group.start)
        return await main_writer.key_is_free(group.start)

    def _writers(self, start: int) -> tuple[ObjectWriter, ObjectWriter]:
        """Return the writers of the main and of the second object of a group that begins at `start`."""
        begins_valid = self._valid.lines.count(start, start + 1)
        return (self._valid, self._rejected) if begins_valid else (self._rejected, self._valid)

    @staticmethod
    async def _write_second(writer: ObjectWriter, start: int, stop: int) -> tuple[tuple[Receipt, ...], int]:
        """Store the group's other lines. Return the receipts, and the index at which the last object ends.

        There is at most one object if metadata shows where groups end; without metadata there may be several.
        """
        receipts: list[Receipt] = []
        end = start
        while end < stop and writer.lines.count(end, stop):
            written = await writer.write(end, stop)
            _check_end(written, writer, start)
            if written.end_is_guessed and end == start and written.coverage == Coverage(stop):
                await writer.complete(start, stop, written.receipt.key)
            receipts.append(written.receipt)
            end = written.coverage.stop
        return tuple(receipts), end

    @staticmethod
    async def _find_second(writer: ObjectWriter, start: int, stop: int) -> Coverage | None:
        """Return what the group's second object covers if all of its lines come after `stop`; None if there is none.

        A group whose main object shows no end may go on with records of the second object.
        """
        if writer.lines.next_line(stop) != stop:
            return None
        return await writer.find(start, len(writer.lines))


def _check_end(written: WrittenObject, writer: ObjectWriter, start: int) -> None:
    """Raise if the object of the group from `start` on goes on after the event's end, and a redelivery would help."""
    if not written.coverage.beyond_event:
        return
    receipt = written.receipt
    if writer.lines.sequences[start] != writer.lines.sequences[0]:
        raise StoreError(
            "OpenGroup", f"{receipt.key} goes on after this event: Lambda must deliver its group again from the start"
        )
    _logger.warning(
        "%s goes on after record %s, the last of this event: the records between may be stored twice",
        receipt.key,
        receipt.last_sequence_number,
    )
