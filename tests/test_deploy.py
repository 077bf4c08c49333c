"""What `docker compose` starts beside the server: Prometheus with its rules, and Grafana."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre_edge import Client
from tests.conftest import tool
from tests.processes import Program

ROOT = Path(__file__).parent.parent
MONITORING = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
RULES = yaml.safe_load((MONITORING / "rules.yml").read_text(encoding="utf-8"))
RECORDED = [r["record"] for group in RULES["groups"] for r in group["rules"] if "record" in r]
BOARDS = {path.stem: json.loads(path.read_text()) for path in GRAFANA.glob("dashboards/*.json")}


@pytest.mark.parametrize("what", [("check", "config", "prometheus.yml"),
                                  ("test", "rules", "rules_test.yml")])  # fmt: skip
def test_rules_are_valid_and_fire_when_they_should(what: tuple[str, str, str]) -> None:
    done = subprocess.run(
        [tool("promtool"), *what], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run Prometheus on a server with a fault; gives its address once rates are known."""
    directory = tmp_path_factory.mktemp("prometheus")
    served = Program(
        "-m", "server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--speed", "20",
    )  # fmt: skip
    try:
        metrics = served.expect(r"http://(\S+)/metrics")[1]
        target = served.expect(r"grpc://(\S+)")[1]
        config = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
        config = config.replace("server:9464", metrics).replace(": 5s", ": 250ms")
        (directory / "prometheus.yml").write_text(config, encoding="utf-8")
        (directory / "rules.yml").write_bytes((MONITORING / "rules.yml").read_bytes())
        scraper = Program(
            "--config.file=prometheus.yml", f"--storage.tsdb.path={directory / 'samples'}",
            "--web.listen-address=127.0.0.1:0", command=[tool("prometheus")], directory=directory,
        )  # fmt: skip
        try:
            address = scraper.expect(r'Listening on.*address=(127\.\S+?)"?$')[1]
            scraper.expect("Server is ready")
            deadline = time.monotonic() + 60.0
            with Client(target) as client:
                while not ask(address, "sre_edge:grpc_call_seconds:p99 > 0"):
                    client.topology()
                    assert time.monotonic() < deadline, "nothing was scraped in 60 s"
                    time.sleep(0.1)
            yield address
        finally:
            scraper.stop()
    finally:
        served.stop()


def ask(address: str, expression: str) -> list[dict[str, Any]]:
    """Evaluate an expression now; a wrong one raises."""
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"http://{address}/api/v1/query?{query}", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def test_what_rules_record_is_there(prometheus: str) -> None:
    assert [series for series in RECORDED if not ask(prometheus, series)] == []


@pytest.mark.parametrize("name", BOARDS)
def test_panels_ask_for_what_the_server_shows(prometheus: str, name: str) -> None:
    """Each of them has values; a condition, which may not hold now, aside."""
    targets = [target for panel in BOARDS[name]["panels"] for target in panel["targets"]]
    asked = [
        t["expr"].replace("$service", ".+").replace("$system", ".+").removesuffix(" == 1")
        for t in targets
    ]
    assert [expression for expression in asked if not ask(prometheus, expression)] == []


def test_dashboards_find_their_data_source() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    uid = sources["datasources"][0]["uid"]
    assert set(BOARDS) == {"services", "predictions", "slo", "server"}
    for board in BOARDS.values():
        assert {target["datasource"]["uid"] for panel in board["panels"]
                for target in panel["targets"]} == {uid}  # fmt: skip


def test_the_example_of_settings_has_all_that_compose_takes_with_its_default() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    taken = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", compose))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    commented = set(re.findall(r"^# (\w+)=", example, re.MULTILINE))
    assert taken == {**stated, **dict.fromkeys(commented & taken.keys(), "")}
    parts = yaml.safe_load(compose)["services"]
    for name, part in parts.items():
        assert part["read_only"], name
        assert part["cap_drop"] == ["ALL"], name
        assert "mem_limit" in part, name
        assert "healthcheck" in part, name
        assert all(port.startswith("127.0.0.1:") for port in part.get("ports", [])), name
