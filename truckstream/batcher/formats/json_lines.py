"""JSON Lines or a JSON array, plain or compressed. Every line keeps the record's bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.batcher.formats.stream_fields import add_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.batcher.formats.compression import CompressionCodec
    from truckstream.batcher.formats.stream_fields import Places

__all__ = ["NDJSON", "JsonFormat"]


class JsonFormat(NamedTuple):
    """Writes the lines one after the other, or as the elements of an array."""

    array: bool = False
    codec: CompressionCodec | None = None
    #: True to add the record's place in the stream to each line.
    add_stream_fields: bool = False

    @property
    def suffix(self) -> str:
        return ".json" + (self.codec.suffix if self.codec else "")

    @property
    def headers(self) -> dict[str, str]:
        if self.codec:
            return {"Content-Type": self.codec.content_type}
        return {"Content-Type": "application/json" if self.array else "application/x-ndjson"}

    @property
    def layout(self) -> str:
        return "-array" if self.array else ""

    @property
    def slow(self) -> bool:
        return self.codec is not None

    def encode(self, lines: Sequence[bytes], places: Places) -> bytes:
        lines = self._lines(lines, places)
        body = b"[\n" + b",\n".join(lines) + b"\n]\n" if self.array else b"\n".join(lines) + b"\n"
        return self.codec.compress(body) if self.codec else body

    def text(self, lines: Sequence[bytes], places: Places) -> bytes:
        return b"\n".join(self._lines(lines, places)) + b"\n"

    def _lines(self, lines: Sequence[bytes], places: Places) -> Sequence[bytes]:
        return add_fields(lines, places) if self.add_stream_fields else lines

    def read_text(self, content: bytes) -> bytes | None:
        body = self.codec.decompress(content) if self.codec else content
        if body is None or not self.array:
            return body
        if not (body.startswith(b"[\n") and body.endswith(b"\n]\n")):
            return None
        # No line contains a line feed, and no line of JSON ends with a comma.
        return body[2:-2].replace(b",\n", b"\n")


NDJSON: Final = JsonFormat()
