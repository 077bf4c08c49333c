"""Takes the picture of the README from the real dashboard: `make screenshot`."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from sre_edge import Client
from tests import processes

OUTPUT = Path(__file__).parent / "images" / "overview.png"


def main() -> None:
    """Show a database that is being killed slowly, before and while it takes its callers along."""
    with (
        processes.server(speed=10.0) as target,
        processes.dashboard(target) as url,
        sync_playwright() as playwright,
        Client(target) as client,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 1180})
        page.goto(f"{url}/?service=api-gateway")
        page.wait_for_timeout(14_000)
        client.inject("database", "service_kill", duration_s=600, ramp_s=120)
        status = page.locator("#card-api-gateway-status")
        expect(status).to_contain_text("degraded", timeout=60_000)
        page.wait_for_timeout(1_500)
        page.screenshot(path=OUTPUT)
        browser.close()


if __name__ == "__main__":
    main()
