"""Takes the pictures of every view from the real dashboard: `make screenshots`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from sre_edge import Client
from tests import processes

OUTPUT = Path(__file__).parent / "images"
DESKTOP = {"width": 1440, "height": 1000}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 120_000


def main(only: list[str]) -> None:
    """Make a game day of it: an experiment that is over, then one that takes its callers along."""
    expect.set_options(timeout=PATIENCE_MS)
    with (
        processes.server(speed=10.0) as target,
        processes.dashboard(target) as url,
        sync_playwright() as playwright,
        Client(target) as client,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        shown = Pictures(browser, url, only)
        shown.take("healthy", "/", "#services .card")
        client.inject("auth-service", "error_burst", duration_s=40, intensity=2.0)
        shown.wait("/chaos", "#finished", "auth-service")
        client.inject("user-service", "service_kill", duration_s=60, ramp_s=40)
        shown.wait("/chaos", "#finished", "user-service")
        client.inject("database", "service_kill", duration_s=900, ramp_s=120)
        shown.wait("/", "#services [data-service='api-gateway']", "degraded")
        shown.take("overview", "/?service=api-gateway", "#service-body table")
        shown.take("overview-dark", "/?service=database", "#service-body table", scheme="dark")
        shown.take("service", "/services/database", "#service-body table", whole=True)
        shown.take("chaos", "/chaos", "#running .experiment", whole=True, compare=True)
        shown.take("predictions", "/predictions", "#models tbody tr", whole=True)
        shown.take("incidents", "/incidents", "#slos tbody tr", whole=True)
        shown.take("architecture", "/architecture", "#figures .fact")
        shown.take("phone", "/", "#services .card", size=PHONE)
        shown.take("phone-service", "/?service=database", "#service-body", size=PHONE)
        client.stop_all(kill_switch=True)
        shown.take("kill-switch-dark", "/chaos", "#notices .killed", scheme="dark")
        browser.close()


class Pictures:
    """Opens pages and photographs them."""

    def __init__(self, browser: Browser, url: str, only: list[str]) -> None:
        self._browser, self._url, self._only = browser, url, only

    def wait(self, path: str, place: str, text: str) -> None:
        """Wait until a place of a page says something."""
        page = self._open(path, "light", DESKTOP)
        expect(page.locator(place)).to_contain_text(text)
        page.context.close()

    def take(
        self,
        name: str,
        path: str,
        ready: str,
        *,
        scheme: str = "light",
        size: dict[str, int] = DESKTOP,
        whole: bool = False,
        compare: bool = False,
    ) -> None:
        """Photograph a page once something is on it."""
        if self._only and name not in self._only:
            return
        page = self._open(path, scheme, size)
        expect(page.locator(ready).first).to_be_attached()
        if compare:
            for row in range(2):
                page.locator("#finished .pick").nth(row).click()
                expect(page.locator("#compared .outcome")).to_have_count(row + 1)
        page.wait_for_timeout(3_000)
        page.screenshot(path=OUTPUT / f"{name}.png", full_page=whole)
        page.context.close()

    def _open(self, path: str, scheme: str, size: dict[str, int]) -> Page:
        context = self._browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(self._url + path)
        expect(page.locator("#connection")).to_have_text("live")
        page.wait_for_function("() => window.sreEdge.dashed")  # graph and charts come last
        return page


if __name__ == "__main__":
    main(sys.argv[1:])
