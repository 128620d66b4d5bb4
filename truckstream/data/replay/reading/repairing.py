"""Call the user's repair function.

It runs in a thread, so that a slow function blocks neither Ctrl-C nor the replay's requests; and in a daemon thread,
because Python would wait for any other one at its end, and a function may never return.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from truckstream.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.data.replay.reading.rejected import Rejected

__all__ = ["Repair", "RepairFailure", "repair_all"]

#: Returns the bytes to replay, or None to leave the record refused.
Repair: TypeAlias = "Callable[[Rejected], bytes | None]"


class RepairFailure(NamedTuple):
    """The function raised an exception, or returned another type than bytes."""

    problem: str


async def repair_all(repair: Repair | None, records: Sequence[Rejected]) -> list[bytes | RepairFailure | None]:
    """Return what the function returns for each record; without a function, the record's own bytes."""
    if repair is None:
        return [record.data for record in records]
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[bytes | RepairFailure | None]] = loop.create_future()
    function = repair

    def work() -> None:
        results = []
        for record in records:
            if done.cancelled():
                return
            results.append(_repair(function, record))
        _tell(loop, done, results)

    threading.Thread(target=work, name="truckstream-repair", daemon=True).start()
    return await done


def _repair(repair: Repair, record: Rejected) -> bytes | RepairFailure | None:
    try:
        result = repair(record)
    except BaseException as error:  # noqa: BLE001 - the function may raise anything, and the record stays refused
        return RepairFailure(printable(f"{type(error).__name__}: {_text_of(error)}"))
    if result is None or isinstance(result, bytes):
        return result
    return RepairFailure(f"it returned {type(result).__name__}, and must return bytes, or None to leave it refused")


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except Exception:  # noqa: BLE001 - an exception whose text fails
        return "it has no text"


def _tell(
    loop: asyncio.AbstractEventLoop,
    done: asyncio.Future[list[bytes | RepairFailure | None]],
    results: list[bytes | RepairFailure | None],
) -> None:
    def set_result() -> None:
        if not done.done():
            done.set_result(results)

    try:
        loop.call_soon_threadsafe(set_result)
    except RuntimeError:  # the loop was closed meanwhile
        return
