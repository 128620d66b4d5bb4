"""Ids and values that would do harm if the page took them for markup, or that would break its layout."""

import pytest

from tests.dashboard.reports import make_view, observe, report

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
BIDI = "\u202eKCURT\u2066\u200b"
HOSTILE = [SCRIPT, BIDI, "W" * 256, "a b\n\tc", "javascript:alert(1)", "__proto__", "🚚" * 64, "..", "%2e%"]


@pytest.fixture
def page(serve, visit):
    """A page with trucks, alerts and rejected records that hold hostile texts."""
    view = make_view()
    for number, truck_id in enumerate(HOSTILE):
        place = {"latitude": 27 + number * 0.1, "longitude": 85.0, "timestamp": f"2026-11-29 08:00:{number:02}"}
        observe(view, report(truck_id, health_status="URGENT", **place), key=truck_id)
    observe(view, report("FAR", latitude=1e308, longitude=-1e308, oil_pressure=1e308, fuel_level=-1e308), key="FAR")
    observe(view, report("FAR", **{"x" * 10_000: 1}), key="<b>" * 3_000)
    observe(view, report("FAR", health_status=SCRIPT + BIDI * 100), key="FAR")
    return visit(serve(view=view).address)


def test_hostile_ids_are_texts(page):
    page.wait_for_function("count => document.querySelectorAll('#attention li').length === count", arg=len(HOSTILE))
    names = page.locator("#attention .who").all_inner_texts()
    assert any(name.startswith("<script>document.title=") for name in names)
    assert "\\u{202e}KCURT\\u{2066}\\u{200b}" in names
    assert page.locator("main script, main img").count() == 0
    assert page.title() == "trucks \N{EN DASH} truckstream"


def test_nothing_grows_beyond_the_window(page):
    page.locator("#alerts li").nth(len(HOSTILE) - 1).wait_for()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("truck_id", HOSTILE, ids=range(len(HOSTILE)))
def test_each_truck_has_its_page(page, truck_id):
    page.evaluate("id => { location.hash = `#/truck/${encodeURIComponent(id)}`; }", truck_id)
    page.locator("#truck-signals tr").nth(21).wait_for()
    assert page.evaluate("document.getElementById('truck-health').textContent") == "Urgent"
    assert page.evaluate(
        "document.getElementById('drawer').scrollWidth <= document.getElementById('drawer').clientWidth"
    )
    assert page.locator("#drawer script, #drawer img").count() == 0


def test_a_position_that_is_not_on_earth_is_not_on_the_map(page):
    page.wait_for_function("() => truckstream.fleet.byId.has('FAR')")
    assert page.evaluate("truckstream.fleet.byId.get('FAR').isOnMap") is False
    assert page.evaluate("truckstream.map.projection.scale") > 1000
    page.get_by_text("1 truck reports no place on Earth.").wait_for()


def test_a_broken_address_opens_nothing(page):
    page.evaluate("location.hash = '#/truck/%'")
    page.wait_for_timeout(200)
    assert page.locator("#drawer").is_hidden()


def test_the_browser_itself_refuses_inline_scripts_and_evaluation(serve, browser):
    context = browser.new_context()
    page = context.new_page()
    page.goto(serve().address)
    with pytest.raises(Exception, match=r"unsafe-eval|Content Security Policy|TrustedScript"):
        page.evaluate(
            """() => new Promise((done, fail) => {
                setTimeout(() => { try { done((0, eval)("1")); } catch (error) { fail(error); } });
            })"""
        )
    ran = page.evaluate(
        """() => { const script = document.createElement("script");
        try { script.text = "window.ran = true"; document.body.append(script); } catch { /* Trusted Types */ }
        return window.ran === true; }"""
    )
    assert ran is False
    context.close()
