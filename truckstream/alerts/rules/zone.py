"""Zones on the map: circles and polygons, and the distance of a place from their edge.

Around a zone of up to some hundred miles the earth is flat enough: a degree of longitude is taken as long as it is at
the place in question. The error is below 1 % where it matters, near the edge.
"""

from __future__ import annotations

from math import asin, cos, hypot, radians, sin, sqrt
from typing import Final

import msgspec

__all__ = ["Circle", "Polygon", "Zone"]

EARTH_RADIUS_MILES: Final = 3958.8
MILES_A_DEGREE: Final = EARTH_RADIUS_MILES * radians(1.0)


class Circle(msgspec.Struct, frozen=True, tag="circle"):
    """All places within `radius` miles of a place."""

    latitude: float
    longitude: float
    radius: float

    def distance(self, latitude: float, longitude: float) -> float:
        """Return the miles to the edge; below 0 inside."""
        north = sin(radians(latitude - self.latitude) / 2) ** 2
        east = sin(radians(longitude - self.longitude) / 2) ** 2
        chord = north + cos(radians(self.latitude)) * cos(radians(latitude)) * east
        return 2 * EARTH_RADIUS_MILES * asin(sqrt(min(1.0, chord))) - self.radius


class Polygon(msgspec.Struct, frozen=True, tag="polygon"):
    """The area within corners, (latitude, longitude) each. The last one is joined to the first."""

    corners: tuple[tuple[float, float], ...]

    def distance(self, latitude: float, longitude: float) -> float:
        """Return the miles to the nearest edge; below 0 inside."""
        scale = cos(radians(latitude))
        # The place is the origin. A difference of longitude is taken the short way round.
        points = [
            (((east - longitude + 180) % 360 - 180) * scale * MILES_A_DEGREE, (north - latitude) * MILES_A_DEGREE)
            for north, east in self.corners
        ]
        edges = list(zip(points, points[1:] + points[:1], strict=True))
        nearest = min(_distance_to_edge(*start, *end) for start, end in edges)
        crossings = sum(_crosses(*start, *end) for start, end in edges)
        return -nearest if crossings % 2 else nearest


Zone = Circle | Polygon


def _distance_to_edge(x1: float, y1: float, x2: float, y2: float) -> float:
    """Return the distance of the origin from the line between two points."""
    dx, dy = x2 - x1, y2 - y1
    length = dx * dx + dy * dy
    share = 0.0 if length == 0 else min(1.0, max(0.0, -(x1 * dx + y1 * dy) / length))
    return hypot(x1 + share * dx, y1 + share * dy)


def _crosses(x1: float, y1: float, x2: float, y2: float) -> bool:
    """Return whether the line crosses the ray from the origin to the east."""
    return (y1 > 0) != (y2 > 0) and x1 + (x2 - x1) * y1 / (y1 - y2) > 0
