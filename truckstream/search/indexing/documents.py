"""The documents of records: their fields, their IDs, and their indexes.

The source of a document is the record's own JSON, followed by its place in the stream under the names of
`batcher/formats/stream_fields.py`. The ID is `stream:shard:sequence number`, with `:subsequence number` for a record of
an aggregate, and the index is that of the day of arrival in UTC. All of this follows from the record alone. So a record
that is delivered again replaces its own document. With a data stream it would not: after a rollover, the same ID makes
a second document in the new index.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.batcher.formats.stream_fields import add_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from truckstream.batcher.formats.stream_fields import Places
    from truckstream.search.opensearch.failures import OpenSearchFailure

__all__ = ["REJECTED_PREFIX", "Document", "record_documents", "rejected_document", "rejected_documents"]

#: The name before that of the index, for records that are set aside. It stands in front, so that a search in
#: `name-*` does not find them.
REJECTED_PREFIX: Final = "rejected-"

#: The bytes that are kept of a document that is too large for OpenSearch. The whole record is in the stream.
_BEGINNING: Final = 10_000

_DAY: Final = "%Y.%m.%d"
_encode: Final = msgspec.json.Encoder().encode


class Document(msgspec.Struct, frozen=True, gc=False):
    """One document of a bulk request."""

    index: str
    id: str
    source: bytes
    #: When Kinesis stored the record, in seconds since the epoch.
    arrival: float

    @property
    def lines(self) -> bytes:
        """The two lines of the document in the body of a bulk request."""
        return b'{"index":%b}\n%b\n' % (_encode({"_index": self.index, "_id": self.id}), self.source)

    @property
    def size(self) -> int:
        """The bytes of these lines, or a few more."""
        return len(self.source) + len(self.index) + len(self.id) + 40


def record_documents(index: str, stream: str, lines: Sequence[bytes], places: Places) -> Iterator[Document]:
    """Yield the documents of valid records of one shard, each a JSON object."""
    sources = add_fields(lines, places)
    for source, number, arrival in zip(sources, places.numbers(), places.arrivals, strict=True):
        yield Document(f"{index}-{_day(arrival)}", f"{stream}:{places.shard}:{number}", source, arrival)


def rejected_documents(index: str, stream: str, lines: Iterable[bytes], places: Places) -> Iterator[Document]:
    """Yield the documents of rejected records, whose sources are the lines of the batcher's objects in `rejected/`."""
    for line, number, arrival in zip(lines, places.numbers(), places.arrivals, strict=True):
        name = f"{REJECTED_PREFIX}{index}-{_day(arrival)}"
        yield Document(name, f"{stream}:{places.shard}:{number}", line, arrival)


def rejected_document(document: Document, failure: OpenSearchFailure) -> Document:
    """Return the document that holds a document that OpenSearch has rejected; if it was too large, its beginning."""
    kept = len(document.source) if failure.action == "set aside" else _BEGINNING
    stream, shard, number, *subsequence = document.id.split(":")
    source = {
        "reason": failure.code,
        "rule": failure.reason,
        "stream": stream,
        "shard": shard,
        "sequence_number": number,
        **({"subsequence_number": int(subsequence[0])} if subsequence else {}),
        "arrival": document.arrival,
        "data": document.source[:kept].decode(errors="backslashreplace"),
    }
    return Document(f"{REJECTED_PREFIX}{document.index}", document.id, _encode(source), document.arrival)


def _day(arrival: float) -> str:
    return datetime.fromtimestamp(arrival, UTC).strftime(_DAY)
