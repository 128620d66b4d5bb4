"""A real Chromium, and a server of the page in a thread of its own.

These tests run a program of another maker, so that only `--all` runs them, as CI does: .ci/run installs it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.dashboard.page.page_server import PageServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/dashboard/page/" in item.path.as_posix():
            item.add_marker(pytest.mark.external)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        reason = "there is no chromium on this machine: apt-get install chromium"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"CI must not skip the tests of the page: {reason}", pytrace=False)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # A container has no user namespaces for the sandbox; the pages here are the product's own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., PageServer]]:
    """Start a server of a view. It stops after the test."""
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(PageServer(**options))


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address in a window of its own. An error or a warning in the browser's console fails the test."""
    problems: list[str] = []
    with ExitStack() as windows:

        def open_page(address: str, *, width: int = 1280, height: int = 800, **options: Any) -> Page:
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            windows.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(15_000)
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda line: problems.append(line.text) if line.type in {"error", "warning"} else None)
            page.on("dialog", lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
            page.goto(address)
            return page

        yield open_page
    assert not problems
