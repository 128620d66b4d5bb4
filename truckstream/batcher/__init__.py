"""Store Kinesis records as objects of 700, each valid record exactly once.

`batcher.py` holds the public class, `result.py` what a call returns. `reading/` turns an event into lines, `grouping/`
decides which records go together and when, `storing/` puts the groups into objects, `formats/` encodes the objects,
and `object_store/` makes the requests to S3 or a directory.
"""

from __future__ import annotations

from truckstream.batcher.batcher import Batcher
from truckstream.batcher.grouping.batch_size import get_optimal_batch_size
from truckstream.batcher.reading.rejected_record import Refusal
from truckstream.batcher.result import Receipt, Result

__all__ = ["Batcher", "Receipt", "Refusal", "Result", "get_optimal_batch_size"]
