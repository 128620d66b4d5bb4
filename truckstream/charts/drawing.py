"""Finish a drawing of vl-convert: values that a browser shows under the pointer, and dark colours for a lone file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Final

from truckstream.charts.theme import dark_rules

__all__ = ["with_dark_colours", "with_values"]

_SVG: Final = "http://www.w3.org/2000/svg"
_MARKS: Final = {"bar", "point"}
_COORDINATES: Final = ("d", "transform")
_FRACTION: Final = re.compile(r"\d+\.\d{3,}")


def with_values(svg: str) -> str:
    """Turn the label of each bar and each point into a title, which browsers show and screen readers read.

    Coordinates are rounded to a hundredth of a pixel, for a smaller file.
    """
    ET.register_namespace("", _SVG)
    root = ET.fromstring(svg)  # noqa: S314 - our own drawing
    for element in root.iter():
        if element.get("aria-roledescription") in _MARKS and (label := element.attrib.pop("aria-label", None)):
            title = ET.Element(f"{{{_SVG}}}title")
            title.text = label.replace("; ", "\n")
            element.insert(0, title)
        for name in _COORDINATES:
            if value := element.get(name):
                element.set(name, _FRACTION.sub(lambda found: f"{float(found[0]):.2f}", value))
    return ET.tostring(root, encoding="unicode")


def with_dark_colours(svg: str) -> str:
    """Let a lone SVG file follow the reader's preference for dark."""
    end = svg.index(">") + 1
    return f"{svg[:end]}<style>{dark_rules()}</style>{svg[end:]}"
