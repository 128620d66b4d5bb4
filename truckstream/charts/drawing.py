"""Finish a drawing of vl-convert: values that a browser shows under the pointer, and dark colours for a lone file."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Final

from truckstream.charts.theme import dark_rules

__all__ = ["with_dark_colours", "with_values"]

_SVG: Final = "http://www.w3.org/2000/svg"
_MARKS: Final = {"bar", "point"}


def with_values(svg: str) -> str:
    """Give each bar and each point a title with its values, which browsers show under the pointer.

    The values are those of the label that screen readers get.
    """
    ET.register_namespace("", _SVG)
    root = ET.fromstring(svg)  # noqa: S314 - our own drawing
    for mark in root.iter():
        label = mark.get("aria-label")
        if label and mark.get("aria-roledescription") in _MARKS:
            title = ET.Element(f"{{{_SVG}}}title")
            title.text = label.replace("; ", "\n")
            mark.insert(0, title)
    return ET.tostring(root, encoding="unicode")


def with_dark_colours(svg: str) -> str:
    """Let a lone SVG file follow the reader's preference for dark."""
    end = svg.index(">") + 1
    return f"{svg[:end]}<style>{dark_rules()}</style>{svg[end:]}"
