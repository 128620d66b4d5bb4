"""The zip's bill of materials: its packages with versions, licences and package URLs, for vulnerability scanners.

CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/), without the optional time and serial number, so that the
same packages make the same bytes. A package's own bill, such as that of obstore's Rust crates, is referred to by its
path in the zip.
"""

from __future__ import annotations

from email.parser import BytesParser
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["BILL_OF_MATERIALS", "bill_of_materials"]

#: The path in the zip; scanners go by this suffix.
BILL_OF_MATERIALS: Final = "bom.cdx.json"

_OWN_LICENCE: Final = "MIT"


def bill_of_materials(wheels: Mapping[str, bytes], own_modules: Iterable[str] = ()) -> bytes:
    """Return the bill of a zip.

    Args:
        wheels: the files of the third-party packages by path.
        own_modules: the names of the modules that a user added.
    """
    packages = [_component("truckstream", __version__, _OWN_LICENCE, [])]
    for path in sorted(wheels):
        folder, _, file = path.partition("/")
        if folder.endswith(".dist-info") and file == "METADATA":
            packages.append(_package(folder, wheels))
    packages += ({"type": "library", "bom-ref": name, "name": name} for name in sorted(own_modules))
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "truckstream-function", "version": __version__}},
        "components": packages,
    }
    return msgspec.json.format(msgspec.json.encode(bill), indent=1) + b"\n"


def _package(folder: str, wheels: Mapping[str, bytes]) -> dict[str, Any]:
    metadata = BytesParser().parsebytes(wheels[f"{folder}/METADATA"], headersonly=True)
    bills = sorted(path for path in wheels if path.startswith(f"{folder}/sboms/"))
    return _component(metadata["Name"], metadata["Version"], metadata["License-Expression"], bills)


def _component(name: str, version: str, licence: str | None, bills: list[str]) -> dict[str, Any]:
    url = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
    component: dict[str, Any] = {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}
    if licence:
        component["licenses"] = [{"expression": licence}]
    if bills:
        component["externalReferences"] = [{"type": "bom", "url": path} for path in bills]
    return component
