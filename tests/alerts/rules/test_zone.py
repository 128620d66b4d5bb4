"""Distances from the edges of zones, in miles: below 0 inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.alerts.rules.zone import Circle, Polygon

#: A square degree at the equator; its edges are 69.09 miles long.
SQUARE = Polygon(((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)))


@pytest.mark.parametrize(
    ("place", "distance"),
    [((27.7, 85.3), -10.0), ((27.7 + 10 / 69.093, 85.3), 0.0), ((28.7, 85.3), 59.09), ((27.7, 86.3), 51.18)],
)
def test_the_distance_from_a_circle(place, distance):
    assert Circle(27.7, 85.3, 10.0).distance(*place) == pytest.approx(distance, abs=0.01)


@pytest.mark.parametrize(
    ("place", "distance"),
    [((0.5, 0.5), -34.55), ((0.5, 0.9), -6.91), ((0.5, 1.1), 6.91), ((1.1, 1.1), 9.77), ((-0.1, 0.5), 6.91)],
)
def test_the_distance_from_a_polygon(place, distance):
    assert SQUARE.distance(*place) == pytest.approx(distance, abs=0.01)


def test_a_polygon_with_a_notch_does_not_contain_the_notch():
    notched = Polygon(((0, 0), (0, 3), (3, 3), (3, 2), (1, 2), (1, 1), (3, 1), (3, 0)))
    assert notched.distance(2.0, 1.5) > 0
    assert notched.distance(2.0, 0.5) < 0


def test_zones_across_the_date_line_are_one():
    across = Polygon(((-1.0, 179.0), (-1.0, -179.0), (1.0, -179.0), (1.0, 179.0)))
    assert across.distance(0.0, 179.9) < 0
    assert across.distance(0.0, -179.9) < 0
    assert across.distance(0.0, 178.0) > 0
    assert Circle(0.0, 179.9, 30.0).distance(0.0, -179.9) < 0


def test_the_farthest_place_from_a_circle_is_half_way_round_the_earth():
    assert Circle(90.0, 0.0, 1.0).distance(-90.0, 0.0) == pytest.approx(12_436, abs=1)


@given(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5))
def test_inside_and_outside_of_a_square_are_those_of_its_coordinates(latitude, longitude):
    inside = 0 < latitude < 1 and 0 < longitude < 1
    distance = SQUARE.distance(latitude, longitude)
    assert (distance < 0) == inside or abs(distance) < 1e-6
