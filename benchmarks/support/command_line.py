"""The options that several benchmarks share, and the end of each: the machine it ran on, and its figures as JSON."""

import argparse
import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path


def make_parser(doc, *, only=""):
    """Return a parser with `--json` and, if `only` names the things that are compared, `--only`."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    if only:
        help_text = f"run only the {only} whose names contain one of these words"
        parser.add_argument("--only", type=lambda text: text.split(","), default=[""], metavar="WORD,…", help=help_text)
    return parser


def selected(candidates, options):
    """Return the candidates that `--only` selects."""
    return [each for each in candidates if any(word in each.name for word in options.only)]


def publish(options, *, packages=None, **figures):
    """Print the machine and the versions of `packages`, and write them to the `--json` file with the figures."""
    about = machine() | (packages or {})
    print("\n" + ", ".join(f"{name} {value}" for name, value in about.items()))
    if options.json:
        options.json.write_text(json.dumps({"machine": about, **figures}, indent=2) + "\n")


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
