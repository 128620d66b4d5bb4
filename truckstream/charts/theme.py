"""The look of all charts: colours that colour-blind people can tell apart, in light and dark, and Vega-Lite's settings.

A chart is drawn once, in the light colours. Each of them has a dark counterpart here, and `dark_rules` is the CSS that
replaces the one by the other in a browser that prefers dark. Programs without CSS, and printers, show the light ones.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["CHART_WIDTH", "DARK", "FONT", "GRID", "INK", "MUTED", "OTHERS", "SERIES", "SURFACE", "config", "dark_rules"]

INK: Final = "#1f2328"
MUTED: Final = "#59636e"
GRID: Final = "#e4e8ec"
SURFACE: Final = "#ffffff"
#: Bars that are there for comparison only.
OTHERS: Final = "#9aa4af"
#: The colours of series, in this order. They are Okabe and Ito's, without the yellow that white paper swallows.
SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")

#: Light colour -> dark colour.
DARK: Final = {
    INK: "#e6edf3",
    MUTED: "#9da7b1",
    GRID: "#2d333b",
    SURFACE: "#0d1117",
    OTHERS: "#6b7580",
    **dict(zip(SERIES, ("#4ba3e3", "#f2803a", "#2fbf93", "#e29bc4", "#f0b429", "#8fd0f7"), strict=True)),
}

#: The fonts that have the widths of Arial, by which vl-convert places texts, come first.
FONT: Final = "Arial, Helvetica, Liberation Sans, sans-serif"

#: Pixels of a chart that takes the full width of a page, with its axes.
CHART_WIDTH: Final = 720


def config() -> dict[str, Any]:
    """Return Vega-Lite's configuration."""
    return {
        "font": FONT,
        "background": SURFACE,
        "padding": 10,
        "view": {"stroke": None},
        "title": {
            "anchor": "start",
            "frame": "bounds",
            "color": INK,
            "fontSize": 14,
            "fontWeight": 600,
            "subtitleColor": MUTED,
            "subtitleFontSize": 11,
            "subtitlePadding": 4,
            "offset": 12,
        },
        "axis": {
            "domainColor": MUTED,
            "tickColor": MUTED,
            "gridColor": GRID,
            "labelColor": MUTED,
            "labelFontSize": 11,
            "titleColor": MUTED,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 8,
        },
        "axisQuantitative": {"domain": False, "ticks": False, "labelPadding": 6, "tickCount": 5},
        # The plots of charts above each other begin at the same place.
        "axisYQuantitative": {"minExtent": 44},
        "axisX": {"grid": False, "domain": True, "ticks": True, "labelFlush": False},
        "legend": {
            "orient": "bottom",
            "direction": "horizontal",
            "labelColor": INK,
            "labelFontSize": 11,
            "symbolType": "stroke",
            "symbolStrokeWidth": 3,
            "title": None,
            "offset": 8,
        },
        "header": {"labelColor": INK, "labelFontSize": 11, "labelAnchor": "start", "labelPadding": 4, "title": None},
        "range": {"category": list(SERIES)},
        "concat": {"spacing": 28},
    }


def dark_rules(scope: str = "") -> str:
    """Return the CSS that shows the colours of the elements below `scope` in dark, on screens that prefer it."""
    rules = [
        f'{scope}[{attribute}="{light}"]{{{attribute}:{dark}}}'
        for light, dark in DARK.items()
        for attribute in ("fill", "stroke")
    ]
    return "@media screen and (prefers-color-scheme:dark){" + "".join(rules) + "}"
