"""The outcome of a batch, from the function's response.

Recorded on AWS, in addition to
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html (read 2026-11-23):

- `""`, `[]`, null, `{}`, `{"batchItemFailures": []}` and a null list are success.
- An identifier that is not in the batch, an empty or null one, and a wrong item key fail the whole batch.
- The lowest identifier is the checkpoint: that record and all later ones are delivered again. Numbers compare as
  integers.

Inferred, not recorded: any other response without `batchItemFailures` is success, too; a `batchItemFailures` that is
not a list fails the whole batch; and a response that is not JSON is an error of the runtime.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

__all__ = ["FAILED", "SUCCEEDED", "UNHANDLED_ERROR", "BatchOutcome", "outcome_of"]


class BatchOutcome(msgspec.Struct, frozen=True):
    """How an invocation ended: the whole batch is done, none of it is, or it is done up to the record at `checkpoint`.

    `function_error` goes into the failure document: "Unhandled" if the function raised an exception or timed out, None
    if it returned.
    """

    kind: Literal["succeeded", "progressed", "failed"]
    checkpoint: int = 0
    function_error: str | None = None


SUCCEEDED = BatchOutcome("succeeded")
#: The function returned, and its response fails the whole batch.
FAILED = BatchOutcome("failed")
#: The function raised an exception or timed out.
UNHANDLED_ERROR = BatchOutcome("failed", function_error="Unhandled")


def outcome_of(response: Any, sequence_numbers: list[str], *, reports_item_failures: bool) -> BatchOutcome:
    """Return the outcome of a batch.

    Args:
        response: the function's response.
        sequence_numbers: the records of the batch, in order.
        reports_item_failures: whether the mapping has ReportBatchItemFailures.
    """
    try:
        json.dumps(response)
    except (TypeError, ValueError):
        return UNHANDLED_ERROR
    if not reports_item_failures or not isinstance(response, dict):
        return SUCCEEDED
    items = response.get("batchItemFailures")
    if items is None or items == []:
        return SUCCEEDED
    if not isinstance(items, list):
        return FAILED
    # Of a repeated number the first place counts, because Lambda delivers everything from the number on.
    places = {number: place for place, number in reversed(list(enumerate(sequence_numbers)))}
    named = [places.get(identifier) if isinstance(identifier := _identifier(item), str) else None for item in items]
    known = [place for place in named if place is not None]
    if len(known) < len(named):
        return FAILED
    # A batch is in the order of its sequence numbers, so that the lowest place has the lowest number.
    lowest = min(known)
    return BatchOutcome("progressed", lowest) if lowest else FAILED


def _identifier(item: Any) -> Any:
    return item.get("itemIdentifier") if isinstance(item, dict) else None
