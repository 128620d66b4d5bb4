"""The table on a terminal, and the figures below it."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from truckstream.commands.stream.sql import printing
from truckstream.stream_sql import RowChange, SqlStats, WindowAnswer

START = datetime(2025, 1, 15, 8, tzinfo=UTC)


def stats(**figures):
    zeros = {
        **dict.fromkeys(("rejected", "without_time", "ahead", "late", "open_windows", "buffered_records"), 0),
        "buffered_bytes": 0,
        "watermark": None,
        "step_seconds": 0.0,
        "read": 1500,
    }
    return SqlStats(**{**zeros, **figures})


class FakeStream:
    stats = stats(late=2, open_windows=1, buffered_records=20)


def result(*rows, start=START):
    return WindowAnswer(
        window_start=start,
        window_end=start + timedelta(seconds=10),
        is_final=False,
        columns=("window_start", "window_end", "truck_id", "speed"),
        key=(2,),
        rows=[(START, START, *row) for row in rows],
        changes=[RowChange("insert", (START, START, *row)) for row in rows],
    )


@pytest.fixture
def terminal(monkeypatch):
    """Replace the console by a terminal of 60 columns and 10 lines, and return what it shows."""
    shown = io.StringIO()
    monkeypatch.setattr(
        printing, "console", Console(file=shown, force_terminal=True, width=60, height=10, color_system=None)
    )
    return shown


def test_the_table_shows_the_window_its_rows_and_the_figures(terminal):
    with printing.live_table(FakeStream()) as show:
        show(result(("A", 50.5), ("B", None)))
    text = terminal.getvalue()
    assert "2025-01-15 08:00:00 to 08:00:10 UTC, open" in text
    assert "truck_id  speed" in text
    assert "A          50.5" in text
    assert "B          NULL" in text
    assert "1,500 records read, 2 late; 1 windows open with 20 records" in text


def test_an_earlier_window_does_not_replace_a_later_one(terminal):
    with printing.live_table(FakeStream()) as show:
        show(result(("B", 1), start=START + timedelta(seconds=10)))
        show(result(("A", 1)))
    assert "08:00:10 to 08:00:20" in terminal.getvalue()
    assert "08:00:00 to 08:00:10" not in terminal.getvalue()


def test_rows_that_do_not_fit_are_counted(terminal):
    with printing.live_table(FakeStream()) as show:
        show(result(*[(f"T{n}", n) for n in range(50)]))
    assert "46 more rows; 1,500 records" in terminal.getvalue()


def test_control_characters_of_a_record_do_not_reach_the_terminal(terminal):
    with printing.live_table(FakeStream()) as show:
        show(result(("\x1b[31mA\n", 1)))
    assert "\\x1b[31mA\\n" in terminal.getvalue()


def test_the_figures_name_every_record_that_an_answer_lacks():
    text = printing.figures_of(stats(rejected=1, without_time=2, ahead=3, late=4))
    assert text == (
        "1,500 records read, 4 late, 1 rejected, 2 without a time, 3 from clocks that are ahead; "
        "0 windows open with 0 records"
    )
