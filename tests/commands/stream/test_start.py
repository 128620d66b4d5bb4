"""The option `--from` is read as people write times, and anything else is an error that lists the forms."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from truckstream.commands.stream.start import parse_start, parse_times
from truckstream.errors import InvalidArgumentError

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["LATEST", "latest", " Latest "])
def test_the_names_of_the_service(text):
    assert parse_start(text, NOW) == "LATEST"
    assert parse_start("trim_horizon", NOW) == "TRIM_HORIZON"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-29T08:30", datetime(2026, 11, 29, 8, 30, tzinfo=UTC)),
        ("2026-11-29 08:30:15.250", datetime(2026, 11, 29, 8, 30, 15, 250_000, tzinfo=UTC)),
        ("2026-11-29T08:30Z", datetime(2026, 11, 29, 8, 30, tzinfo=UTC)),
        ("2026-11-29T08:30+01:00", datetime(2026, 11, 29, 8, 30, tzinfo=timezone(timedelta(hours=1)))),
        ("20261129T083000Z", datetime(2026, 11, 29, 8, 30, tzinfo=UTC)),
        ("2026-11-28", datetime(2026, 11, 28, tzinfo=UTC)),
    ],
)
def test_times_in_iso_8601_are_utc_without_an_offset(text, expected):
    start = parse_start(text, NOW)
    assert start == expected
    assert start.tzinfo is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("-15m", 900),
        ("15m", 900),
        ("15 min", 900),
        ("10 minutes ago", 600),
        ("1 minute ago", 60),
        ("30s", 30),
        ("-1.5h", 5_400),
        ("2 Hours Ago", 7_200),
        ("7d", 604_800),
        ("0s", 0),
    ],
)
def test_ages_count_from_now(text, seconds):
    assert parse_start(text, NOW) == NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "15", "-15", "15 weeks", "m", "2026-13-01", "2026-11-29T25:00", "\u0661m", "--5m", "1h30m"],
)
def test_another_text_is_an_error_that_lists_the_forms(text):
    with pytest.raises(
        InvalidArgumentError, match=r"must be TRIM_HORIZON .* LATEST .* a time such as .* an age such as"
    ):
        parse_start(text, NOW)


@pytest.mark.parametrize("text", ["2026-11-29T12:00:01Z", "2026-11-29T12:30+00:00", "2027-01-01"])
def test_a_time_in_the_future_is_an_error_with_the_present_time(text):
    with pytest.raises(InvalidArgumentError, match="must not be in the future; it is 2026-11-29T12:00:00Z now"):
        parse_start(text, NOW)


def test_an_age_before_the_year_1_is_an_error():
    with pytest.raises(InvalidArgumentError, match="before the year 1"):
        parse_start("999999999d", NOW)


@pytest.mark.parametrize("until", ["2h", "3h"])
def test_a_time_of_no_length_is_an_error(until):
    with pytest.raises(
        InvalidArgumentError, match=f"until is '{until}': must be after since, which is 2026-11-29T10:00:00Z"
    ):
        parse_times(NOW, since="2h", until=until)
    assert parse_times(NOW, since=None, until=until)["since"] is None
