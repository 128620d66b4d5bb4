"""The objects of the journal: intents, which name the records that are about to be replayed, and their outcomes.

    replayed/2025-01-15T14_00001.json.gz         intent 1 of the records that arrived in this hour (UTC)
    replayed/2025-01-15T14_00001.done.json.gz    its outcome

An intent contains the records as they are replayed, after the repair. So it can be carried out again after a kill, with
the same bytes, even if the repair function has changed or the rejected record has been deleted meanwhile.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

import msgspec

from truckstream.batcher.formats.compression import codec_for
from truckstream.errors import StoreError

__all__ = ["STORE", "EntryName", "Intent", "Item", "Outcome", "decode", "encode", "hour_of"]

#: The target of an intent whose records go into the store; for a stream it is the stream's ARN.
STORE: Final = "store"

#: A version of this package that does not know the meaning of an entry must not guess.
VERSION: Final = 1

_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)_(\d{5,})(\.done)?\.json\.gz")
_GZIP: Final = codec_for("gzip")

_Entry = TypeVar("_Entry", "Intent", "Outcome")


class Item(msgspec.Struct, frozen=True, array_like=True):
    """A record that is replayed."""

    #: The identity of the rejected record (`identify`).
    id: str
    sequence_number: str
    subsequence_number: int | None
    partition_key: str
    explicit_hash_key: str | None
    #: When Kinesis stored the rejected record, in seconds since the epoch.
    arrival: float
    data: bytes


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one shard that are about to be replayed together."""

    #: The run that wrote it.
    run: str
    #: `STORE`, or the ARN of the stream that the records are put into.
    target: str
    #: When it was written, in seconds since the epoch.
    at: float
    #: The stream and the shard that the records came from.
    stream: str
    shard: str
    items: list[Item]
    #: The object that will hold the records; None for a stream.
    object: str | None = None
    version: int = VERSION


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an intent. It is final: the records that it does not name were not replayed by this intent."""

    #: The replayed records: their indices in the intent, and their new sequence numbers ("" in the store).
    replayed: list[tuple[int, str]]
    version: int = VERSION


class EntryName(NamedTuple):
    """Names an intent: its hour, such as "2025-01-15T14", and its number within the hour."""

    hour: str
    number: int

    def key(self, folder: str, *, done: bool = False) -> str:
        """Return the key of the intent, or of its outcome."""
        return f"{folder}/{self.hour}_{self.number:05}{'.done' if done else ''}.json.gz"

    @classmethod
    def parse(cls, key: str) -> tuple[EntryName, bool] | None:
        """Return which intent a key belongs to, and whether it is the outcome's; None for another object."""
        found = _NAME.fullmatch(key.rpartition("/")[2])
        return found and (cls(found[1], int(found[2])), found[3] is not None)


def hour_of(arrival: float) -> str:
    """Return the hour of the journal that a record belongs to, by its arrival in seconds since the epoch."""
    return f"{datetime.fromtimestamp(arrival, UTC):%Y-%m-%dT%H}"


def encode(entry: Intent | Outcome) -> bytes:
    """Return the content of an entry's object."""
    return _GZIP.compress(msgspec.json.encode(entry))


def decode(kind: type[_Entry], key: str, content: bytes) -> _Entry:
    """Return the entry in an object.

    Raises:
        StoreError: the object is no such entry, or one of a later version.
    """
    text = _GZIP.decompress(content)
    try:
        entry = msgspec.json.decode(text or b"", type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _broken(key, str(error)) from error
    if entry.version != VERSION:
        raise _broken(key, f"its version is {entry.version}, and this truckstream knows version {VERSION}")
    return entry


def _broken(key: str, problem: str) -> StoreError:
    hint = "Nothing was replayed, because the journal decides what was replayed before. Restore the object."
    return StoreError("BrokenJournal", f"{key}: {problem}", hint=hint, retryable=False)
