"""A page, an SVG or a PNG is written by the suffix, and needs nothing but the file."""

import html.parser
import importlib.util
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from truckstream.charts import Axis, Page, Table, Tile, bars, check_output, lines, write_page
from truckstream.charts.page import FIGURES_ID
from truckstream.errors import ConfigurationError

HOSTILE = "</script><b> & \"q\" 'a' µ 日本 \u2028"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


def page(charts=2):
    rows = [{"name": f"{HOSTILE} {number}", "cost": number + 0.5} for number in range(3)]
    kinds = [
        bars(f"Bars {HOSTILE}", rows, name="name", value=Axis("cost", "µs"), caption=HOSTILE, half=True),
        lines("Lines", rows, x=Axis("cost", "µs"), y=Axis("cost", "µs"), half=True),
    ]
    return Page(
        title=f"Title {HOSTILE}",
        subtitle=HOSTILE,
        about=[HOSTILE],
        tiles=[Tile("lost", "0")],
        charts=kinds[:charts],
        tables=[Table.of(HOSTILE, [{"a": 1_234, "b": HOSTILE}, {"b": True, "c": [1.5]}])],
        colophon=HOSTILE,
        figures={"rows": rows, HOSTILE: None},
    )


class Parser(html.parser.HTMLParser):
    """Collects what a page refers to, and checks that every element is closed in order."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self):
        super().__init__()
        self.open, self.references, self.scripts, self.tags = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name in {"src", "href", "srcset", "data", "xlink:href"}]
        self.scripts += [dict(attrs)] if tag == "script" else []
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def figures_of(text):
    """Return the figures that a page holds as JSON."""
    found = re.search(rf'<script type="application/json" id="{FIGURES_ID}">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def test_a_page_is_well_formed_refers_to_nothing_and_runs_nothing(tmp_path):
    write_page(page(), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    parser = Parser()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    assert parser.references == []
    assert parser.scripts == [{"type": "application/json", "id": FIGURES_ID}]
    assert parser.tags.count("svg") == 2
    assert "link" not in parser.tags
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {f"#{each}" for each in ids}
    assert "@import" not in text
    addresses = set(re.findall(r"[a-z]+://[^\"'< ]*", text)) - {"http://www.w3.org/2000/svg"}
    assert addresses == set()


def test_the_figures_of_a_page_can_be_read_back(tmp_path):
    write_page(page(), tmp_path / "r.html")
    assert figures_of((tmp_path / "r.html").read_text(encoding="utf-8")) == page().figures


def test_a_page_without_charts_is_written(tmp_path):
    write_page(page(charts=0), tmp_path / "r.htm")
    assert "<svg" not in (tmp_path / "r.htm").read_text(encoding="utf-8")


def test_an_svg_holds_all_charts_in_one_image(tmp_path):
    write_page(page(), tmp_path / "r.SVG")
    root = ET.parse(tmp_path / "r.SVG").getroot()
    texts = "".join(root.itertext())
    assert f"Bars {HOSTILE.replace(chr(0x2028), '')}"[:8] in texts
    assert "Lines" in texts
    assert "Title" in texts
    assert float(root.get("width")) > float(root.get("height"))  # side by side


def test_a_png_is_drawn_for_print(tmp_path):
    write_page(page(), tmp_path / "r.png")
    data = (tmp_path / "r.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    assert int.from_bytes(data[16:20], "big") > 1_200


@pytest.mark.parametrize("name", ["r.pdf", "r", "html"])
def test_another_suffix_is_an_error(tmp_path, name):
    with pytest.raises(ConfigurationError, match=r"--html is .* Choose a file that ends with .html, .svg or .png"):
        check_output("--html", tmp_path / name)


def test_the_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"needs the package vl-convert-python.*truckstream\[report\]"):
        write_page(page(), tmp_path / "r.html")


@pytest.mark.external
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_browser_shows_the_page_from_disk(tmp_path):
    """Chromium reports each failed request and each error of a page on its log."""
    write_page(page(), tmp_path / "r.html")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}/u",
    ]
    command = [CHROMIUM, *options, "--dump-dom", (tmp_path / "r.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<svg") == 2
    assert figures_of(done.stdout) == page().figures


def test_the_numbers_of_a_table_have_few_digits_and_stand_below_each_other(tmp_path):
    rows = [{"n": 1_234_567, "share": 0.99876, "name": "a"}, {"n": 2, "share": 12_345.6, "name": True}]
    write_page(Page(title="", tables=[Table.of("T", rows)]), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<th class=number>n</th><th class=number>share</th><th>name</th>" in text
    assert re.findall(r"<td class=number>(.*?)</td>", text) == ["1,234,567", "0.9988", "2", "12,346"]
    assert re.findall(r"<td>(.*?)</td>", text) == ["a", "yes"]


def test_a_table_without_rows_is_written(tmp_path):
    write_page(Page(title="", tables=[Table.of("T", []), Table("U", ["a"], [])]), tmp_path / "r.html")
    assert "<h2>U</h2>" in (tmp_path / "r.html").read_text(encoding="utf-8")
