"""Read the files of a zip."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.cloud.package.archive import Archive


def unzipped(archive: Archive) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        return {entry.filename: opened.read(entry) for entry in opened.infolist()}
