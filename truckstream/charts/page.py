"""One page with tiles, charts and tables, as HTML that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from truckstream.charts.theme import CHART_WIDTH, DARK, FONT, GRID, INK, MUTED, SERIES, SURFACE, dark_rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from truckstream.charts.chart import Chart

__all__ = ["FIGURES_ID", "Page", "Table", "Tile", "page_html"]

#: Digits of a number with a fraction in a table; beyond them there is no fraction.
_DIGITS: Final = 4
_NUMBER: Final = " class=number"
#: The id of the element that holds the figures as JSON.
FIGURES_ID: Final = "figures"


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure that readers look for first."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts and numbers. Numbers are aligned to the right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    @classmethod
    def of(cls, title: str, rows: Sequence[Mapping[str, object]]) -> Table:
        """Make a table of rows with names, which need not all have the same ones."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        return cls(title, columns, [[row.get(name, "") for name in columns] for row in rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A report: its head, its charts, and the figures that they were made of."""

    title: str
    subtitle: str = ""
    #: Paragraphs: how the figures were measured.
    about: Sequence[str] = ()
    tiles: Sequence[Tile] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    #: The last line: the machine, the versions, the command.
    colophon: str = ""
    #: Everything that was measured. The page holds it as JSON, for programs.
    figures: Mapping[str, Any] = field(default_factory=dict)


def page_html(page: Page, drawings: Sequence[str]) -> str:
    """Return the page; `drawings` are its charts as SVG."""
    figures = zip(page.charts, drawings, strict=True)
    parts = [
        f"<header><h1>{_text(page.title)}</h1>",
        f"<p class=subtitle>{_text(page.subtitle)}</p>" if page.subtitle else "",
        "</header>",
        _tiles(page.tiles),
        f"<div class=charts>{''.join(_figure(chart, svg) for chart, svg in figures)}</div>" if page.charts else "",
        *map(_table, page.tables),
        f"<section><h2>How it was measured</h2>{''.join(f'<p>{_text(each)}</p>' for each in page.about)}</section>"
        if page.about
        else "",
        f"<footer>{_text(page.colophon)}</footer>" if page.colophon else "",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{_text(page.title)}</title><style>{_css()}</style></head>\n"
        f"<body><main>\n{chr(10).join(filter(None, parts))}\n</main>\n"
        f'<script type="application/json" id="{FIGURES_ID}">{_json(page.figures)}</script>\n</body></html>\n'
    )


def _figure(chart: Chart, svg: str) -> str:
    caption = f"<figcaption>{_text(chart.caption)}</figcaption>" if chart.caption else ""
    kind = " class=half" if chart.half else ""
    return f'<figure{kind} role=group aria-label="{html.escape(chart.title)}">{svg}{caption}</figure>'


def _tiles(tiles: Sequence[Tile]) -> str:
    if not tiles:
        return ""
    cells = (f"<div><dt>{_text(tile.label)}</dt><dd>{_text(tile.value)}</dd></div>" for tile in tiles)
    return f"<dl class=tiles>{''.join(cells)}</dl>"


def _table(table: Table) -> str:
    columns = zip(table.columns, zip(*table.rows, strict=True), strict=True) if table.rows else ()
    head = "".join(
        f"<th{_NUMBER if all(map(_is_number, cells)) else ''}>{_text(column)}</th>" for column, cells in columns
    )
    rows = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in table.rows)
    return (
        f"<section><h2>{_text(table.title)}</h2><div class=scroll><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _cell(value: object) -> str:
    if not _is_number(value):
        return f"<td>{_text(_plain(value))}</td>"
    text = f"{value:,.{_DIGITS}g}" if isinstance(value, float) and abs(value) < 10**_DIGITS else f"{value:,.0f}"
    return f"<td{_NUMBER}>{text}</td>"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(text: str) -> str:
    return html.escape(text, quote=False)


def _json(figures: Mapping[str, Any]) -> str:
    """Return JSON that cannot end the element that holds it."""
    return json.dumps(figures, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _css() -> str:
    variables = {"ink": INK, "muted": MUTED, "grid": GRID, "surface": SURFACE, "accent": SERIES[0]}
    light = "".join(f"--{name}:{color};" for name, color in variables.items())
    dark = "".join(f"--{name}:{DARK[color]};" for name, color in variables.items())
    return (
        f":root{{{light}--width:{CHART_WIDTH}px;font-family:{FONT}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"{_LAYOUT}{dark_rules('figure ')}"
    )


_LAYOUT: Final = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--surface);color:var(--ink);font-size:15px;line-height:1.5}
main{max-width:calc(var(--width) + 48px);margin:0 auto;padding:32px 24px 48px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px}
h2{font-size:17px;margin:32px 0 8px}
.subtitle,figcaption,footer,dt{color:var(--muted)}
.subtitle{margin:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:12px;margin:24px 0}
.tiles div{border:1px solid var(--grid);border-radius:8px;padding:10px 14px}
dt{font-size:12px}
dd{margin:0;font-size:20px;font-weight:600;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:1fr 1fr;gap:28px 8px;margin-top:28px}
figure{margin:0;grid-column:1/-1;min-width:0;break-inside:avoid}
figure svg{display:block;max-width:100%;height:auto}
figcaption{font-size:13px;line-height:1.4;padding:4px 10px 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:4px 14px 4px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
th{color:var(--muted);font-weight:600}
.number{text-align:right}
footer{margin-top:32px;padding-top:12px;border-top:1px solid var(--grid);font-size:12px}
@media(min-width:700px),print{figure.half{grid-column:auto}}
@media print{main{max-width:none;padding:0}section{break-inside:avoid}}
"""
