"""The function's zip: the same files make the same bytes, on every machine and at any time.

Entries are sorted and have the same date, mode and compression. Files that an installer writes about itself are left
out. Two differences remain. Versions of zlib may compress differently: a deployed zip is therefore named after the
digest of its contents. And the bytecode depends on the Python that compiled it, whose version the archive states.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from truckstream.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MAX_UNPACKED_BYTES", "Archive", "Part", "is_noise", "pack"]

#: Lambda's limit for the contents of a zip (AWS Lambda quotas, "250 MB unzipped", 2026-11).
MAX_UNPACKED_BYTES: Final = 250 * 1024 * 1024

#: The earliest date of a zip entry.
_DATE: Final = (1980, 1, 1, 0, 0, 0)
#: A regular file that everyone may read, because Lambda runs the function as another user.
_MODE: Final = 0o100644 << 16
_UNIX: Final = 3
#: Level 9 takes 20 s instead of 7 for the 124 MB of the compaction, to save 0.7 %.
_LEVEL: Final = 6

#: Files of wheels and installers that no function reads. Licences stay because they must, METADATA for the version, and
#: SBOMs for vulnerability scanners. backports.zstd has copies of tarfile and zipfile, which take a sixth of its part of
#: the zip, and a variant for PyPy. obstore has modules that need packages that no function has.
_NOISE: Final = re.compile(
    r"""
    (.*/)?__pycache__/.* | .*\.py[cdo] | .*\.pyi | (.*/)?py\.typed | (bin|Scripts)/.* | \.lock
    | obstore/(fsspec | auth/(_http | azure | earthdata | google | planetary_computer))\.py
    | backports/zstd/(tarfile\.py | zipfile/.* | _cffi/.*)
    | [^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|WHEEL|direct_url\.json|top_level\.txt|entry_points\.txt|uv_.*)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """The files of one package: `bytes` unpacked, `zipped_bytes` in the zip."""

    name: str
    version: str | None
    files: int
    bytes: int
    zipped_bytes: int


@dataclass(frozen=True, slots=True)
class Archive:
    """The zip of the function, and an account of its contents."""

    content: bytes
    #: SHA-256 of the contents and their names, in hexadecimal, independent of the compression.
    digest: str
    parts: tuple[Part, ...]
    #: Version of the Python that compiled the zip's bytecode; None if there is none, because that Python is not
    #: installed here. The function then compiles its modules at each cold start.
    bytecode: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the zip."""
        return len(self.content)

    @property
    def sha256(self) -> str:
        """SHA-256 of the zip itself, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def unpacked_size(self) -> int:
        """Bytes of the contents."""
        return sum(part.bytes for part in self.parts)

    def facts(self) -> dict[str, object]:
        """Return everything except the bytes, for JSON output."""
        sizes = {"size": self.size, "unpacked_size": self.unpacked_size}
        return {
            **sizes,
            "digest": self.digest,
            "sha256": self.sha256,
            "bytecode": self.bytecode,
            "parts": self.parts,
        }


def is_noise(name: str) -> bool:
    """Return whether the function does not need the file."""
    return _NOISE.fullmatch(name) is not None


def pack(files: Mapping[str, bytes], versions: Mapping[str, str], bytecode: str | None = None) -> Archive:
    """Zip `files`, content by path.

    Args:
        files: contents by path, without noise.
        versions: versions by package, for the account of parts.
        bytecode: the version of the Python that compiled the bytecode among the files.

    Raises:
        PackageError: the zip is too large.
    """
    size = sum(map(len, files.values()))
    if size > MAX_UNPACKED_BYTES:
        raise PackageError(f"the zip's contents have {size:,} bytes; Lambda's limit is {MAX_UNPACKED_BYTES:,}")
    content = _zip(files)
    return Archive(content, _digest(files), tuple(_parts(content, versions)), bytecode)


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = _UNIX, _MODE
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
    return buffer.getvalue()


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n".encode())
    return whole.hexdigest()


def _parts(content: bytes, versions: Mapping[str, str]) -> Iterable[Part]:
    count, size, zipped = Counter[str](), Counter[str](), Counter[str]()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            package = _package_of(entry.filename)
            count[package] += 1
            size[package] += entry.file_size
            zipped[package] += entry.compress_size
    for name in sorted(count):
        yield Part(name, versions.get(name), count[name], size[name], zipped[name])


def _package_of(name: str) -> str:
    """Return the part of a path; a package and its dist-info are one part, and so are a module and its bytecode."""
    top, _, rest = name.partition("/")
    if top == "__pycache__":
        return rest.partition(".")[0]
    if top == "backports":  # a folder that several packages may share
        return f"{top}_{rest.partition('/')[0]}"
    return top.partition("-")[0] if top.endswith(".dist-info") else top.removesuffix(".py")
