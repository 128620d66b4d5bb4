"""Take the README's picture of the dashboard: `uv run --group dev python docs/dashboard_screenshot.py`.

It runs the demo for half a minute and needs Chromium (on Debian: apt-get install chromium). Other arguments are those
of `truckstream demo`. `--file` chooses another file, `--size 390x844` another window, `--dark` the dark colours, and
`--truck` opens the page of a truck that needs attention.
"""

from __future__ import annotations

import argparse
import base64
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FILE = Path(__file__).parent / "dashboard.webp"
SECONDS = 30
DEMO_ARGUMENTS = ("--invalid", "0.01")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--truck", action="store_true")
    options, demo_arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        arguments = [*(demo_arguments or DEMO_ARGUMENTS), "--seconds", "600", "--port", "0", "--out", folder]
        command = [sys.executable, "-m", "truckstream", "demo", "--dashboard", *arguments]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            address = re.search(r"http://\S+", demo.stdout.readline())[0]
            take(address, options)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=120)


def take(address: str, options: argparse.Namespace) -> None:
    width, height = map(int, options.size.split("x"))
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme="dark" if options.dark else "light"
        )
        page.goto(address)
        page.wait_for_timeout(SECONDS * 1000)
        if options.truck:
            open_truck(page)
        save(page, options.file)
        browser.close()


def save(page: Page, file: Path) -> None:
    """Save the window as WebP, a third of a PNG's size, which Playwright's own screenshots cannot be."""
    shot = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": 85})
    file.write_bytes(base64.b64decode(shot["data"]))


def open_truck(page: Page) -> None:
    page.locator("#attention a").first.click()
    page.wait_for_timeout(3000)


if __name__ == "__main__":
    main()
