"""Charts of measured figures, in one self-contained page, an SVG or a PNG: `pip install 'truckstream[report]'`.

    page = Page(title="…", charts=[bars("CPU time", rows, name="client", value=Axis("cpu", "µs a record"))])
    check_output(path)  # before the figures are measured
    write_page(page, path)  # the suffix of the file decides: .html, .svg or .png

A chart is a specification in Vega-Lite, which vl-convert draws. Everything else is HTML and CSS: the page has no script
and loads nothing, so that it opens from disk, in a mail, or where a CI server forbids scripts.
"""

from truckstream.charts.chart import Axis, Chart, LimitLine, Span
from truckstream.charts.kinds import bars, histogram, lines, panels
from truckstream.charts.output import check_output, is_chart_file, write_page
from truckstream.charts.page import Page, Table, Tile

__all__ = [
    "Axis",
    "Chart",
    "LimitLine",
    "Page",
    "Span",
    "Table",
    "Tile",
    "bars",
    "check_output",
    "histogram",
    "is_chart_file",
    "lines",
    "panels",
    "write_page",
]
