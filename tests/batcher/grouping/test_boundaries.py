"""The indices at which a group may begin or end."""

from hypothesis import given
from hypothesis import strategies as st

from truckstream.batcher.grouping.boundaries import EVERY_INDEX, GROUP_BYTES, Boundaries


@given(st.integers(0, 10**6))
def test_without_aggregates_every_index_is_a_boundary(index):
    assert EVERY_INDEX.at_or_after(index) == EVERY_INDEX.at_or_before(index) == index


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.data())
def test_the_nearest_boundaries_on_both_sides_are_found(counts, data):
    indices = [sum(counts[:n]) for n in range(len(counts) + 1)]
    boundaries, index = Boundaries(indices), data.draw(st.integers(0, indices[-1]))
    assert boundaries.at_or_after(index) == min(each for each in indices if each >= index)
    assert boundaries.at_or_before(index) == max(each for each in indices if each <= index)


def test_a_group_ends_at_the_first_boundary_at_which_it_has_enough_records():
    boundaries = Boundaries([0, 2, 9, 10])
    assert boundaries.end_of_group(0, 2, 10) == (2, True)
    assert boundaries.end_of_group(0, 3, 10) == (9, True)
    assert boundaries.end_of_group(2, 8, 10) == (10, True)
    assert boundaries.end_of_group(2, 9, 10) == (10, False)


def test_a_group_always_ends_at_a_fixed_edge_and_is_full():
    boundaries = Boundaries([0, 1, 2, 7, 12, 15, 16], fixed_edges=[2, 7, 12, 15])
    ends = [0]
    while ends[-1] < 16:
        ends.append(boundaries.end_of_group(ends[-1], 5, 16).stop)
    assert ends == [0, 2, 7, 12, 15, 16]
    assert boundaries.end_of_group(0, 5, 16).is_full
    assert not boundaries.end_of_group(15, 5, 16).is_full


def test_a_group_ends_at_the_first_boundary_at_which_it_has_enough_bytes():
    sizes = [0, 0, GROUP_BYTES - 1, GROUP_BYTES - 1, GROUP_BYTES, GROUP_BYTES, GROUP_BYTES]
    boundaries = Boundaries([0, 1, 2, 3, 5, 6], sizes=sizes)
    assert boundaries.end_of_group(0, 700, 6) == (5, True)
    assert boundaries.end_of_group(2, 700, 6) == (6, False)
    assert boundaries.end_of_group(0, 2, 6) == (2, True)
