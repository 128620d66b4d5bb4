"""The indices at which a group may begin or end."""

from hypothesis import given
from hypothesis import strategies as st

from truckstream.batcher.grouping.boundaries import EVERY_INDEX, Boundaries


@given(st.integers(0, 10**6))
def test_without_aggregates_every_index_is_a_boundary(index):
    assert EVERY_INDEX.at_or_after(index) == EVERY_INDEX.at_or_before(index) == index


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.data())
def test_the_nearest_boundaries_on_both_sides_are_found(counts, data):
    indices = [sum(counts[:n]) for n in range(len(counts) + 1)]
    boundaries, index = Boundaries(indices), data.draw(st.integers(0, indices[-1]))
    assert boundaries.at_or_after(index) == min(each for each in indices if each >= index)
    assert boundaries.at_or_before(index) == max(each for each in indices if each <= index)
