"""The options that several benchmarks share, and the end of each: its machine, and its figures as JSON or as a page."""

import argparse
import json
import os
import platform
import re
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

from truckstream.charts import Page, Table, check_output, write_page
from truckstream.errors import ConfigurationError


def make_parser(doc, *, only=""):
    """Return a parser with `--json`, `--html` and, if `only` names the things that are compared, `--only`."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.set_defaults(doc=doc)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    help_text = "write a page with charts to this file, or the charts alone if it ends with .svg or .png"
    parser.add_argument("--html", type=_chart_file, metavar="FILE", help=help_text)
    if only:
        help_text = f"run only the {only} whose names contain one of these words"
        parser.add_argument("--only", type=lambda text: text.split(","), default=[""], metavar="WORD,…", help=help_text)
    return parser


def _chart_file(text):
    try:
        check_output("it", Path(text))
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(text)


def selected(candidates, options):
    """Return the candidates that `--only` selects."""
    return [each for each in candidates if any(word in each.name for word in options.only)]


def publish(options, *, charts, packages=None, **figures):
    """Print the machine and the versions of `packages`, and write them with the figures to the files asked for."""
    about = machine() | (packages or {})
    colophon = ", ".join(f"{name} {value}" for name, value in about.items())
    print("\n" + colophon)
    figures = {"machine": about, **figures}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if options.html:
        write_page(_page(options.doc, charts, colophon, figures), options.html)


def _page(doc, charts, colophon, figures):
    title, *paragraphs = doc.strip().split("\n\n")
    usage = [each for each in paragraphs if each.startswith("    ")]
    return Page(
        title=title,
        subtitle=shlex.join(["python", *sys.argv]),
        about=[" ".join(each.replace("`", "").split()) for each in paragraphs if each not in usage],
        charts=charts,
        tables=list(_tables(figures)),
        colophon=colophon,
        figures=figures,
    )


def _tables(figures):
    """Yield a table for each list of rows, and for each row that stands alone; at last the versions."""
    for name, value in figures.items():
        rows = value if isinstance(value, list) else [value]
        if name not in {"machine", "versions"} and rows and all(isinstance(row, dict) for row in rows):
            title = "Figures" if name == "rows" else _spaced(name).capitalize()
            yield Table.of(title, [_cells(row) for row in rows])
    versions = figures.get("versions", {})
    rows = [{"of": name, "packages": _words(packages)} for name, packages in versions.items()]
    if rows:
        yield Table.of("Versions", rows)


def _cells(row):
    """Return the figures of a row that fit into cells, without series over time and without versions."""
    cells = {}
    for name, value in row.items():
        if name == "versions" or _is_series(value):
            continue
        if isinstance(value, dict):
            cells |= {f"{_spaced(name)}: {inner}": cell for inner, cell in _cells(value).items()}
        else:
            cells[_spaced(name)] = " ".join(map(str, value)) if isinstance(value, list) else value
    return cells


def _words(packages):
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def _is_series(value):
    return isinstance(value, list) and any(isinstance(each, list | dict) for each in value)


def _spaced(name):
    return name.replace("_", " ")


def machine():
    """Describe this machine and this truckstream."""
    try:
        cpus = re.findall(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        cpus = []
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "cpu": cpus[0] if cpus else "unknown",
        "truckstream": version("truckstream"),
    }
