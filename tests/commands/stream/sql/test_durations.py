"""Lengths of time in options."""

import pytest

from truckstream.commands.stream.sql.durations import parse_seconds
from truckstream.errors import InvalidArgumentError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("10", 10), ("1.5 s", 1.5), ("500ms", 0.5), ("5m", 300), ("5min", 300), ("1h", 3600), ("1D", 86_400)],
)
def test_a_number_with_a_unit_is_a_length_of_time(text, seconds):
    assert parse_seconds("window", text) == seconds


@pytest.mark.parametrize("text", ["", "s", "10 parsecs", "-1s", "1e3", "1s2", "inf", "nan", "10000000000"])
def test_anything_else_is_refused_with_examples(text):
    with pytest.raises(
        InvalidArgumentError, match=r"window is .*: must be a length of time such as 500ms, 10s, 5m or 1h"
    ):
        parse_seconds("window", text)
