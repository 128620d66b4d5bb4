"""A second place for the valid records of an event, such as an index for searches.

The objects in the store are the truth, and the second target is a copy that can be made again. So it comes after them,
and its failure changes neither the result nor what Lambda delivers again: if records waited for it, an outage of the
target would stop the shard until the stream deletes records that the store would have taken.

A redelivery passes the records again. The target must replace its copies and not add others.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from truckstream.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.batcher.formats.stream_fields import Places
    from truckstream.batcher.reading.validation import ValidatedEvent
    from truckstream.batcher.result import Result

__all__ = ["SecondTarget", "copy_stored"]

_logger: Final = logging.getLogger("truckstream.batcher")


class SecondTarget(Protocol):
    """Takes valid records that are stored."""

    async def write(self, stream: str, lines: Sequence[bytes], places: Places) -> None:
        """Take records of one shard.

        Args:
            stream: the stream's ARN.
            lines: the records as their lines in the store, without stream fields and line ends.
            places: where the records are in the stream.
        """


async def copy_stored(
    event: ValidatedEvent, result: Result, target: SecondTarget, seconds: float, deadline: float | None
) -> None:
    """Pass the valid records up to the first that is not stored; log a failure, and never raise for it.

    The records from the first failure on are delivered again, and are passed then.
    """
    end = asyncio.get_running_loop().time() + seconds
    valid = event.valid
    try:
        stop = len(event) if result.first_failed is None else valid.sequences.index(result.first_failed)
        if valid.count(0, stop):
            async with asyncio.timeout_at(end if deadline is None else min(end, deadline)):
                await target.write(valid.stream, valid.present(0, stop), valid.places(0, stop))
    except Exception as error:  # noqa: BLE001 - a target may raise anything, and the records are stored
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        _logger.error(  # noqa: TRY400 - the message has what helps; a traceback would have the records
            "second target: stored records from %s on may be missing there: %s",
            *(valid.sequences[0], printable(reason)),
        )
