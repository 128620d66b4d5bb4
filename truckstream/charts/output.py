"""Write a page to a file, in the format of its suffix, with vl-convert: an optional package that draws the charts."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Final

from truckstream.charts.drawing import with_dark_colours, with_values
from truckstream.charts.page import page_html
from truckstream.charts.theme import config
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from truckstream.charts.page import Page

__all__ = ["check_output", "is_chart_file", "write_page"]

_SUFFIXES: Final = {".html", ".htm", ".svg", ".png"}
#: Pixels of a PNG for one of the page, for sharp print and dense screens.
_PNG_SCALE: Final = 2.0


def is_chart_file(path: Path) -> bool:
    """Return True if the suffix is that of a page or of an image."""
    return path.suffix.lower() in _SUFFIXES


def check_output(setting: str, path: Path) -> None:
    """Check that `write_page` can write this kind of file, before its figures are measured.

    Raises:
        ConfigurationError: the suffix is none of a page or an image, or vl-convert is missing.
    """
    if not is_chart_file(path):
        raise ConfigurationError(setting, f"is {str(path)!r}", "Choose a file that ends with .html, .svg or .png.")
    if importlib.util.find_spec("vl_convert") is None:
        hint = "Install it: pip install 'truckstream[report]'."
        raise ConfigurationError(setting, f"is {str(path)!r}, which needs the package vl-convert-python", hint)


def write_page(page: Page, path: Path) -> None:
    """Write the page, or its charts alone as one image.

    Raises:
        ConfigurationError: as from `check_output`.
    """
    check_output("path", path)
    match path.suffix.lower():
        case ".svg":
            path.write_text(with_dark_colours(_draw(_together(page))), encoding="utf-8")
        case ".png":
            path.write_bytes(_draw_png(_together(page)))
        case _:
            drawings = [_draw(chart.spec) for chart in page.charts]
            path.write_text(page_html(page, drawings), encoding="utf-8")


def _draw(spec: dict[str, Any]) -> str:
    import vl_convert  # noqa: PLC0415 - an optional package

    return with_values(vl_convert.vegalite_to_svg(spec, config=config()))


def _draw_png(spec: dict[str, Any]) -> bytes:
    import vl_convert  # noqa: PLC0415 - an optional package

    return vl_convert.vegalite_to_png(spec, config=config(), scale=_PNG_SCALE)


def _together(page: Page) -> dict[str, Any]:
    """Return all charts of a page as one, with two of half the width side by side."""
    rows: list[list[dict[str, Any]]] = []
    is_open = False
    for chart in page.charts:
        if chart.half and is_open:
            rows[-1].append(chart.spec)
            is_open = False
        else:
            rows.append([chart.spec])
            is_open = chart.half
    title = {"text": page.title, "subtitle": page.subtitle, "fontSize": 18, "subtitleFontSize": 12, "frame": "bounds"}
    own = {"resolve": {"scale": {"color": "independent"}}}
    return {"title": title, "vconcat": [row[0] if len(row) == 1 else {"hconcat": row, **own} for row in rows], **own}
