"""Learning mode from the page: a training with progress, its model made live, and rolled back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sre_edge import Client
from tests import processes
from tests.e2e.conftest import live
from tests.server.learning import TINY, experienced, fill

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TRAINING_MS = 900_000


def in_use(client: Client) -> str:
    return next(model.version for model in client.models() if model.active)


def test_a_training_from_the_page_its_model_made_live_and_rolled_back(
    page: Page, tmp_path: Path
) -> None:
    fill(tmp_path, experienced())
    with (
        processes.server(speed=1.0, SRE_EDGE_DATA=str(tmp_path)) as target,
        processes.dashboard(target) as url,
        Client(target) as client,
    ):
        before = in_use(client)
        page.goto(f"{url}/predictions")
        live(page)

        # A training as small as can be, asked for and followed on the page.
        page.get_by_text("Size of the training").click()
        for name, size in TINY.items():
            page.locator(f"#training-form input[name='{name}']").fill(str(size))
        page.locator("#train").click()
        expect(page.locator("#toasts")).to_contain_text("Training 1 has started")
        training = page.locator("#learning .training")
        expect(training.locator("progress")).to_be_visible()
        expect(page.locator("#train")).to_be_disabled()
        expect(training).to_contain_text(re.compile(r"[1-9]\d* % done"), timeout=TRAINING_MS)
        expect(training).to_contain_text("kept, not made live", timeout=TRAINING_MS)
        expect(training.locator("li").first).to_contain_text("episodes: foreseen")
        expect(page.locator("#train")).to_be_enabled()

        # Its model, made live and rolled back.
        row = page.locator("#models tbody tr", has=page.locator("button"))
        expect(row).to_have_count(1)
        candidate = row.locator("a").inner_text()
        row.get_by_role("link", name=candidate).click()
        expect(page.locator("#model")).to_contain_text(candidate)
        row.get_by_role("button", name=f"Activate {candidate}").click()
        expect(page.get_by_role("dialog")).to_contain_text(f"Make {candidate} live instead")
        page.locator("#confirm").click()
        expect(page.locator("#toasts")).to_contain_text(f"{candidate} is live")
        page.locator("#toasts").get_by_role("button", name="Roll back").click()
        expect(page.locator("#toasts")).to_contain_text(f"{before} is live")
        assert in_use(client) == before
        expect(page.get_by_role("button", name=f"Activate {candidate}")).to_be_visible()
        page.goto("about:blank")
