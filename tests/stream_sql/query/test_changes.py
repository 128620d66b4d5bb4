"""The changes between two answers make the later one of the earlier one."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from truckstream.stream_sql.query.changes import RowChange, changes_between


def test_a_row_is_known_by_its_key():
    before = [("A", 1), ("B", 2), ("C", 3)]
    after = [("B", 2), ("A", 5), ("D", 4)]
    assert changes_between(before, after, [0]) == [
        RowChange("update", ("A", 5)),
        RowChange("insert", ("D", 4)),
        RowChange("delete", ("C", 3)),
    ]


def test_an_answer_with_one_row_has_no_key():
    assert changes_between([(1,)], [(2,)], []) == [RowChange("update", (2,))]


def test_without_a_key_whole_rows_come_and_go():
    assert changes_between([("A", 1), ("A", 1)], [("A", 1), ("A", 2)], None) == [
        RowChange("insert", ("A", 2)),
        RowChange("delete", ("A", 1)),
    ]


def test_rows_that_share_a_key_count_as_rows_without_one():
    assert changes_between([("A", 1)], [("A", 1), ("A", 2)], [0]) == [RowChange("insert", ("A", 2))]


def test_nan_lists_and_structs_can_be_compared():
    row = ("A", float("nan"), [1, {"x": [2]}])
    assert changes_between([row], [("A", float("nan"), [1, {"x": [2]}])], [0]) == []
    changes = changes_between([row], [("A", float("nan"), [1, {"x": [3]}])], None)
    assert [(kind, changed[2]) for kind, changed in changes] == [
        ("insert", [1, {"x": [3]}]),
        ("delete", [1, {"x": [2]}]),
    ]


ROWS = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 2)), max_size=8)


@given(ROWS, ROWS, st.sampled_from([None, [0], [0, 1], []]))
def test_the_changes_lead_from_one_answer_to_the_next(before, after, key):
    state = Counter(before)
    by_key = {tuple(row[place] for place in key): row for row in before} if key is not None else {}
    for kind, row in changes_between(before, after, key):
        if kind == "update":
            state[by_key[tuple(row[place] for place in key)]] -= 1
        state[row] += -1 if kind == "delete" else 1
    assert +state == Counter(after)
