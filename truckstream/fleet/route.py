"""A truck's route: a round trip between stops, along town streets, country roads and motorways.

The trucks stay within about 100 miles of the place in the sample record. At these distances a flat earth is wrong by
less than the last digit of a position in one step: a degree of latitude is 69.05 miles everywhere, and a degree of
longitude is that times the cosine of the latitude.
"""

from __future__ import annotations

from math import atan2, cos, hypot, pi, radians, sin, sqrt
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["MILES_PER_DEGREE", "Route"]

MILES_PER_DEGREE: Final = 69.05
DEPOT: Final = (27.717234, 85.324567)
REACH_MILES: Final = 100.0

#: Miles to the nearer end of the leg: below the first is town, with traffic lights; below the second is country, and
#: beyond it motorway.
TOWN_MILES: Final = 2.0
COUNTRY_MILES: Final = 12.0
#: mph.
TOWN_LIMIT: Final = 30.0
COUNTRY_LIMIT: Final = 47.0
MOTORWAY_LIMIT: Final = 65.0
#: A driver brakes for a stop by 1.5 mph a second: v² = 2 · 1.5 · 3600 · miles.
APPROACH: Final = 2.0 * 1.5 * 3600.0
ARRIVED_MILES: Final = 0.03


class Route:
    """A truck's position and its way to the next stop.

    In degrees, miles and miles an hour; `heading` is in radians, clockwise from north.
    """

    __slots__ = (
        "_next",
        "_random",
        "_stops",
        "_weave",
        "_width",
        "heading",
        "latitude",
        "leg",
        "limit",
        "longitude",
        "remaining",
    )

    def __init__(self, random: Random) -> None:
        self._random = random
        self._stops = [self._somewhere() for _ in range(random.randint(3, 6))]
        self._next = 1
        self._weave = 0.0
        (north, east), (north_to, east_to) = self._stops[0], self._stops[1]
        done = random.random()
        self.latitude = north + (north_to - north) * done
        self.longitude = east + (east_to - east) * done
        self.heading = self.limit = 0.0
        self.leg = self.remaining = 0.0
        self.look_ahead()  # it computes the distance; the leg's length follows from that, and the limit from both
        self.leg = self.remaining / (1.0 - done)
        self.look_ahead()

    def _somewhere(self) -> tuple[float, float]:
        bearing = self._random.uniform(0.0, 2.0 * pi)
        miles = REACH_MILES * sqrt(self._random.random())
        latitude = DEPOT[0] + cos(bearing) * miles / MILES_PER_DEGREE
        return latitude, DEPOT[1] + sin(bearing) * miles / (MILES_PER_DEGREE * cos(radians(DEPOT[0])))

    def look_ahead(self) -> None:
        """Turn towards the next stop, along a winding road, and update the distance and the speed limit."""
        latitude, longitude = self._stops[self._next]
        self._width = MILES_PER_DEGREE * cos(radians(self.latitude))
        north = (latitude - self.latitude) * MILES_PER_DEGREE
        east = (longitude - self.longitude) * self._width
        self.remaining = remaining = hypot(north, east)
        self._weave += 0.3 * (self._random.random() - 0.5) - 0.1 * self._weave
        self.heading = atan2(east, north) + (self._weave if remaining > TOWN_MILES else 0.0)
        edge = min(remaining, self.leg - remaining) if self.leg > remaining else 0.0
        limit = TOWN_LIMIT if edge < TOWN_MILES else COUNTRY_LIMIT if edge < COUNTRY_MILES else MOTORWAY_LIMIT
        self.limit = min(limit, sqrt(APPROACH * remaining))

    def degrees(self, miles: float) -> tuple[float, float]:
        """Return the change in latitude and longitude after `miles` straight on."""
        return cos(self.heading) * miles / MILES_PER_DEGREE, sin(self.heading) * miles / self._width

    def move(self, miles: float) -> None:
        """Go straight on."""
        north, east = self.degrees(miles)
        self.latitude += north
        self.longitude += east

    def next_leg(self) -> None:
        """Set out for the stop after this one."""
        self._next = (self._next + 1) % len(self._stops)
        self.look_ahead()
        self.leg = self.remaining
