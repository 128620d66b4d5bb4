"""The page in a real browser: what it shows, and how it is used."""

import pytest

from tests.dashboard.reports import SHARD, START, make_view, observe, report
from truckstream.dashboard import FleetView, ViewSource


def fleet(view, count=12, **fields):
    """Trucks on a grid of half a degree."""
    for number in range(count):
        place = {"latitude": 27 + number // 4 * 0.5, "longitude": 84.5 + number % 4 * 0.5}
        observe(view, report(f"TRUCK_{number:03}", **place | fields), key=f"TRUCK_{number:03}")


def text(page, selector):
    return page.locator(selector).inner_text()


def wait_for_trucks(page, count):
    page.wait_for_function("count => truckstream.fleet.trucks.size === count", arg=count)


def place_of(page, truck_id):
    """Where a truck is drawn, in the window."""
    return page.evaluate(
        """id => {
            const {map, fleet} = truckstream, truck = fleet.byId.get(id), box = map.canvas.getBoundingClientRect();
            const [left, top] = map.projection.toScreen(truck.x, truck.y);
            return [box.left + left, box.top + top];
        }""",
        truck_id,
    )


def test_the_page_shows_what_the_feed_knows(serve, visit):
    view = make_view()
    view.tick(START)
    server = serve(view=view)
    fleet(view)
    for second in range(5):
        for _ in range(100):
            observe(view, report("TRUCK_000"), now=START + second)
    view.set_lag(2.5)
    observe(view, report(engine_temp=500.0))
    server.now = START + 5
    page = visit(server.address)
    wait_for_trucks(page, 12)
    page.wait_for_selector("#shard-rows tr")
    assert text(page, "#source") == "trucks"
    assert text(page, "#status-text") == "Live"
    assert text(page, "#count-NORMAL") == "12"
    assert text(page, "#shard-rows th") == "Shard 0"
    assert "out of range" in text(page, "#rejected")
    assert "Engine temp is 500" in text(page, "#rejected-latest")
    assert page.locator("#charts .chart").count() == 4
    latency = page.locator("#charts .chart", has_text="Put to object")
    assert "Not known from this feed." in latency.inner_text()
    assert (
        "2.5 s"
        in page.locator("#charts .chart", has_text="Seconds behind")
        .or_(page.locator("#charts .chart", has_text="Behind the stream"))
        .inner_text()
    )


def test_a_store_says_what_it_does_not_know(serve, visit):
    view = FleetView(ViewSource(title="s3://lake", kind="store"))
    server = serve(view=view)
    fleet(view)
    page = visit(server.address)
    wait_for_trucks(page, 12)
    page.get_by_text("Not known from this feed.").first.wait_for()
    assert page.get_by_text("Not known from this feed.").count() == 3  # latency, lag and shards
    assert text(page, "#status-text") == "Replay"


def test_trucks_move_and_the_changes_arrive(serve, visit):
    server = serve()
    server.do(fleet)
    page = visit(server.address)
    wait_for_trucks(page, 12)
    before = place_of(page, "TRUCK_000")
    server.do(lambda view: observe(view, report("TRUCK_000", latitude=27.02, longitude=84.5, health_status="WARNING")))
    page.wait_for_function("() => truckstream.fleet.byId.get('TRUCK_000').health === 1")
    assert place_of(page, "TRUCK_000")[1] < before[1]
    page.locator("#attention", has_text="TRUCK_000").wait_for()
    assert text(page, "#attention-count") == "1 of 12"


@pytest.mark.parametrize("pixels", [1, 2])
def test_a_truck_has_the_colour_of_its_health_in_each_theme(serve, visit, pixels):
    view = make_view()
    fleet(view)
    for number, health in ((3, "WARNING"), (6, "URGENT")):
        place = {"latitude": 27 + number // 4 * 0.5, "longitude": 84.5 + number % 4 * 0.5}
        observe(view, report(f"TRUCK_{number:03}", **place, health_status=health), key=f"TRUCK_{number:03}")
    page = visit(serve(view=view).address, device_scale_factor=pixels)
    wait_for_trucks(page, 12)
    for _ in range(2):
        for truck_id, health in (("TRUCK_001", 0), ("TRUCK_003", 1), ("TRUCK_006", 2)):
            page.wait_for_function(
                """([id, health]) => {
                    const {map, fleet} = truckstream, truck = fleet.byId.get(id);
                    const place = map.projection.toScreen(truck.shownX, truck.shownY);
                    const [left, top] = place.map(each => Math.round(each * devicePixelRatio));
                    const copy = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
                    copy.drawImage(map.canvas, -left, -top);
                    const pixel = copy.getImageData(0, 0, 1, 1).data.slice(0, 3);
                    const hex = Array.from(pixel, each => each.toString(16).padStart(2, "0")).join("");
                    return `#${hex}` === map.colors.health[health];
                }""",
                arg=[truck_id, health],
            )
        page.locator("#theme").click()


def test_a_click_on_a_truck_opens_its_page_with_an_address(serve, visit):
    server = serve()
    server.do(fleet)
    page = visit(server.address)
    wait_for_trucks(page, 12)
    page.wait_for_function("() => truckstream.map.groups.singles.length === 12")
    page.mouse.click(*place_of(page, "TRUCK_005"))
    page.locator("#drawer").wait_for()
    assert text(page, "#truck-title") == "TRUCK_005"
    assert page.url.endswith("#/truck/TRUCK_005")
    page.locator("#truck-signals tr").nth(21).wait_for()
    assert page.locator("#truck-signals tr").count() == 22
    page.keyboard.press("Escape")
    page.locator("#drawer").wait_for(state="hidden")
    assert "#" not in page.url
    page.go_back()
    page.locator("#drawer").wait_for()


def test_the_page_of_a_truck_shows_the_rules_that_are_broken(serve, visit):
    view = make_view()
    observe(view, report(engine_temp=115.0, health_status="URGENT"))
    observe(view, report(oil_pressure="high"))
    page = visit(serve(view=view).address + "#/truck/TRUCK_001")
    page.locator("#truck-broken li").nth(1).wait_for()
    broken = text(page, "#truck-broken")
    assert "Oil pressure is high: must be float, got str" in broken
    assert "Urgent: the engine overheats" in broken
    assert "Engine temp is 115, over 113." in broken
    levels = page.locator("#truck-signals tr").evaluate_all(
        "rows => rows.map(row => row.dataset.level).filter(Boolean)"
    )
    assert sorted(levels) == ["URGENT", "rejected"]
    assert text(page, "#truck-health") == "Urgent"


def test_an_address_of_no_truck_says_so(serve, visit):
    page = visit(serve().address + "#/truck/nobody")
    page.get_by_text("No truck of this name has reported here.").wait_for()


def test_alerts_are_listed_and_announced(serve, visit):
    server = serve()
    server.do(fleet)
    page = visit(server.address)
    wait_for_trucks(page, 12)
    page.get_by_text("No alerts.").wait_for()
    server.do(lambda view: observe(view, report("TRUCK_003", health_status="URGENT"), key="TRUCK_003"))
    page.locator("#alerts a", has_text="TRUCK_003").wait_for()
    page.wait_for_function("() => document.getElementById('alert-live').textContent.includes('TRUCK_003')")
    assert page.locator("#alert-live").get_attribute("aria-live") == "polite"
    page.locator("#alerts a").click()
    page.locator("#drawer").wait_for()
    assert text(page, "#truck-title") == "TRUCK_003"


def test_trucks_that_are_close_are_one_cluster_until_the_map_is_closer(serve, visit):
    server = serve()

    def crowd(view):
        for number in range(40):
            observe(view, report(f"C{number}", latitude=27.7 + number * 1e-4, longitude=85.3))
        observe(view, report("ILL", latitude=27.7, longitude=85.3, health_status="URGENT"))
        observe(view, report("FAR", latitude=26.5, longitude=84.0))

    server.do(crowd)
    page = visit(server.address)
    wait_for_trucks(page, 42)
    page.wait_for_function("() => truckstream.map.groups.clusters.length === 1")
    assert page.evaluate("truckstream.map.groups.clusters[0].members.length") == 40
    assert "ILL" in page.evaluate("truckstream.map.groups.singles.map(each => each.id)")
    left, top = place_of(page, "C20")
    page.mouse.move(left, top)
    for _ in range(30):
        page.mouse.wheel(0, -400)
    page.wait_for_function("() => truckstream.map.groups.clusters.length === 0")


def test_the_map_is_used_by_keyboard(serve, visit):
    view = make_view()
    fleet(view)
    observe(view, report("ILL", latitude=27.2, longitude=85.0, health_status="URGENT"), key="ILL")
    page = visit(serve(view=view).address)
    wait_for_trucks(page, 13)
    page.locator("#map").focus()
    scale, x = page.evaluate("[truckstream.map.projection.scale, truckstream.map.projection.x]")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    closer, east = page.evaluate("[truckstream.map.projection.scale, truckstream.map.projection.x]")
    assert closer > scale
    assert east > x
    page.keyboard.press("0")
    assert page.evaluate("truckstream.map.projection.scale") == pytest.approx(scale, rel=0.01)
    page.keyboard.press("n")
    assert "ILL" in text(page, "#alert-live")
    page.keyboard.press("Enter")
    page.locator("#drawer").wait_for()
    assert text(page, "#truck-title") == "ILL"
    assert page.evaluate("document.activeElement.id") == "truck-title"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "map"


def test_a_truck_is_found_by_a_part_of_its_name(serve, visit):
    server = serve()
    server.do(fleet)
    page = visit(server.address)
    wait_for_trucks(page, 12)
    page.locator("#find-truck").fill("_007")
    page.keyboard.press("Enter")
    page.locator("#drawer").wait_for()
    assert text(page, "#truck-title") == "TRUCK_007"


def test_a_lost_connection_is_shown_and_found_again(serve, visit):
    server = serve()
    server.do(fleet)
    page = visit(server.address)
    wait_for_trucks(page, 12)
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    page.evaluate("truckstream.kept = truckstream.fleet.epoch")
    server.__exit__()
    page.get_by_text("Connection lost, trying again").wait_for()
    again = serve(port=port)
    again.do(lambda view: fleet(view, 5))
    wait_for_trucks(page, 5)
    page.get_by_text("Live").wait_for()
    assert page.evaluate("truckstream.fleet.epoch > truckstream.kept")


def test_a_page_with_a_token_leaves_it_out_of_its_address(serve, visit):
    server = serve(host="0.0.0.0")
    server.do(fleet)
    assert "?token=" in server.address
    page = visit(server.address)
    wait_for_trucks(page, 12)
    assert "token" not in page.url
    page.reload()
    wait_for_trucks(page, 12)


class RecordedReplay:
    def __init__(self):
        self.commands = []

    def control(self, command):
        self.commands.append(command)


def test_the_slider_moves_a_replay(serve, visit):
    replay = RecordedReplay()
    server = serve(view=FleetView(ViewSource(title="store", kind="store")), replay=replay)
    server.do(
        lambda view: view.show_replay(
            {"first": START, "last": START + 600, "position": START, "speed": 30.0, "paused": False}
        )
    )
    page = visit(server.address)
    slider = page.locator("#replay-position")
    slider.wait_for()
    assert slider.get_attribute("aria-valuetext") == "2026-11-29 08:00:00 UTC"
    slider.fill(str(START + 300))
    page.locator("#replay-pause").click()
    page.locator("#replay-speed").select_option("300")
    page.wait_for_timeout(300)
    assert [each.position for each in replay.commands] == [START + 300, None, None]
    assert [each.paused for each in replay.commands] == [None, True, None]
    assert [each.speed for each in replay.commands] == [None, None, 300]


def test_the_theme_follows_the_system_and_the_button(serve, visit):
    page = visit(serve().address, color_scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator("#theme").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_reduced_motion_moves_trucks_at_once(serve, visit):
    server = serve()
    server.do(fleet)
    page = visit(server.address, reduced_motion="reduce")
    wait_for_trucks(page, 12)
    server.do(lambda view: observe(view, report("TRUCK_000", latitude=27.02, longitude=84.52)))
    page.wait_for_function(
        """() => {
            const each = truckstream.fleet.byId.get("TRUCK_000");
            return each.latitude === 27.02 && each.shownX === each.x;
        }"""
    )


def test_the_shards_are_a_table_with_meters(serve, visit):
    view = make_view(rules=None)
    view.tick(START)
    for tenth in range(40):
        for _ in range(50):
            observe(view, report(), now=START + tenth / 10)
    server = serve(view=view)
    server.now = START + 4
    page = visit(server.address)
    meter = page.locator("#shard-rows [role=meter][aria-label='Kinesis records a second']")
    meter.wait_for()
    assert meter.get_attribute("aria-valuetext") == "500, 50 percent of the limit"
    assert page.locator("#shard-rows th").get_attribute("title") == SHARD
