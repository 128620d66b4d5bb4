"""Each kind of chart is drawn with its values, its units and the colours of the theme, whatever the rows are."""

import re
import xml.etree.ElementTree as ET

import pytest
import vl_convert

from truckstream.charts import Axis, LimitLine, Span, bars, histogram, lines, panels
from truckstream.charts.drawing import with_dark_colours, with_values
from truckstream.charts.theme import DARK, GRID, INK, MUTED, OTHERS, SERIES, SURFACE, config

TIME, RATE = Axis("time", "time, s", ",.1f"), Axis("rate", "records/s", ",.0f")
SVG = "{http://www.w3.org/2000/svg}"


def rates(shards, seconds=5):
    return [
        {"time": second + 0.5, "rate": 1_000.0 + second, "shard": f"shardId-{shard:012}"}
        for shard in range(shards)
        for second in range(seconds)
    ]


def costs(count):
    return [{"name": f"client {number}", "cost": 1.25 * number, "kind": "ab"[number % 2]} for number in range(count)]


CHARTS = {
    "panels": lambda count: panels("Rates", rates(count), x=TIME, y=RATE, panel="shard", limit=1_000),
    "lines": lambda count: lines("Rates", rates(count and 1, count), x=TIME, y=RATE, half=True),
    "lines of series": lambda count: lines(
        "Rates",
        rates(count),
        x=TIME,
        y=RATE,
        series="shard",
        rules=[LimitLine(900, "limit")],
        span=Span(1, 2, "outage"),
    ),
    "bars": lambda count: bars("Costs", costs(count), name="name", value=Axis("cost", "µs", ",.2f"), highlight="1"),
    "bars of series": lambda count: bars(
        "Costs", costs(count), name="name", value=Axis("cost", "µs", ",.2f"), series="kind", half=True
    ),
    "histogram": lambda count: histogram(
        "Sizes",
        [{"size": 100 * number, "count": number} for number in range(count)],
        size=Axis("size", "records"),
        count=Axis("count", "objects"),
        step=50,
    ),
}


def drawn(chart):
    return with_values(vl_convert.vegalite_to_svg(chart.spec, config=config()))


@pytest.mark.parametrize("count", [0, 1, 6])
@pytest.mark.parametrize("kind", CHARTS)
def test_every_colour_of_a_chart_has_a_dark_counterpart(kind, count):
    svg = drawn(CHARTS[kind](count))
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg)) - {"none", "transparent"}
    assert colours <= set(DARK), colours - set(DARK)
    assert SURFACE in colours


@pytest.mark.parametrize("kind", CHARTS)
def test_the_axes_name_their_units(kind):
    chart = CHARTS[kind](3)
    texts = {text.text for text in ET.fromstring(drawn(chart)).iter(f"{SVG}text")}
    units = {"bars": {"µs"}, "bars of series": {"µs"}, "histogram": {"records", "objects"}}
    assert units.get(kind, {"time, s", "records/s"}) <= texts
    assert chart.title in texts


@pytest.mark.parametrize("kind", CHARTS)
def test_the_values_of_each_row_are_shown_under_the_pointer(kind):
    chart = CHARTS[kind](3)
    titles = [title.text for title in ET.fromstring(drawn(chart)).iter(f"{SVG}title")]
    assert len(titles) >= len([row for row in chart.rows if row.get("count") != 0])
    if kind == "panels":
        assert "time, s: 2.5\nrecords/s: 1,002" in titles
    if kind == "bars":
        assert "µs: 2.50\nname: client 2" in titles


@pytest.mark.parametrize(("shards", "columns"), [(1, 1), (2, 2), (4, 2), (8, 4), (64, 4)])
def test_each_shard_has_a_panel_of_its_own_within_the_width_of_the_page(shards, columns):
    svg = drawn(CHARTS["panels"](shards))
    texts = [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]
    assert [text for text in texts if text and text.startswith("shardId")] == [
        f"shardId-{number:012}" for number in range(shards)
    ]
    assert texts.count("time, s") == columns
    assert float(ET.fromstring(svg).get("width")) < 740


@pytest.mark.parametrize("kind", CHARTS)
def test_no_chart_is_wider_than_its_place(kind):
    chart = CHARTS[kind](6)
    assert float(ET.fromstring(drawn(chart)).get("width")) <= (376 if chart.half else 740)


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("shown", [lambda colour: colour, DARK.get], ids=["light", "dark"])
def test_texts_and_marks_stand_out_from_the_paper(shown):
    """The ratios are those of WCAG 2.1 for texts and for graphics; the last two series are reserves."""
    assert contrast(shown(INK), shown(SURFACE)) > 7
    assert contrast(shown(MUTED), shown(SURFACE)) > 4.5
    assert all(contrast(shown(colour), shown(SURFACE)) > 2.8 for colour in SERIES[:4])
    assert contrast(shown(OTHERS), shown(SURFACE)) > 2.2
    assert contrast(shown(GRID), shown(SURFACE)) < 1.5


def test_a_lone_svg_brings_its_dark_colours_along():
    svg = with_dark_colours(drawn(CHARTS["bars"](2)))
    style = ET.fromstring(svg)[0]
    assert style.tag == f"{SVG}style"
    assert f'[fill="{INK}"]{{fill:{DARK[INK]}}}' in style.text
    assert "prefers-color-scheme:dark" in style.text


@pytest.mark.parametrize("shards", [1, 8])
def test_each_panel_has_a_dashed_line_at_the_limit(shards):
    svg = drawn(CHARTS["panels"](shards))
    assert svg.count('stroke-dasharray="5,3"') == shards
