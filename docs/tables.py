"""Writes the tables of `docs/evaluation.md` from `docs/evaluation.json`.

`make evaluation` makes both: it evaluates the shipped model with the oracle, draws the pictures,
and runs this.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE, REPORT = HERE / "evaluation.md", HERE / "evaluation.json"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"

_COLUMNS = (
    ("foreseeable_recall", "foreseen of the foreseeable"),
    ("event_precision", "precision of alarms"),
    ("event_recall", "foreseen of all"),
    ("lead_share", "lead share"),
    ("median_lead_s", "median lead, s"),
    ("false_alarms_per_episode", "false alarms per episode"),
    ("recall_at_0.5", "recall at 0.5 false alarms per episode"),
    ("pr_auc", "PR-AUC of rows"),
    ("brier_skill", "Brier skill"),
    ("ece", "ECE"),
)


def tables(report: dict[str, Any]) -> str:
    """Give all tables as Markdown."""
    overall = report["overall"]
    named = {"**the model**": overall["model"], "oracle": overall["oracle"]}
    named |= {name.replace("_", " "): values for name, values in overall["baselines"].items()}
    known = {name: values for name, values in named.items() if values is not None}
    model = overall["model"]
    lines = [
        f"{report['episodes']} episodes of {len(report['per_topology'])} systems that the model "
        f"`{report['model']}` never saw, seed {report['seed']}: {model['incidents']} incidents, "
        f"{model['foreseeable_incidents']} of them foreseeable; {model['rows']:,} rows, "
        f"{100 * model['prevalence']:.2f} % of them before an incident. In brackets the 95 % "
        "interval by episode.",
        "",
        "| | " + " | ".join(title for _, title in _COLUMNS) + " |",
        "| --- |" + " ---: |" * len(_COLUMNS),
        *(
            f"| {name} | " + " | ".join(_figure(values, key) for key, _ in _COLUMNS) + " |"
            for name, values in known.items()
        ),
        "",
        "Per system, the model beside the oracle and the best of the baselines:",
        "",
        "| system | services | foreseeable | foreseen | oracle | precision | oracle "
        "| recall at 0.5 | best baseline | Brier skill |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_system(one) for one in report["per_topology"]),
        "",
        "By the cause of the incident:",
        "",
        "| cause | incidents | foreseen | foreseeable | foreseen of these | median lead, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_group(name, of) for name, of in report["by_fault"].items()),
        "",
        "By its intensity:",
        "",
        "| intensity | incidents | foreseen | foreseeable | foreseen of these | median lead, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_group(name, of) for name, of in report["by_intensity"].items()),
        "",
        _cascade(report["cascade"]),
        "",
        f"The system as a whole (any entry): {report['system']['foreseeable_hits']} of "
        f"{report['system']['foreseeable_incidents']} foreseeable incidents foreseen, precision "
        f"{_cell(report['system']['event_precision'])}. Most likely type right just before the "
        f"onset: {_cell(report['incident_type']['accuracy'])}, with a mean confidence of "
        f"{_cell(report['incident_type']['mean_confidence'])} (calibration error "
        f"{_cell(report['incident_type']['confidence_ece'])}).",
    ]
    return "\n".join(lines)


def page(text: str, report: dict[str, Any]) -> str:
    """Put the tables into the page."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(report)}\n{END}{after}"


def _figure(values: dict[str, Any], key: str) -> str:
    cell = _cell(values[key])
    if key in ("foreseeable_recall", "event_precision") and key in values.get("ci", {}):
        low, high = values["ci"][key]
        cell += f" ({_cell(low)}–{_cell(high)})"
    return cell


def _system(one: dict[str, Any]) -> str:
    model, oracle = one["model"], one["oracle"] or {}
    best = max((b["recall_at_0.5"] or 0.0) for b in one["baselines"].values())
    cells = [
        one["topology"],
        str(one["services"]),
        str(model["foreseeable_incidents"]),
        _cell(model["foreseeable_recall"]),
        _cell(oracle.get("foreseeable_recall")),
        _cell(model["event_precision"]),
        _cell(oracle.get("event_precision")),
        _cell(model["recall_at_0.5"]),
        _cell(best),
        _cell(model["brier_skill"]),
    ]
    return f"| {' | '.join(cells)} |"


def _group(name: str, of: dict[str, Any]) -> str:
    return (
        f"| {name} | {of['incidents']} | {_cell(of['event_recall'])} "
        f"| {of['foreseeable_incidents']} | {_cell(of['foreseeable_recall'])} "
        f"| {_cell(of['median_lead_s'])} |"
    )


def _cascade(of: dict[str, Any]) -> str:
    rule = of["seed_rule"]
    return (
        f"Cascade risk, over {of['incidents']} incidents of services that are no entry, of which "
        f"{of['reached_an_entry']} reached one within 60 s: Brier score {_cell(of['brier'])}, rank "
        f"correlation {_cell(of['rank_correlation'])}; the seed's rule has {_cell(rule['brier'])} "
        f"and {_cell(rule['rank_correlation'])}."
    )


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    found = json.loads(REPORT.read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
