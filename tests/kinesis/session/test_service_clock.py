"""The service's clock, corrected by its responses."""

import time

import pytest

from truckstream.kinesis.session.service_clock import ServiceClock

NOON = 1_737_028_800.0
DATE = "Thu, 16 Jan 2025 12:00:00 GMT"


def test_a_date_header_corrects_the_clock():
    clock = ServiceClock()
    assert clock.at(NOON - 600) == NOON - 600
    assert clock.correct(DATE, NOON - 600, 0.0)
    assert clock.at(NOON - 600) == NOON


@pytest.mark.parametrize("zone", ["GMT", "UTC", "+0000", "-0000", ""])
def test_a_date_is_in_utc_in_any_time_zone(zone, monkeypatch):
    monkeypatch.setenv("TZ", "XYZ-5")
    time.tzset()
    try:
        clock = ServiceClock()
        assert clock.correct(DATE.replace("GMT", zone), NOON - 600, 0.0)
        assert clock.offset == 600
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_correct_clock_is_not_changed():
    clock = ServiceClock()
    clock.correct(DATE, NOON - 600, 0.0)
    assert not clock.correct(DATE, NOON - 599, 600.0)
    assert clock.offset == 600


def test_a_request_signed_before_the_correction_is_worth_signing_again():
    clock = ServiceClock()
    assert clock.correct(DATE, NOON - 600, 0.0)
    assert clock.correct(DATE, NOON - 600, 0.0)
    assert clock.offset == 600


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "yesterday",
        "Thu, 99 Jan 2025 12:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2300",
        "Mon, 01 Jan 0001 00:00:00 +2300",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ],
)
def test_an_invalid_date_changes_nothing(date):
    clock = ServiceClock()
    assert not clock.correct(date, NOON, 0.0)
    assert clock.offset == 0.0


@pytest.mark.parametrize(("skew", "corrected"), [(1.9, False), (2.0, True), (-1.9, False), (-2.0, True)])
def test_a_date_has_whole_seconds_so_a_clock_counts_as_wrong_from_two_seconds_on(skew, corrected):
    clock = ServiceClock()
    assert clock.correct(DATE, NOON - skew, 0.0) is corrected
    assert clock.offset == (pytest.approx(skew) if corrected else 0.0)


@pytest.mark.parametrize(
    ("date", "plausible"),
    [
        ("Wed, 13 Nov 2013 23:59:59 GMT", False),
        ("Thu, 14 Nov 2013 00:00:00 GMT", True),
        ("Wed, 01 Jan 2200 00:00:00 GMT", True),
        ("Wed, 01 Jan 2200 00:00:01 GMT", False),
    ],
)
def test_only_a_date_of_the_time_of_kinesis_corrects_the_clock(date, plausible):
    assert ServiceClock().correct(date, NOON, 0.0) is plausible
