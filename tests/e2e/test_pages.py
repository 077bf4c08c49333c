"""Every view: it works, is reachable by keyboard, fits on a phone, and can be read by everyone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from sre_edge import Client
from tests import processes
from tests.e2e.conftest import live

pytestmark = pytest.mark.browser
NODES = "(document.getElementById('graph')?._cyreg?.cy?.nodes() ?? [])"
VIEWS = {
    "/": "#services .card", "/?service=database": "#service-body table",
    "/services/database": "#service-body table", "/chaos": "#chaos-form",
    "/predictions": "#models tbody tr", "/incidents": "#slos tbody tr",
    "/architecture": "#figures .fact",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def eventful(target: str) -> None:
    """Have something to show: an experiment that broke things and is over, and one that runs."""
    with Client(target) as client:
        client.reset()
        client.inject("database", "service_kill", duration_s=30)
        client.inject("auth-service", "cpu_spike", duration_s=3600, intensity=0.5)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", VIEWS)
def test_no_serious_violation_of_accessibility(
    browser: Browser, url: str, path: str, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url + path)
    live(page)
    expect(page.locator(VIEWS[path]).first).to_be_visible()
    if path == "/chaos":
        page.get_by_text("Run a scenario file").click()
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    serious = [
        (violation["id"], [node["html"][:160] for node in violation["nodes"][:4]])
        for violation in found.response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    context.close()
    assert not serious


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_fits_on_a_phone(phone: Page, url: str, path: str) -> None:
    phone.goto(url + path)
    live(phone)
    expect(phone.locator(VIEWS[path]).first).to_be_attached()
    phone.wait_for_timeout(300)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    navigation = phone.locator(".navigation").bounding_box()
    assert navigation
    assert navigation["y"] > 700
    if "service=" in path:
        panel = phone.locator("#service").bounding_box()
        assert panel
        assert panel["width"] == 390


def test_the_page_asks_no_other_host(page: Page, url: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{url}/predictions?service=database")
    expect(page.locator("#reliability .js-plotly-plot .points path").first).to_be_attached()
    outside = [one for one in asked if not one.startswith((url, "data:", "blob:"))]
    assert not outside


def test_quick_navigation_help_and_find_by_keyboard(page: Page, url: str) -> None:
    page.goto(url)
    live(page)
    page.keyboard.press("Control+k")
    expect(page.locator("#quick")).to_be_focused()
    page.keyboard.type("user")
    page.keyboard.press("Enter")
    expect(page.locator("#service-name")).to_have_text("user-service")
    page.keyboard.press("Escape")
    expect(page.locator("#service")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("go to a service")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("auth")
    expect(page.locator("#services .card")).to_have_count(1)
    expect(page).to_have_url(re.compile("find=auth"))
    page.wait_for_function(f"() => {NODES}.length === 1")
    expect(page.locator("#find")).to_be_focused()  # although the page was drawn many times


@pytest.mark.parametrize("dialog", ["help", "quick"])
def test_a_key_right_after_a_dialog_has_closed_is_not_lost(
    page: Page, url: str, dialog: str
) -> None:
    page.goto(url)
    live(page)
    close_and_press = """name => {
        sreEdge[name]();
        document.querySelector("dialog").close();
        const key = new KeyboardEvent("keydown", { key: "/", bubbles: true, cancelable: true });
        document.activeElement.dispatchEvent(key);  // before the browser draws
        return document.activeElement.id;
    }"""
    assert page.evaluate(close_and_press, dialog) == "find"


def test_everything_is_reached_by_tab_with_a_visible_focus(page: Page, url: str) -> None:
    page.goto(url)
    live(page)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
                 return [e.id || e.dataset.nav || e.dataset.service || e.className,
                         s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2]; }"""
        )
        reached.add(seen[0])
        if seen[0] not in ("", "content"):
            assert seen[1], f"no visible focus on {seen[0]}"
    assert {"reset", "go-to", "theme", "help", "chaos", "find", "layout", "database"} <= reached


def test_filters_and_layouts_of_the_graph(page: Page, url: str) -> None:
    page.goto(url)
    live(page)
    place = "() => JSON.stringify(" + NODES + ".map(n => n.position()))"
    page.wait_for_function(
        "() => document.getElementById('graph')?._cyreg?.cy?.nodes().length === 4"
    )
    before = page.evaluate(place)
    page.locator("#layout").select_option("circle")
    page.wait_for_function(f"before => ({place})() !== before", arg=before)
    expect(page).to_have_url(re.compile("layout=circle"))
    page.locator("#only-unhealthy").check()
    expect(page).to_have_url(re.compile("only=unhealthy"))


def test_the_theme_can_be_chosen(page: Page, url: str) -> None:
    page.goto(url)
    live(page)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    seen = {page.evaluate(ground)}
    for _ in range(2):
        page.locator("#theme").click()
        seen.add(page.evaluate(ground))
    assert len(seen) == 2
    page.reload()
    live(page)
    expect(page.locator("#theme")).to_have_attribute("title", "Theme: dark")


def test_predictions_show_the_model_its_card_and_its_plots(page: Page, url: str) -> None:
    page.goto(f"{url}/predictions")
    expect(page.locator("#model")).to_contain_text("Incidents foreseen")
    page.get_by_text("Model card").click()
    expect(page.locator(".card-text")).to_be_visible()
    for plot, layer in (
        ("reliability", "scatter"),
        ("lead-times", "bar"),
        ("trade-off", "scatter"),
    ):
        expect(page.locator(f"#{plot} .{layer}layer path").first).to_be_attached()
    page.locator("#risks").get_by_role("link", name="Service", exact=True).click()
    expect(page).to_have_url(re.compile("sort=-service"))
    expect(page.locator("#risks tbody tr").first).to_contain_text("user-service")
    expect(page.locator("#alarms")).to_contain_text(re.compile("foretold|pending|false|late"))


def test_learning_says_in_place_why_it_cannot_begin(page: Page, url: str) -> None:
    page.goto(f"{url}/predictions")
    expect(page.locator("#learning")).to_contain_text("No training has run here yet")
    page.locator("#train").click()
    expect(page.locator("#training-message")).to_have_text(re.compile(r"\w+"))


def test_events_filter_by_kind_and_service(page: Page, url: str) -> None:
    page.goto(f"{url}/incidents")
    expect(page.locator("#events .event-fault").first).to_be_visible()
    page.get_by_role("link", name="Alarms", exact=True).click()
    expect(page).to_have_url(re.compile("kind=alarm"))
    expect(page.locator("#events .event-fault")).to_have_count(0)
    expect(page.locator("#events .event-alarm").first).to_be_visible()
    page.locator("[data-query='of']").select_option("user-service")
    expect(page).to_have_url(re.compile("of=user-service"))
    expect(page.locator("#slos tbody th")).to_have_count(1)


def test_the_architecture_has_live_figures(page: Page, url: str) -> None:
    page.goto(f"{url}/architecture")
    expect(page.locator("#figures")).to_contain_text("Tick rate")
    page.wait_for_function(
        """() => document.getElementById('architecture-graph')?._cyreg?.cy?.nodes()
             .some(n => n.data('label').includes('per tick'))"""
    )


def test_a_service_has_a_page_of_its_own(page: Page, url: str) -> None:
    page.goto(f"{url}/services/database")
    expect(page.locator("#service-name")).to_have_text("database")
    body = page.locator("#service-body")
    for said in ("What is likely", "Analysis", "Depends on", "Called by", "Error budgets"):
        expect(body).to_contain_text(said)
    expect(body).to_contain_text("auth-service")
    page.get_by_text("Inputs of the model").click()
    expect(page.locator(".features")).to_contain_text("memory_slope_30s")
    page.goto(f"{url}/services/nobody")
    expect(page.locator("#service-head")).to_contain_text("no such service")


@pytest.mark.slow
def test_a_system_of_a_thousand_services_is_drawn_in_groups(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "topology.json"
    command = [sys.executable, "-m", "simulator", "generate", "--services", "1000"]
    subprocess.run([*command, "--out", str(path)], check=True)
    with (
        processes.server(speed=1.0, SRE_EDGE_TOPOLOGY=str(path)) as target,
        processes.dashboard(target) as url,
    ):
        page.goto(url)
        expect(page.locator("#graph-note")).to_contain_text("1000 services, in groups")
        page.wait_for_function(f"() => {NODES}.length > 1 && {NODES}.length <= 500")
        group = page.evaluate(f"{NODES}[0].data('group')")
        page.goto(f"{url}/?group={group}")
        expect(page.get_by_role("link", name="All groups")).to_be_visible()
        page.wait_for_function(f"() => {NODES}.some(n => !n.data('group'))")
        page.locator("#only-unhealthy").check()
        expect(page.locator("#graph-note")).to_contain_text("No service is in trouble")
        page.goto("about:blank")
