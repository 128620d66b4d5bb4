"""Types of PutRecord and PutRecords requests, for decoders that check while they decode.

Requests of all other operations are checked by `service.validation.parsing`.
"""

from __future__ import annotations

from typing import TypedDict

__all__ = ["PutRecordRequest", "PutRecordsRequest"]


class _Record(TypedDict, total=False):
    Data: bytes
    PartitionKey: str
    ExplicitHashKey: str


class PutRecordsRequest(TypedDict, total=False):
    StreamName: str
    StreamARN: str
    Records: list[_Record]
    DryRun: bool


class PutRecordRequest(_Record, total=False):
    StreamName: str
    StreamARN: str
    SequenceNumberForOrdering: str
    DryRun: bool
