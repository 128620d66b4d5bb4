"""The lines of JSON that the local AWS process prints, and the one command that it reads."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["DRAIN", "STREAM_NAME", "FunctionProgress", "StreamReady"]

STREAM_NAME: Final = "truck-sensor-stream"

#: The command on standard input: process the records that are still in the stream, then exit.
DRAIN: Final = b"drain"


class StreamReady(msgspec.Struct, frozen=True, tag=True):
    """The first line: records can be put into the stream."""

    endpoint_url: str


class FunctionProgress(msgspec.Struct, frozen=True, tag=True):
    """Every later line: how many records the function has processed."""

    records: int = 0
    invocations: int = 0
    failures: int = 0
    #: The stream was drained, as `DRAIN` asked.
    drained: bool = False
