"""Records are input that anybody may make up. Every message must stay JSON that a browser can read, and stay small."""

import json

import pytest

from tests.dashboard.reports import START, changes, make_view, observe, report
from truckstream.dashboard.view.texts import LONGEST_TEXT, short_text, short_value
from truckstream.errors import InvalidRecordError

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
BIDI = "\u202eKCURT\u2066\u200b"


@pytest.mark.parametrize("truck_id", [SCRIPT, BIDI, "T" * 256, "\x00\x1b[31m", "../../etc/passwd", "🚚", "__proto__"])
def test_an_id_arrives_as_it_is_for_the_page_to_escape(truck_id):
    view = make_view()
    observe(view, report(truck_id), key=truck_id)
    message, _ = changes(view)
    assert message["trucks"]["ids"] == [[0, truck_id]]
    assert json.loads(view.truck_page(truck_id))["values"]["truck_id"] == truck_id


@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324, 927.0])
def test_values_without_limits_may_be_huge(value):
    view = make_view()
    for second in (0, 2):
        observe(view, report(latitude=value, longitude=-value, oil_pressure=value), now=START + second)
    row = changes(view)[0]["trucks"]["rows"][0]
    assert row[1] == pytest.approx(value, abs=1e-5)
    assert json.loads(view.truck_page("TRUCK_001"))["signals"]["oil_pressure"] == [value, value]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\x00",
        b"[" * 10_000,
        b'{"truck_id":"' + b"\\ud800" + b'"}',
        b"NaN",
        report(engine_temp="<script>"),
        report().replace(b"95.7", b"NaN"),
        report().replace(b"2150", b"1" * 10_000),
        report(**{"x" * 10_000: 1}),
        report(truck_id="T" * 10_000),
        report(truck_id=""),
        report(health_status=BIDI * 1_000),
    ],
    ids=lambda data: repr(data[:30]),
)
def test_a_broken_record_is_counted_and_its_texts_are_short(data):
    view = make_view()
    observe(view, data, key="K" * 10_000)
    message, _ = changes(view)
    assert message["trucks"]["rows"] == []
    assert sum(count for _, count in message["rejected"]["reasons"]) == 1
    [rejection] = message["rejected"]["latest"]
    assert all(len(text) <= LONGEST_TEXT for text in rejection.values() if isinstance(text, str))


def test_reasons_of_any_number_are_counted_together():
    view = make_view()
    for number in range(1_000):
        view.reject(InvalidRecordError(f"reason {number}", None, None, ""), "key", START)
    reasons = changes(view)[0]["rejected"]["reasons"]
    assert len(reasons) == 25
    assert sum(count for _, count in reasons) == 1_000


def test_a_text_is_cut_and_stays_encodable():
    assert short_text("a" * 300) == "a" * 199 + "…"
    assert short_text("\ud800") == "\\ud800"
    assert short_value(10**5_000).endswith("too large to print")
    assert short_value(None) == "None"


@pytest.mark.parametrize("truck_id", ["T" * 256, BIDI, "TRUCK_001"])
def test_an_alert_says_what_was_found_whatever_the_id_is(truck_id):
    view = make_view()
    observe(view, report(truck_id, health_status="URGENT"), key=truck_id)
    (incident,) = changes(view)[0]["incidents"]
    assert (incident["truck_id"], incident["message"]) == (truck_id, "health_status is URGENT (urgent-health)")
