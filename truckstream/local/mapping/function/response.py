"""What a function's answer says of its batch.

Recorded on AWS (design.md, "What Lambda does with a Kinesis batch", and
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html, read 2026-11-23):

- `""`, `[]`, null, `{}`, `{"batchItemFailures": []}` and a null list are success.
- An identifier that is not in the batch, an empty or null one, and a wrong item key fail the whole batch.
- The lowest identifier is the checkpoint: it, and everything after it, comes again. Numbers compare as integers.

Inferred, not recorded: any other answer without `batchItemFailures` says nothing and is success, too; a
`batchItemFailures` that is no list fails the whole batch; and an answer that is not JSON is the runtime's error.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

__all__ = ["Verdict", "failed", "judge"]


class Verdict(msgspec.Struct, frozen=True):
    """How an invocation ended: all done, nothing done, or done up to the record at `checkpoint` of the batch.

    `function_error` is the failure document's: "Unhandled" when the function raised or ran out of time, None when it
    answered.
    """

    kind: Literal["succeeded", "progressed", "failed"]
    checkpoint: int = 0
    function_error: str | None = None


_SUCCEEDED = Verdict("succeeded")
_REFUSED = Verdict("failed")


def failed() -> Verdict:
    """The function raised, or ran out of time."""
    return Verdict("failed", function_error="Unhandled")


def judge(answer: Any, sequence_numbers: list[str], *, reports_item_failures: bool) -> Verdict:
    """The verdict on what the function returned for a batch of these records, in their order."""
    try:
        json.dumps(answer)
    except (TypeError, ValueError):
        return failed()
    if not reports_item_failures or not isinstance(answer, dict):
        return _SUCCEEDED
    items = answer.get("batchItemFailures")
    if items is None or items == []:
        return _SUCCEEDED
    if not isinstance(items, list):
        return _REFUSED
    places = {number: place for place, number in enumerate(sequence_numbers)}
    named = [places.get(identifier) if isinstance(identifier := _identifier(item), str) else None for item in items]
    known = [place for place in named if place is not None]
    if len(known) < len(named):
        return _REFUSED
    # The batch is in the order of its numbers, so that the lowest place is the lowest integer.
    lowest = min(known)
    return Verdict("progressed", lowest) if lowest else _REFUSED


def _identifier(item: Any) -> Any:
    return item.get("itemIdentifier") if isinstance(item, dict) else None
