"""The main job in a real browser: see, select, break, foresee, recover."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from sre_edge import Client
from tests import processes

pytestmark = pytest.mark.browser
SPEED = 8.0  # a tick is a quarter of a second
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with processes.server(speed=SPEED) as address:
        yield address


@pytest.fixture(scope="module")
def url(target: str) -> Iterator[str]:
    with processes.dashboard(target) as address:
        yield address


@pytest.fixture(autouse=True)
def healthy(request: pytest.FixtureRequest) -> None:
    if "url" in request.fixturenames:
        with Client(request.getfixturevalue("target")) as client:
            client.reset()


@pytest.fixture
def free_address() -> str:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probing.getsockname()[1]}"


def part(page: Page, service: str, name: str) -> Locator:
    return page.locator(f"#card-{service}-{name}")


def risk_percent(page: Page) -> int:
    text = page.locator("#system-risk").inner_text()
    found = re.search(r"(\d+)", text)
    return int(found[1]) if found else 0


def click_node(page: Page, service: str) -> None:
    """Click a node of the canvas where it is drawn."""
    page.wait_for_function("() => document.getElementById('graph')?._cyreg?.cy?.nodes().length > 0")
    place = page.evaluate(
        "id => document.getElementById('graph')._cyreg.cy.getElementById(id).renderedPosition()",
        service,
    )
    box = page.locator("#graph").bounding_box()
    assert box
    page.mouse.click(box["x"] + place["x"], box["y"] + place["y"])


def node(page: Page, service: str) -> dict[str, str]:
    found = page.evaluate(
        """id => { const n = document.getElementById('graph')._cyreg.cy.getElementById(id);
             return {label: n.data('label'), classes: n.classes().join(' '),
                     shape: n.style('shape'), place: JSON.stringify(n.position())}; }""",
        service,
    )
    return dict(found)


def test_a_killed_database_is_seen_spreading_and_recovering(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)
    expect(part(page, "api-gateway", "status")).to_contain_text("healthy")
    for metric in ("cpu", "memory", "latency", "errors", "throughput", "availability"):
        expect(part(page, "database", metric)).to_have_text(re.compile(r"\d"))
    page.wait_for_timeout(1500)
    calm_risk = risk_percent(page)
    assert calm_risk < 30
    before = node(page, "database")
    assert "healthy" in before["classes"]
    assert before["shape"] == "ellipse"

    click_node(page, "database")
    expect(page.locator("#panel-title")).to_have_text("database")
    expect(page).to_have_url(re.compile(r"\?service=database$"))
    expect(page.locator("#fault-target")).to_contain_text("database")

    page.locator("#fault-duration").fill("60")
    page.get_by_role("button", name="Inject").click()
    expect(page.locator("#chaos-message")).to_contain_text("Injected service kill into database")
    expect(part(page, "database", "fault")).to_contain_text("service kill")
    expect(part(page, "api-gateway", "status")).to_have_text(
        re.compile("degraded|down"), timeout=PATIENCE_MS
    )
    expect(page.locator("#system-risk")).to_have_class(
        re.compile("high|critical"), timeout=PATIENCE_MS
    )
    assert risk_percent(page) > calm_risk
    expect(part(page, "database", "availability")).to_have_text(re.compile(r"^0\s%$"))
    after = node(page, "database")
    assert "down" in after["classes"]
    assert after["shape"] == "octagon"
    assert after["place"] == before["place"]
    events = page.locator(".events")
    expect(events).to_contain_text("Service kill injected into database")
    expect(events).to_contain_text("api-gateway is down")

    # Recovery is automatic.
    expect(part(page, "database", "fault")).to_have_text("", timeout=PATIENCE_MS)
    expect(part(page, "api-gateway", "status")).to_contain_text("healthy", timeout=PATIENCE_MS)
    expect(events).to_contain_text("Service kill on database ended")


def test_reset_asks_and_brings_everything_back(page: Page, url: str, target: str) -> None:
    with Client(target) as client:
        client.inject("database", "service_kill", duration_s=3600)
        page.goto(url)
        expect(part(page, "api-gateway", "status")).to_contain_text("down", timeout=PATIENCE_MS)
        page.locator("#reset").click()
        dialog = page.locator("#reset-dialog")
        expect(dialog).to_be_visible()
        expect(dialog).to_contain_text("A new run begins for everyone")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.locator("#reset").click()
        page.locator("#reset-confirm").click()
        expect(dialog).to_be_hidden()
        for service in ("api-gateway", "database"):
            expect(part(page, service, "status")).to_contain_text("healthy", timeout=PATIENCE_MS)
        expect(part(page, "database", "fault")).to_have_text("")
        assert not client.metrics().active_faults


def test_a_fault_can_be_stopped_and_bad_input_is_said_in_place(page: Page, url: str) -> None:
    page.goto(f"{url}/?service=user-service")
    expect(page.locator("#panel-title")).to_have_text("user-service", timeout=PATIENCE_MS)
    page.locator("#fault-intensity").fill("99")
    page.get_by_role("button", name="Inject").click()
    expect(page.locator("#chaos-message")).to_contain_text("intensity: expected")
    page.locator("#fault-intensity").fill("1")
    page.locator("#fault-duration").fill("")
    page.get_by_role("button", name="Inject").click()
    expect(page.locator("#chaos-message")).to_contain_text("duration: expected")
    page.locator("#fault-duration").fill("3600")
    page.get_by_role("button", name="Inject").click()
    row = page.locator("#fault-0")
    expect(row).to_contain_text("service kill on user-service", timeout=PATIENCE_MS)
    row.get_by_role("button", name="Stop").click()
    expect(page.locator("#chaos-message")).to_contain_text("Stopped service kill on user-service")
    expect(row).to_be_hidden(timeout=PATIENCE_MS)


def test_what_the_model_sees_can_be_shown(page: Page, url: str) -> None:
    page.goto(f"{url}/?service=database")
    expect(page.locator("#panel-title")).to_have_text("database", timeout=PATIENCE_MS)
    page.get_by_text("What the model sees").click()
    expect(page.locator("#features")).to_contain_text("memory_slope_30s")
    expect(page.locator("#features")).to_contain_text("hour_of_day")


def test_two_users_select_different_services(browser: Browser, url: str) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    pages = [context.new_page() for context in contexts]
    for page, service in zip(pages, ("database", "auth-service"), strict=True):
        page.goto(f"{url}/?service={service}")
    for page, service in zip(pages, ("database", "auth-service"), strict=True):
        expect(page.locator("#panel-title")).to_have_text(service, timeout=PATIENCE_MS)
    pages[0].locator(".card").first.click()
    expect(pages[0].locator("#panel-title")).to_have_text("api-gateway")
    expect(pages[1].locator("#panel-title")).to_have_text("auth-service")
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_sticks_out_of_the_page(
    browser: Browser, url: str, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#connection")).to_have_text("live", timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    overflowing = page.evaluate(
        """() => [...document.querySelectorAll('.card dd, .top, .heading, .field')]
            .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML)"""
    )
    assert overflowing == []
    context.close()


def test_the_page_survives_the_server_and_recovers_without_a_reload(
    page: Page, free_address: str
) -> None:
    with processes.dashboard(free_address) as url:
        page.goto(url)
        expect(page.get_by_text("Waiting for the server")).to_be_visible(timeout=PATIENCE_MS)
        with processes.server(listen=free_address, speed=SPEED):
            expect(part(page, "database", "status")).to_contain_text("healthy", timeout=PATIENCE_MS)
            page.evaluate("window.stillTheSamePage = true")
        expect(page.locator("#banner")).to_contain_text(
            "No connection to the server", timeout=PATIENCE_MS
        )
        expect(part(page, "database", "status")).to_contain_text("unknown")
        expect(page.locator("#inject")).to_be_disabled()
        with processes.server(listen=free_address, speed=SPEED):
            expect(page.locator("#banner")).to_be_hidden(timeout=PATIENCE_MS)
            expect(part(page, "database", "status")).to_contain_text("healthy", timeout=PATIENCE_MS)
            expect(page.locator("#inject")).to_be_enabled()
        assert page.evaluate("window.stillTheSamePage") is True
        # Another system at the same address has another skeleton: the page follows.
        with processes.server(listen=free_address, speed=SPEED, SRE_EDGE_TOPOLOGY="boutique"):
            expect(part(page, "cart-cache", "status")).to_contain_text(
                "healthy", timeout=PATIENCE_MS
            )
