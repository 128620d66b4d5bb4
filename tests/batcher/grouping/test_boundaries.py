"""Where a delivery may be cut."""

from hypothesis import given
from hypothesis import strategies as st

from truckstream.batcher.grouping.boundaries import EVERY_INDEX, Boundaries


@given(st.integers(0, 10**6))
def test_without_aggregates_it_may_be_cut_everywhere(index):
    assert EVERY_INDEX.at_or_after(index) == EVERY_INDEX.at_or_before(index) == index


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.data())
def test_an_index_lies_between_its_edges(counts, data):
    places = [sum(counts[:n]) for n in range(len(counts) + 1)]
    boundaries, index = Boundaries(places), data.draw(st.integers(0, places[-1]))
    assert boundaries.at_or_after(index) == min(place for place in places if place >= index)
    assert boundaries.at_or_before(index) == max(place for place in places if place <= index)
