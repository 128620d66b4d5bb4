"""The interface that every object format implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.batcher.formats.stream_fields import Places

__all__ = ["Format"]


class Format(Protocol):
    """Encodes lines as an object, and reads the lines of a stored object back."""

    #: The end of every key.
    @property
    def suffix(self) -> str: ...

    #: The object's HTTP headers.
    @property
    def headers(self) -> dict[str, str]: ...

    #: Added to the layout version in an object's metadata if the key does not show the format; empty for NDJSON.
    @property
    def layout(self) -> str: ...

    #: True if encoding takes so long that it should run in a thread.
    @property
    def slow(self) -> bool: ...

    def encode(self, lines: Sequence[bytes], places: Places, /) -> bytes:
        """Encode at least one line as an object. `places` are those of the lines' records."""

    def text(self, lines: Sequence[bytes], places: Places, /) -> bytes:
        """Return a text that identifies these records: a line for each, ended by a line feed."""

    def read_text(self, content: bytes, /) -> bytes | None:
        """Return the `text` of a stored object; None if the object has another format."""
