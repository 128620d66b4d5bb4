"""Objects are fetched before they are asked for, within bounds, and only where a table is read in order."""

from truckstream.data.query.fetch_plan import OBJECTS_AHEAD, FetchPlan


def plan(count, size=100, **options):
    return FetchPlan({str(n): size for n in range(count)}, **options)


def test_the_first_object_brings_those_that_follow():
    assert plan(3).open("0") == (["0", "1", "2"], [])


def test_an_object_in_the_middle_comes_alone():
    """A query with a filter opens single objects."""
    assert plan(9).open("5") == (["5"], [])


def test_the_objects_after_two_neighbours_are_fetched():
    made = plan(9)
    made.open("5")
    assert made.open("6") == (["6", "7", "8"], [])


def test_an_object_that_is_there_is_not_fetched_again():
    made = plan(3)
    made.open("0")
    assert made.open("1") == ([], [])
    assert made.open("0") == ([], [])


def test_so_many_objects_are_fetched_ahead():
    made = plan(100)
    assert len(made.open("0")[0]) == 1 + OBJECTS_AHEAD
    assert made.open("1")[0] == [str(1 + OBJECTS_AHEAD)]


def test_objects_ahead_take_half_of_the_memory():
    assert plan(9, bytes_kept=600).open("0")[0] == ["0", "1", "2", "3"]


def test_the_object_that_was_used_least_recently_is_forgotten():
    made = plan(9, bytes_kept=250)
    made.open("3")
    made.open("7")
    assert made.open("5") == (["5"], ["3"])
    assert made.open("3") == (["3"], ["7"])


def test_the_object_that_is_asked_for_is_kept_whatever_its_size():
    made = plan(2, size=1_000, bytes_kept=10)
    assert made.open("0") == (["0"], [])
    assert made.open("1") == (["1"], ["0"])


def test_a_whole_table_stays_within_the_bytes():
    made = plan(1_000, bytes_kept=4_000)
    kept = set()
    for n in range(1_000):
        fetch, forget = made.open(str(n))
        kept |= set(fetch)
        kept -= set(forget)
        assert str(n) in kept
        assert len(kept) <= 40


def test_an_object_that_failed_is_fetched_again():
    made = plan(3)
    made.open("0")
    made.forget("0")
    made.forget("0")
    assert made.open("0") == (["0"], [])
