"""The server, asked as a browser asks it."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.dashboard.reports import START, make_view, observe, report
from truckstream.dashboard import Dashboard
from truckstream.dashboard.serving.assets import read_assets
from truckstream.errors import ConfigurationError


@asynccontextmanager
async def served(**options):
    """A view and its server, and a session that keeps no connections."""
    view = make_view()
    async with (
        Dashboard(view, port=0, **{"clock": lambda: START} | options) as page,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
    ):
        yield view, page, session


async def messages(response):
    """The messages of a stream of events."""
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


async def test_the_page_and_its_files_are_served_with_strict_headers():
    async with served() as (_, page, session):
        for path, kind in (
            ("", "text/html"),
            ("static/js/main.js", "text/javascript"),
            ("static/css/base.css", "text/css"),
        ):
            async with session.get(page.address + path) as response:
                assert response.status == 200
                assert response.content_type == kind
                assert "script-src 'self'" in response.headers["Content-Security-Policy"]
                assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["static/../server.py", "static/%2e%2e/__init__.py", "static/", "static//etc/passwd"])
async def test_no_other_file_is_served(path):
    async with served() as (_, page, session):
        url = page.address + path
        async with session.get(aiohttp.client.URL(url, encoded=True)) as response:
            assert response.status == 404


async def test_a_browser_gets_a_snapshot_and_then_the_changes():
    async with served() as (view, page, session):
        observe(view, report("A"))
        async with session.get(page.address + "events") as response:
            stream = messages(response)
            assert (await anext(stream))["trucks"]["ids"] == [[0, "A"]]
            assert page.viewers == 1
            observe(view, report("A", speed=12.0))
            message = await anext(stream)
            assert "source" not in message
            assert message["trucks"]["rows"][0][3] == 12.0
    assert page.viewers == 0


async def test_a_browser_that_reads_nothing_holds_nothing_up():
    """It gets few messages late, each with all that happened meanwhile; the feed and another browser do not wait."""
    async with served() as (view, page, session):
        slow = await asyncio.open_connection("127.0.0.1", int(page.address.rsplit(":", 1)[1].strip("/")), limit=1)
        slow[1].write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        async with session.get(page.address + "events") as response:
            stream = messages(response)
            await anext(stream)
            for turn in range(20):
                for number in range(1_000):
                    observe(view, report(f"T{number}", latitude=20 + turn * 0.01), key="T")
                while not (await anext(stream))["trucks"]["rows"]:
                    pass
        assert len(view.trucks) == 1_000
        slow[1].close()


async def test_the_page_of_a_truck_is_found_by_any_id():
    async with served() as (view, page, session):
        odd = "a/b?c=d&e #🚚<script>"
        observe(view, report(odd), key=odd)
        async with session.get(page.address + "truck", params={"id": odd}) as response:
            assert (await response.json())["values"]["truck_id"] == odd
        async with session.get(page.address + "truck", params={"id": "nobody"}) as response:
            assert await response.json() is None


async def test_a_foreign_host_gets_nothing():
    async with served() as (_, page, session):
        for path in ("", "events", "static/js/main.js", "truck?id=A"):
            async with session.get(page.address + path, headers={"Host": "evil.example"}) as response:
                assert response.status == 403
                assert "Content-Security-Policy" in response.headers


async def test_another_host_needs_the_token_of_the_printed_address():
    """The token comes once in the address, which is left for one without it, and then in a cookie."""
    async with served(host="0.0.0.0") as (_, page, session):
        bare, _, token = page.address.partition("?token=")
        assert len(token) >= 32
        async with session.get(bare) as response:
            assert response.status == 401
        async with session.get(bare + "events", params={"token": "x" * 32}) as response:
            assert response.status == 401
        async with session.get(page.address, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
        name_and_value = cookie.partition(";")[0]
        for headers in ({"Cookie": name_and_value}, {"Authorization": f"Bearer {token}"}):
            async with session.get(bare, headers=headers) as response:
                assert response.status == 200


async def test_two_servers_have_different_tokens():
    views = [Dashboard(make_view(), host="0.0.0.0") for _ in range(2)]
    assert len({each.token for each in views}) == 2
    assert Dashboard(make_view()).token is None


async def test_a_port_in_use_is_named():
    async with served() as (_, page, _session):
        port = int(page.address.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(ConfigurationError, match=rf"--port cannot be opened at 127\.0\.0\.1:{port}"):
            await Dashboard(make_view(), port=port).__aenter__()


class RecordedReplay:
    def __init__(self):
        self.commands = []

    def control(self, command):
        self.commands.append(command)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ('{"position": 5}', {"Content-Type": "application/json"}, 200),
        ('{"position": 5}', {"Content-Type": "text/plain"}, 415),
        ('{"position": 5}', {"Content-Type": "application/json", "Origin": "https://evil.example"}, 403),
        ('{"position": "5"}', {"Content-Type": "application/json"}, 400),
        ('{"speed": 0}', {"Content-Type": "application/json"}, 400),
        ('{"speed": 1e9}', {"Content-Type": "application/json"}, 400),
        ("{" + " " * 5_000 + "}", {"Content-Type": "application/json"}, 413),
    ],
)
async def test_a_replay_takes_only_commands_of_its_own_page(body, headers, status):
    replay = RecordedReplay()
    async with (
        served(replay=replay) as (_, page, session),
        session.post(page.address + "replay", data=body, headers=headers) as response,
    ):
        assert response.status == status
    assert len(replay.commands) == (status == 200)


async def test_a_live_feed_has_no_replay():
    async with served() as (_, page, session), session.post(page.address + "replay", json={"paused": True}) as response:
        assert response.status == 404


async def test_the_server_ends_while_a_browser_looks():
    async with served() as (_, page, session):
        response = await session.get(page.address + "events")
        await anext(messages(response))
        async with asyncio.timeout(10):
            await page.__aexit__(None, None, None)


async def test_an_unwatched_page_is_noticed():
    async with served() as (_, page, session):
        async with session.get(page.address + "events") as response:
            await anext(messages(response))
            waiting = asyncio.create_task(page.wait_until_unwatched(0.2))
            await asyncio.sleep(0.5)
            assert not waiting.done()
        async with asyncio.timeout(10):
            await waiting


def test_the_page_names_only_files_that_exist():
    assets = read_assets()
    page = assets["index.html"].content.decode()
    for attribute in ('href="static/', 'src="static/'):
        for part in page.split(attribute)[1:]:
            assert part.partition('"')[0] in assets
    assert "<script>" not in page
    assert "style=" not in page
    assert " on" not in "".join(line for line in page.splitlines() if "=" in line and ' on"' in line)
