"""The service's time, from its answers."""

import time

import pytest

from truckstream.kinesis.session.service_clock import ServiceClock

NOON = 1_737_028_800.0
DATE = "Thu, 16 Jan 2025 12:00:00 GMT"


def test_a_date_header_sets_the_clock_right():
    clock = ServiceClock()
    assert clock.at(NOON - 600) == NOON - 600
    assert clock.correct(DATE, NOON - 600, 0.0)
    assert clock.at(NOON - 600) == NOON


@pytest.mark.parametrize("zone", ["GMT", "UTC", "+0000", "-0000", ""])
def test_a_date_is_in_utc_wherever_we_are(zone, monkeypatch):
    monkeypatch.setenv("TZ", "XYZ-5")
    time.tzset()
    try:
        clock = ServiceClock()
        assert clock.correct(DATE.replace("GMT", zone), NOON - 600, 0.0)
        assert clock.offset == 600
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_clock_that_is_right_already_is_left_alone():
    clock = ServiceClock()
    clock.correct(DATE, NOON - 600, 0.0)
    assert not clock.correct(DATE, NOON - 599, 600.0)
    assert clock.offset == 600


def test_what_was_signed_before_the_clock_was_set_right_is_worth_signing_again():
    clock = ServiceClock()
    assert clock.correct(DATE, NOON - 600, 0.0)
    assert clock.correct(DATE, NOON - 600, 0.0)
    assert clock.offset == 600


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Jan 2025 12:00:00 GMT"])
def test_a_date_that_is_none_changes_nothing(date):
    clock = ServiceClock()
    assert not clock.correct(date, NOON, 0.0)
    assert clock.offset == 0.0
