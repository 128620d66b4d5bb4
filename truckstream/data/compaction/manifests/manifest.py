"""Where compacted files lie, and which sources they replace.

For the objects below `sensor_data/`:

    compacted/sensor_data/year=2025/month=01/day=15/hour=14/hour_2025-01-15T14_1f0c….parquet    a compacted file
    compacted/sensor_data/_manifests/2025-01-15T14_00001.json.gz    its manifest
    compacted/sensor_data/_plans/2025-01-15T14_00001.json.gz        its plan, see planning/plan.py
    compacted/sensor_data/_sources/2025-01-15T14_00001.json.gz      the facts of its sources

The hour is that of the sources' arrival, which is in their names, in every layout. A manifest names the sources whose
records the file holds. A reader lists the manifests of its hours, reads those few objects, and leaves out the sources
that they name (`select_objects`). The same names in the files' footers would cost the reader a Parquet library, and
two requests a file.

Athena and Spark skip names that begin with an underscore. The folders hold no other file than compacted ones, and no
record is in two of them, so a table may also be defined on the folders alone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import msgspec

from truckstream.batcher.formats.compression import codec_for
from truckstream.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from truckstream.data.objects.catalog import ListedObject

__all__ = ["CompactionFolder", "Manifest", "Selection", "hour_of", "select_objects"]

HOUR: Final = timedelta(hours=1)

#: Of plans and manifests. A reader that does not know what a manifest means must not guess.
VERSION: Final = 1

_Document = TypeVar("_Document", bound=msgspec.Struct)


class _Version(msgspec.Struct):
    version: int


_NUMBERED: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)_(\d{5,})\.json\.gz")
_GZIP: Final = codec_for("gzip")


def hour_of(time: datetime) -> datetime:
    """Return the beginning of the hour that contains a time, in UTC."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


class HourNumber(NamedTuple):
    """Identifies a compaction: plans, and so their manifests, are numbered within their hour from 1 on."""

    hour: datetime
    number: int


class CompactionFolder(NamedTuple):
    """The keys of the compactions of one prefix."""

    #: The prefix of the sources, without slashes at its ends; it may be empty.
    prefix: str

    @property
    def path(self) -> str:
        return f"compacted/{self.prefix}" if self.prefix else "compacted"

    @property
    def manifests(self) -> str:
        return f"{self.path}/_manifests"

    @property
    def source_lists(self) -> str:
        return f"{self.path}/_sources"

    @property
    def plans(self) -> str:
        return f"{self.path}/_plans"

    def file_key(self, hour: datetime, sources: Sequence[str]) -> str:
        """Return the key of the file that holds the records of these sources of an hour."""
        digest = blake2b("\n".join(sorted(sources)).encode(), digest_size=16).hexdigest()
        return f"{self.path}/{hour:year=%Y/month=%m/day=%d/hour=%H}/hour_{hour:%Y-%m-%dT%H}_{digest}.parquet"


def numbered_key(folder: str, at: HourNumber) -> str:
    """Return the key of a plan or a manifest in its folder."""
    return f"{folder}/{at.hour:%Y-%m-%dT%H}_{at.number:05}.json.gz"


def parse_numbered_key(key: str) -> HourNumber | None:
    """Return which compaction the key of a plan or a manifest belongs to; None for another object."""
    found = _NUMBERED.fullmatch(key.rpartition("/")[2])
    try:
        return found and HourNumber(datetime.strptime(found[1], "%Y-%m-%dT%H").replace(tzinfo=UTC), int(found[2]))
    except ValueError:  # a 13th month
        return None


def numbered_range(folder: str, since: datetime | None, until: datetime | None) -> tuple[str, str]:
    """Return the range of keys, exclusive, of the plans or manifests of the hours that overlap a time."""
    start = f"{hour_of(since):%Y-%m-%dT%H}" if since else ""
    if until is None:
        return f"{folder}/{start}", f"{folder}/~"
    last = hour_of(until + HOUR - timedelta(microseconds=1))  # the hour itself if the time ends with it
    return f"{folder}/{start}", f"{folder}/{last:%Y-%m-%dT%H}"


def encode_document(document: msgspec.Struct) -> bytes:
    """Return the content of the object that holds a plan or a manifest."""
    return _GZIP.compress(msgspec.json.encode(document))


def decode_document(kind: type[_Document], key: str, content: bytes) -> _Document:
    """Return the plan or manifest that an object holds.

    Raises:
        StoreError: the object is broken, or was made by a newer version of truckstream.
    """
    try:
        return _decode(kind, _GZIP.decompress(content))
    except ValueError as error:
        hint = "Update truckstream, or restore the object from a backup. Without it, records would be read twice."
        raise StoreError("BrokenManifest", f"{key} cannot be read: {error}", hint=hint, retryable=False) from error


def _decode(kind: type[_Document], text: bytes | None) -> _Document:
    if text is None:
        raise ValueError("it is not compressed with gzip")
    version = msgspec.json.decode(text, type=_Version).version
    if version != VERSION:
        raise ValueError(f"its version is {version}, and this version of truckstream reads version {VERSION}")
    return msgspec.json.decode(text, type=kind)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """States that a compacted file is complete, and which sources it replaces.

    It is created last, after the file has been checked against its sources, and never changed.
    """

    hour: datetime
    number: int
    #: The key of the Parquet file, its size and the SHA-256 of its content.
    file: str
    size: int
    sha256: str
    records: int
    #: The keys of the objects whose records are in the file, each with all its records.
    sources: list[str]
    version: int = VERSION

    def encode(self) -> bytes:
        return encode_document(self)

    @classmethod
    def decode(cls, key: str, content: bytes) -> Manifest:
        """Return the manifest that an object holds.

        Raises:
            StoreError: the object is broken, or was made by a newer version of truckstream.
        """
        return decode_document(cls, key, content)


class SourceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A source as it was when its records went into a file."""

    key: str
    size: int
    records: int
    #: The batcher's metadata of the object; empty if the store keeps none.
    metadata: dict[str, str]


class SourceList(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of the sources of one plan, which prove the file's records complete when the sources are deleted.

    Only a proof needs them, so they are not in the manifest, which every query reads.
    """

    sources: list[SourceFacts]
    version: int = VERSION


class Selection(NamedTuple):
    """The objects to read so that each record is read once."""

    files: list[Manifest]
    sources: list[ListedObject]


def select_objects(listed: Iterable[ListedObject], manifests: Iterable[Manifest]) -> Selection:
    """Return the compacted files and the sources that hold each record once.

    Args:
        listed: the sources of a time, as `Catalog.objects` yields them. Sources that were deleted since their
            compaction may be missing.
        manifests: all manifests of the hours that overlap this time, as `read_manifests` returns them.
    """
    files = list(manifests)
    replaced = {source for each in files for source in each.sources}
    return Selection(files, [each for each in listed if each.key not in replaced])
