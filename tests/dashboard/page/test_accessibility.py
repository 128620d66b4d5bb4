"""The page for people who do not see it as it was drawn: axe-core's rules, the order of focus, narrow windows."""

from functools import cache

import pytest

from tests.dashboard.reports import START, make_view, observe, report
from tests.external_clients.installation import npm_with, or_skipped
from truckstream.dashboard import FleetView, ViewSource

AXE = "axe-core@4.14.1"


@cache
def axe_source():
    return (npm_with(AXE) / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def busy_view():
    view = make_view()
    view.tick(START)
    for number in range(12):
        health = ("NORMAL", "WARNING", "URGENT")[number % 3]
        place = {"latitude": 27 + number * 0.1, "longitude": 85 + number % 3 * 0.3}
        observe(view, report(f"T{number}", health_status=health, engine_temp=115.0, **place), key=f"T{number}")
    observe(view, report("T1", engine_temp=500.0), key="T1")
    view.set_lag(1.0)
    view.tick(START + 2)
    return view


def violations(page):
    """The rules of axe-core that the page breaks, with the elements that break them."""
    page.evaluate(axe_source())
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return {each["id"]: [node["html"][:120] for node in each["nodes"]] for each in found["violations"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("hash_", ["", "#/truck/T2"], ids=["fleet", "truck"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(serve, visit, scheme, hash_, width):
    with or_skipped("axe-core"):
        axe_source()
    page = visit(serve(view=busy_view()).address + hash_, width=width, height=844, color_scheme=scheme)
    page.locator("#attention li").nth(7).wait_for()
    if hash_:
        page.locator("#truck-signals tr").nth(21).wait_for()
    assert violations(page) == {}


def test_axe_finds_nothing_in_a_replay(serve, visit):
    with or_skipped("axe-core"):
        axe_source()
    view = FleetView(ViewSource(title="store", kind="store"))
    view.show_replay({"first": START, "last": START + 9, "position": START, "speed": 30.0, "paused": True})
    view.show_notice("The run has ended.")
    page = visit(serve(view=view).address)
    page.locator("#replay").wait_for()
    assert violations(page) == {}


def test_the_focus_goes_through_the_page_in_its_order(serve, visit):
    page = visit(serve(view=busy_view()).address)
    page.locator("#alerts li").nth(3).wait_for()
    found = []
    for _ in range(9):
        page.keyboard.press("Tab")
        found.append(page.evaluate("document.activeElement.id || document.activeElement.closest('[id]')?.id"))
    assert found == [None, "theme", "map", "find-truck", "zoom-in", "zoom-out", "zoom-fit", "alerts", "alerts"]


@pytest.mark.parametrize("hash_", ["", "#/truck/T2"], ids=["fleet", "truck"])
def test_a_phone_needs_no_scrolling_to_the_side(serve, visit, hash_):
    page = visit(serve(view=busy_view()).address + hash_, width=390, height=844)
    page.locator("#attention li").nth(7).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    cut = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select")].filter((each) => {
            const box = each.getBoundingClientRect();
            return box.width && (box.left < 0 || box.right > innerWidth);
        }).map((each) => each.id)"""
    )
    assert cut == []


def test_a_wide_window_shows_everything_at_once(serve, visit):
    page = visit(serve(view=busy_view()).address)
    page.locator("#shard-rows tr").wait_for()
    assert page.evaluate("document.documentElement.scrollHeight") == 800
    boxes = page.locator(".grid > *").evaluate_all(
        """all => all.map(each => each.getBoundingClientRect())
        .map(({left, top, right, bottom}) => [left, top, right, bottom])"""
    )
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert bottom <= 800
        for other_left, other_top, other_right, other_bottom in boxes[index + 1 :]:
            assert right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
