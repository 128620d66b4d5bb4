"""A table shows the columns that fit."""

from datetime import datetime
from io import StringIO

import pytest
from rich.console import Console

from truckstream.commands.stored.query.result import format_rows


def printed(names, rows, width=None):
    table, shown = format_rows(names, rows, width)
    console = Console(width=width or 1_000, file=StringIO())
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()], shown


def test_numbers_are_aligned_to_the_right():
    rows = [("a", 1, 1.5, True), ("bc", None, 22.25, False)]
    assert printed(["name", "n", "x", "yes"], rows)[0] == [
        "name     n      x  yes",
        "a        1    1.5  True",
        "bc    NULL  22.25  False",
    ]


def test_a_table_without_rows_has_its_head():
    assert printed(["a", "b"], []) == (["a  b"], 2)


@pytest.mark.parametrize(("width", "shown"), [(6, 2), (5, 1), (3, 1), (9, 3), (8, 2), (100, 3)])
def test_columns_that_do_not_fit_are_left_out(width, shown):
    names = ["aa", "bb", "c"]
    assert printed(names, [("1", "2", "3")], width)[1] == shown


def test_long_values_are_cut_on_a_terminal_only():
    long = "x" * 100
    assert printed(["a"], [(long,)], 80)[0] == ["a", "x" * 40]
    assert printed(["a"], [(long,)])[0] == ["a", long]


def test_wide_characters_take_two_cells():
    lines, shown = printed(["a", "b"], [("漢字", "x")], 7)
    assert (lines, shown) == (["a     b", "漢字  x"], 2)


def test_times_and_nested_values_are_texts():
    rows = [(datetime(2025, 1, 15, 14, 30), {"x": [1]})]  # noqa: DTZ001
    assert printed(["t", "v"], rows)[0][1] == "2025-01-15 14:30:00  {'x': [1]}"
