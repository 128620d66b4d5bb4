"""Renew the files of other makers that the dashboard serves: uPlot, and borders cut from world-atlas.

    python docs/vendor_dashboard.py

It needs npm. Raise the versions below, run it, look at the page, and commit the files with their licences. The borders
of the fleet's region come from the atlas of 1:10 million, which looks right when a truck fills the screen; the rest of
the world comes from the one of 1:110 million, which is enough to find trucks that are elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UPLOT = "1.6.32"
WORLD_ATLAS = "2.0.2"
TARGET = Path(__file__).parent.parent / "truckstream" / "dashboard" / "static" / "vendor"

#: West, south, east and north of the region around the simulated fleet, in degrees.
REGION = (78.0, 22.0, 93.0, 33.0)
#: Coordinates are written as whole numbers of these steps, in degrees: 0.002 are 200 m.
FINE_STEP = 0.002
COARSE_STEP = 0.02
#: A country is named where its largest part lies; parts below this area, in square degrees, are not.
SMALLEST_NAMED = 0.5

Point = tuple[float, float]
Line = list[Point]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        uplot = _fetch("uplot", UPLOT, Path(folder))
        atlas = _fetch("world-atlas", WORLD_ATLAS, Path(folder))
        for source, name in (
            (uplot / "dist" / "uPlot.iife.min.js", "uplot.js"),
            (uplot / "dist" / "uPlot.min.css", "uplot.css"),
            (uplot / "LICENSE", "LICENSE.uplot.txt"),
            (atlas / "LICENSE", "LICENSE.world-atlas.txt"),
        ):
            (TARGET / name).write_bytes(source.read_bytes())
        fine = json.loads((atlas / "countries-10m.json").read_text(encoding="utf-8"))
        coarse = json.loads((atlas / "countries-110m.json").read_text(encoding="utf-8"))
    borders = {
        "fine": _layer(fine, FINE_STEP, inside=True),
        "coarse": _layer(coarse, COARSE_STEP, inside=False),
        "names": list(_names(coarse)),
    }
    (TARGET / "borders.json").write_text(json.dumps(borders, separators=(",", ":")) + "\n", encoding="utf-8")


def _fetch(package: str, version: str, folder: Path) -> Path:
    """Return the folder of a package's files."""
    target = folder / package
    target.mkdir()
    subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=target, check=True)
    [archive] = target.glob("*.tgz")
    with tarfile.open(archive) as files:
        files.extractall(target, filter="data")
    return target / "package"


# --- TopoJSON -----------------------------------------------------------------------------------------


def _lines(topology: dict) -> list[Line]:
    """Return the lines of a topology, each once, in degrees."""
    (scale_x, scale_y), (from_x, from_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    lines = []
    for arc in topology["arcs"]:
        x = y = 0
        line = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            line.append((x * scale_x + from_x, y * scale_y + from_y))
        lines.append(line)
    return lines


def _layer(topology: dict, step: float, *, inside: bool) -> dict:
    lines = [_encode(part, step) for line in _lines(topology) for part in _cut(line, inside=inside)]
    return {"step": step, "lines": lines}


def _cut(line: Line, *, inside: bool) -> Iterator[Line]:
    """Yield the parts of a line that lie inside the region, or outside of it, with the steps across its edge."""
    part: Line = []
    for start, end in pairwise(line):
        if inside in {_is_inside(start), _is_inside(end)}:
            part = part or [start]
            part.append(end)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _is_inside(point: Point) -> bool:
    west, south, east, north = REGION
    return west <= point[0] <= east and south <= point[1] <= north


def _encode(line: Line, step: float) -> list[int]:
    """Return x and y of the first point, and the differences of the others to the point before."""
    encoded: list[int] = []
    last = (0, 0)
    for x, y in line:
        here = (round(x / step), round(y / step))
        if here != last or not encoded:
            encoded += [here[0] - last[0], here[1] - last[1]]
            last = here
    return encoded


# --- Names ------------------------------------------------------------------------------------------


def _names(topology: dict) -> Iterator[tuple[str, float, float, float]]:
    """Yield the name of each country, the place of its largest part, and that part's width in degrees."""
    arcs = _lines(topology)
    for country in topology["objects"]["countries"]["geometries"]:
        polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        rings = [_ring(polygon[0], arcs) for polygon in polygons]
        area, ring = max((abs(_area(ring)), ring) for ring in rings)
        if area >= SMALLEST_NAMED:
            longitude, latitude = _centroid(ring)
            width = max(x for x, _ in ring) - min(x for x, _ in ring)
            yield country["properties"]["name"], round(longitude, 2), round(latitude, 2), round(width, 1)


def _ring(indices: list[int], arcs: list[Line]) -> Line:
    return [point for index in indices for point in (arcs[index] if index >= 0 else arcs[~index][::-1])]


def _area(ring: Line) -> float:
    pairs = zip(ring, ring[1:] + ring[:1], strict=True)
    return sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in pairs) / 2


def _centroid(ring: Line) -> Point:
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
    crosses = [x * next_y - next_x * y for (x, y), (next_x, next_y) in pairs]
    total = 3 * sum(crosses)
    return (
        sum((x + next_x) * cross for ((x, _), (next_x, _)), cross in zip(pairs, crosses, strict=True)) / total,
        sum((y + next_y) * cross for ((_, y), (_, next_y)), cross in zip(pairs, crosses, strict=True)) / total,
    )


if __name__ == "__main__":
    main()
