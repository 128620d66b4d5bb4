"""The kinds of charts, each made from rows of figures. A chart is a specification in Vega-Lite; nothing is drawn yet.

Every chart names its units on its axes. Fields that stand in a tooltip have the titles and the formats of the axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from truckstream.charts.chart import Chart
from truckstream.charts.theme import CHART_WIDTH, INK, MUTED, OTHERS, SERIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.charts.chart import Axis, LimitLine, Row, Span

__all__ = ["bars", "histogram", "lines", "panels"]

#: Pixels that the axes and the padding of a chart take beside the plot itself.
_AXIS_WIDTH: Final = 94
_HALF_WIDTH: Final = CHART_WIDTH // 2 - 4
_LINE_HEIGHT: Final = 190
_PANEL_HEIGHT: Final = 84
#: Panels -> how many stand beside each other; of more panels, four.
_PANEL_COLUMNS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 2}
_BAR_HEIGHT: Final = 20
#: Pixels that a name beside a bar may take, and those of a character of it, about.
_NAME_LIMIT: Final = 300
_CHARACTER_WIDTH: Final = 5.8


def panels(
    title: str, rows: Sequence[Row], *, x: Axis, y: Axis, panel: str, limit: float | None = None, caption: str = ""
) -> Chart:
    """Return small charts, one for each value of the field `panel`, with common axes and a dashed line at `limit`."""
    count = len({row[panel] for row in rows})
    columns = _PANEL_COLUMNS.get(count, 4)
    width = (CHART_WIDTH - _AXIS_WIDTH) // columns - 16 * (columns > 1)
    area = {"type": "area", "line": {"strokeWidth": 1.5, "color": SERIES[0]}, "color": SERIES[0], "fillOpacity": 0.18}
    encoding = {"x": x.encoding(axis=_ticks(width), scale={"zero": True}), "y": y.encoding(axis={"tickCount": 3})}
    layers: list[dict[str, Any]] = [
        {"mark": area, "encoding": encoding},
        {"mark": _hover_points(), "encoding": encoding},
    ]
    if limit is not None:
        # It comes from the rows of the panel: in a facet, layers with data of their own are not drawn.
        same_for_each_row = [{"calculate": f"{limit}", "as": "limit"}]
        height = {"aggregate": "max", "field": "limit", "type": "quantitative"}
        layers.append({"transform": same_for_each_row, "mark": _dashes(), "encoding": {"y": height}})
    spec = {
        "facet": {"field": panel, "type": "nominal", "sort": None},
        "columns": columns,
        "bounds": "flush",
        "spacing": {"row": 30, "column": 22},
        "spec": {
            "width": width,
            "height": _PANEL_HEIGHT * (2 if columns == 1 else 1),
            "layer": layers,
        },
    }
    return _chart(title, caption, spec, rows)


def lines(
    title: str,
    rows: Sequence[Row],
    *,
    x: Axis,
    y: Axis,
    series: str | None = None,
    rules: Sequence[LimitLine] = (),
    span: Span | None = None,
    caption: str = "",
    half: bool = False,
) -> Chart:
    """Return a line for each value of the field `series`, over the field of `x`."""
    width = (_HALF_WIDTH if half else CHART_WIDTH) - _AXIS_WIDTH
    encoding: dict[str, Any] = {"x": x.encoding(axis=_ticks(width), scale={"zero": True}), "y": y.encoding()}
    if series:
        names = {str(row[series]) for row in rows}
        # The names stand beside each other, as many as fit.
        columns = max(1, width // int(_CHARACTER_WIDTH * max(map(len, names), default=1) + 30))
        encoding["color"] = {"field": series, "type": "nominal", "sort": None, "legend": {"columns": columns}}
    line = {"type": "line", "strokeWidth": 2, "strokeJoin": "round", **({} if series else {"color": SERIES[0]})}
    layers: list[dict[str, Any]] = [] if span is None else _span_layers(span)
    layers += [{"mark": line, "encoding": encoding}, {"mark": _hover_points(), "encoding": encoding}]
    for rule in rules:
        layers += _rule_layers(rule, width)
    spec = {"width": width, "height": _LINE_HEIGHT, "layer": layers}
    return _chart(title, caption, spec, rows, half=half)


def bars(
    title: str,
    rows: Sequence[Row],
    *,
    name: str,
    value: Axis,
    highlight: str = "",
    series: str | None = None,
    caption: str = "",
    half: bool = False,
) -> Chart:
    """Return a horizontal bar with its value for each row, in the order of the rows.

    The bars whose name contains `highlight` are in colour, the others grey. With `series`, each name has a bar for each
    value of that field instead.
    """
    y: dict[str, Any] = {"field": name, "type": "nominal", "sort": None, "title": None}
    y["axis"] = {"labelColor": INK, "labelLimit": _NAME_LIMIT, "labelPadding": 6, "ticks": False, "domain": False}
    # Room for the value beside the longest bar.
    largest = max((_number(row[value.field]) for row in rows), default=0.0)
    domain = {"domain": [0, largest * 1.12 or 1]}
    x = value.encoding(scale=domain, axis={"grid": True, "domain": False, "ticks": False})
    color: dict[str, Any] = {"value": SERIES[0]}
    bar_height = _BAR_HEIGHT
    if series:
        color = {
            "field": series,
            "type": "nominal",
            "sort": None,
            "legend": {"symbolType": "square", "symbolSize": 110},
        }
        y = {**y, "scale": {"paddingInner": 0.3}}
        offset = {"yOffset": {"field": series, "type": "nominal", "sort": None}}
        bar_height = 13
    else:
        offset = {}
        if highlight:
            ours = f"indexof(datum[{name!r}], {highlight!r}) >= 0"
            color = {"condition": {"test": ours, "value": SERIES[0]}, "value": OTHERS}
    encoding = {"x": x, "y": y, **offset}
    label = {"type": "text", "align": "left", "dx": 4, "color": INK, "fontSize": 11}
    text = {"field": value.field, "type": "quantitative", "format": value.format}
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "bar", "cornerRadiusEnd": 2}, "encoding": {**encoding, "color": color}},
        {"mark": {**label, "aria": False}, "encoding": {**encoding, "text": text}},
    ]
    names = min(_NAME_LIMIT, _CHARACTER_WIDTH * max((len(str(row[name])) for row in rows), default=0))
    width = (_HALF_WIDTH if half else CHART_WIDTH) - int(names) - 30
    spec = {"width": width, "height": {"step": bar_height}, "layer": layers}
    return _chart(title, caption, spec, rows, half=half)


def histogram(
    title: str, rows: Sequence[Row], *, size: Axis, count: Axis, step: int, caption: str = "", half: bool = False
) -> Chart:
    """Return the distribution of sizes. Each row has a size, and how often it was counted."""
    width = (_HALF_WIDTH if half else CHART_WIDTH) - _AXIS_WIDTH
    largest = max((_number(row[size.field]) for row in rows), default=step)
    bins = int(largest) // step + 1
    labels = [step * number for number in range(0, bins + 1, -(-bins // max(3, width // 32)))]
    encoding = {
        "x": size.encoding(bin={"step": step, "extent": [0, bins * step]}, axis={"values": labels}),
        "y": count.encoding(aggregate="sum"),
    }
    bar = {"type": "bar", "color": SERIES[0], "binSpacing": 1}
    spec = {"width": width, "height": _LINE_HEIGHT, "mark": bar, "encoding": encoding}
    return _chart(title, caption, spec, rows, half=half)


def _chart(title: str, caption: str, spec: dict[str, Any], rows: Sequence[Row], *, half: bool = False) -> Chart:
    if not rows:  # Vega-Lite gives an empty facet no size at all
        text = {"type": "text", "text": "nothing was measured", "align": "left", "color": MUTED, "aria": False}
        spec = {"width": (_HALF_WIDTH if half else CHART_WIDTH) - _AXIS_WIDTH, "height": 30}
        spec |= {"mark": text, "encoding": {"x": {"value": 0}}, "data": {"values": [{}]}}
    return Chart(title, caption, {"title": {"text": title}, "data": {"values": list(rows)}, **spec}, rows, half=half)


def _number(value: object) -> float:
    assert isinstance(value, int | float)  # noqa: S101 - the rows are made by this library
    return float(value)


def _ticks(width: int) -> dict[str, Any]:
    return {"tickCount": max(3, width // 70)}


def _hover_points() -> dict[str, Any]:
    """Return points that nobody sees. A browser shows their values."""
    return {"type": "point", "shape": "square", "opacity": 0, "filled": True, "size": 64, "color": SERIES[0]}


def _dashes() -> dict[str, Any]:
    return {"type": "rule", "strokeDash": [5, 3], "color": INK, "strokeWidth": 1, "aria": False}


def _rule_layers(rule: LimitLine, width: int) -> list[dict[str, Any]]:
    """Return the layers of a limit on the y axis; its label stands above the right end."""
    y = {"datum": rule.value, "type": "quantitative"}
    text = {"type": "text", "align": "right", "baseline": "bottom", "dy": -3, "color": INK, "fontSize": 11}
    label = {"x": {"value": width}, "y": y, "text": {"value": rule.label}}
    return [
        {"data": {"values": [{}]}, "mark": _dashes(), "encoding": {"y": y}},
        {"data": {"values": [{}]}, "mark": {**text, "aria": False}, "encoding": label},
    ]


def _span_layers(span: Span) -> list[dict[str, Any]]:
    values = [{"start": span.start, "end": span.end}]
    ends = {"x": {"field": "start", "type": "quantitative"}, "x2": {"field": "end"}}
    text = {"type": "text", "align": "left", "baseline": "top", "dx": 6, "dy": 5, "color": MUTED, "fontSize": 11}
    label = {"x": ends["x"], "y": {"value": 0}, "text": {"value": span.label}}
    return [
        {"data": {"values": values}, "mark": {"type": "rect", "color": OTHERS, "opacity": 0.16}, "encoding": ends},
        {"data": {"values": values}, "mark": {**text, "aria": False}, "encoding": label},
    ]
