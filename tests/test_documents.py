"""The tables and figures of the documents are those of the code and of the shipped model."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

from dashboard.__main__ import main as dashboard
from ml.serving.artefact import SHIPPED, read_manifest
from ml.training.train import Config
from server.__main__ import main as server
from server.errors import Reason
from server.pipeline.budgets import POLICIES
from server.rpc.registration import SERVICES
from simulator.topologies import SHIPPED as TOPOLOGIES
from simulator.topology.defaults import KIND_DEFAULTS
from telemetry.faults import FaultKind
from telemetry.metrics import METRICS

DOCS = Path(__file__).resolve().parent.parent / "docs"
SIMULATOR = (DOCS / "simulator.md").read_text()
API = (DOCS / "api.md").read_text()
EVALUATION = (DOCS / "evaluation.md").read_text()


def test_the_defaults_of_each_kind_are_those_of_the_code() -> None:
    for kind, stated in KIND_DEFAULTS.items():
        row = (
            f"| {kind} | {stated.service_time_ms:g} | {stated.memory_limit_mb:g} "
            f"| {stated.memory_base_share:.2f} | {stated.startup_s:g} |"
        )
        assert row in SIMULATOR


def test_the_keys_of_the_files_are_those_that_are_read() -> None:
    script = runpy.run_path(str(DOCS / "keys.py"))
    for name, tables in script["PAGES"].items():
        text = (DOCS / name).read_text(encoding="utf-8")
        assert script["page"](text, tables) == text, "run `make docs`"
    for row in (
        "| `retries` | | ≥ 0, ≤ 10 | 2 | Attempts after the first. |",
        "| `memory.base_mb` | MB | ≥ 0, ≤ 1,000,000,000, < `limit_mb` | by kind | Without any requ",
        "| `load.hour` | h | ≥ 0, ≤ 24 | 12 | Hour of the day when the run starts. |",
    ):
        assert row in SIMULATOR


def test_every_topology_is_listed() -> None:
    for name in TOPOLOGIES:
        assert f"`{name}`" in SIMULATOR
        assert f"`{name}`" in API


def test_every_setting_and_reason_is_listed() -> None:
    options = [option for command in (server, dashboard) for option in command.params]
    for option in options:
        variables = option.envvar or f"SRE_EDGE_{str(option.name).upper()}"
        assert f"`{variables}`" in API
    for reason in Reason:
        assert f"`{reason.name}`" in API


def test_every_call_is_listed_with_an_example() -> None:
    for service in SERVICES:
        for method in service.methods:
            assert f"| `{service.name}/{method.name}` |" in API
            assert f"{service.full_name}/{method.name}\n" in API


def test_the_reference_is_that_of_the_protos() -> None:
    script = runpy.run_path(str(DOCS / "reference.py"))
    found = (DOCS / "reference.md").read_text()
    assert script["page"]() == found, "run `make docs`"
    heads = re.findall(r"^#+ (.*)$", found, re.MULTILINE)
    anchors = {head.lower().replace(".", "").replace(" ", "-") for head in heads}
    assert len(anchors) == len(heads)
    assert set(re.findall(r"\]\(#([^)]+)\)", found)) <= anchors
    assert "|  |" not in found  # each field and each value is described
    for service in SERVICES:
        for method in service.methods:
            assert f"### {method.name}\n" in found


def test_the_tables_of_metrics_and_faults_are_those_of_the_code() -> None:
    script = runpy.run_path(str(DOCS / "metrics_and_faults.py"))
    found = (DOCS / "metrics-and-faults.md").read_text()
    assert script["page"]() == found, "run `make docs`"
    assert all(f"| `{name}` |" in found for name in (*FaultKind, *(m.name for m in METRICS)))


def test_what_is_said_of_burn_rates_is_what_is_done() -> None:
    names = {3600: "1 h", 300: "5 min", 21_600: "6 h", 1800: "30 min", 259_200: "3 d"}
    for policy in POLICIES:
        long, short = names[int(policy.long_s)], names[int(policy.short_s)]
        assert f"| {policy.severity.value} | {long} | {short} | {policy.burn_rate:g} |" in API


def test_what_is_said_of_the_shipped_model_is_what_was_measured() -> None:
    report = json.loads((DOCS / "evaluation.json").read_text())
    script = runpy.run_path(str(DOCS / "tables.py"))
    assert script["page"](EVALUATION, report) == EVALUATION
    assert report["model"] == read_manifest(SHIPPED).version
    for picture in re.findall(r"\((images/evaluation/[^)]+)\)", EVALUATION):
        assert (DOCS / picture).exists()
    model, others = report["overall"]["model"], report["overall"]["baselines"]
    for figure in ("pr_auc", "brier_skill"):
        assert model[figure] > max(other[figure] for other in others.values())
    said = " ".join(EVALUATION.split())
    config = Config()
    assert f"{config.share:.0%} of those without an incident ahead".replace("%", " %") in said
    assert f"{config.topologies} systems" in said
    assert f"foresees {model['foreseeable_recall']:.0%}".replace("%", " %") in said
    assert f"leads by {model['lead_share']:.2f} of the time" in said
    assert f"{model['event_precision']:.0%} of its alarms are".replace("%", " %") in said
    readme = " ".join((DOCS.parent / "README.md").read_text().split())
    told = f"{model['foreseeable_recall']:.0%} of the foreseeable ones foreseen, "
    told += f"{model['event_precision']:.0%} of alarms right"
    assert told.replace("%", " %") in readme
    assert f"[{len(FaultKind)} kinds]" in readme
    for name in others:
        assert report["ahead_in_recall_at_0.5"][name]["ci"][0] > 0.0
    systems = report["per_topology"]
    ahead = sum(
        all(s["ahead_in_recall_at_0.5"][name]["difference"] > 0.0 for name in others)
        for s in systems
    )
    assert f"ahead of each on {ahead} of the {len(systems)} systems" in said
    skilled = sum(s["model"]["brier_skill"] > 0.0 for s in systems)
    assert f"above zero over all and on {skilled} of the {len(systems)} systems" in said
    oracle = report["overall"]["oracle"]
    known = f"has {oracle['foreseeable_recall']:.0%} and {oracle['event_precision']:.0%}"
    assert known.replace("%", " %") in said
    assert oracle["foreseeable_recall_at_precision_0.94"] == 0.0
    assert f"(the oracle: {oracle['event_recall']:.2f})" in said
    assert round(1.0 - model["prevalence"], 2) == 0.99


def test_what_the_threat_model_relies_on_is_tested() -> None:
    page = (DOCS / "threat-model.md").read_text()
    relied_on = re.findall(r"`([\w/]+\.py)::(\w+)`", page)
    assert len(relied_on) > 20
    for file, name in relied_on:
        assert re.search(rf"def {name}\(", (DOCS.parent / "tests" / file).read_text()), name


def test_the_architecture_names_every_part() -> None:
    page = (DOCS / "architecture.md").read_text()
    for folder, part in re.findall(r"^## Inside `(\w+)/`\n(.*?)(?=^## )", page, re.M | re.S):
        cells = " ".join(row.split("|")[1] for row in part.splitlines() if row.startswith("| `"))
        there = (path for path in (DOCS.parent / folder).iterdir() if path.name[:2] != "__")
        names = {path.name + "/" * path.is_dir() for path in there if path.suffix in ("", ".py")}
        assert set(re.findall(r"`([\w./]+)`", cells)) == names, folder
