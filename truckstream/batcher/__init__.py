"""Kinesis records into objects of 700 in a store, every one exactly once.

The thinking is in files without input and output: `events` (what Lambda delivers), `checking` (bytes to lines, the
hot path), `schema`, `refusal`, `strand` (lines of a run of records, and what an object of them says of itself),
`keys`, `conflict` (whose object is this?), `course` (what may be put now), `timing` and `result`. `store`, `commit`
and `batcher` do what they say.
"""

from __future__ import annotations

from truckstream.batcher.batcher import Batcher
from truckstream.batcher.grouping.batch_size import get_optimal_batch_size
from truckstream.batcher.reading.rejected_record import Refusal
from truckstream.batcher.result import Receipt, Result

__all__ = ["Batcher", "Receipt", "Refusal", "Result", "get_optimal_batch_size"]
