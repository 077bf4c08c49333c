"""What Prometheus finds."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from pathlib import Path

from server.app import App
from telemetry.metrics import SERVICE_METRICS
from tests.server.chaos_calls import KILL, tick
from tests.server.stubs import SERVICES, Stubs

API = Path(__file__).resolve().parents[2] / "docs" / "api.md"


async def scraped(app: App) -> str:
    def scrape() -> str:
        with urllib.request.urlopen(f"http://{app.metrics_address}/metrics", timeout=10) as page:
            return page.read().decode()

    return await asyncio.to_thread(scrape)


async def test_services_predictions_and_the_server_itself(still: App, calls: Stubs) -> None:
    await calls.snapshot()
    text = await scraped(still)
    for service in SERVICES:
        assert f'sre_edge_service_cpu_percent{{service="{service}",system="default"}}' in text
        assert f'sre_edge_incident_probability{{service="{service}",system="default"}}' in text
    assert 'method="/sre_edge.v1.SimulationService/GetMetrics"' in text
    for series in (
        "grpc_calls_total", "grpc_call_seconds_bucket", "tick_seconds_bucket",
        "lost_records_total 0.0", "loop_lag_seconds_bucket",
    ):  # fmt: skip
        assert f"\nsre_edge_{series}" in text, series
    for series, value in (
        ("streams", 0), ("event_streams", 0), ("dropped_snapshots_total", 0),
        ("failed_ticks_total", 0), ("kill_switch", 0), ("system_live", 1),
    ):  # fmt: skip
        assert f'\nsre_edge_{series}{{system="default"}} {value}.0\n' in text, series


async def test_incidents_and_error_budgets(still: App, calls: Stubs) -> None:
    ill = (
        'service_in_incident{service="database",system="default"} 1.0',
        'slo_budget_spent_ratio{objective="error_rate",service="database",system="default"} '
        "(?!0[.]0\\n)",
        'slo_alerts{severity="page",system="default"} [1-9]',
    )
    calm = await scraped(still)
    assert not any(re.search(f"\nsre_edge_{series}", calm) for series in ill)
    await calls.inject(**KILL)
    tick(still, 30)
    text = await scraped(still)
    missing = [series for series in ill if not re.search(f"\nsre_edge_{series}", text)]
    assert not missing


async def test_every_series_is_documented(still: App, calls: Stubs) -> None:
    await calls.snapshot()
    text = await scraped(still)
    served = set(re.findall(r"^# TYPE sre_edge_(\w+)", text, re.MULTILINE))
    section = API.read_text().partition("## Metrics for Prometheus")[2].partition("\n## ")[0]
    rows = "\n".join(line for line in section.splitlines() if line.startswith("| `"))
    of_services = {f"service_{m.name}" for m in SERVICE_METRICS if m.overview or m.chart}
    documented = set(re.findall(r"`(\w+)`", rows)) | of_services  # docs/metrics-and-faults.md
    assert {name for name in served if not name.endswith("_created")} == documented
