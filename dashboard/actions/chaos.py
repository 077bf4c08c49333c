"""Actions on faults and experiments: inject, run, stop, save."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.actions.answer import Answer
from dashboard.source.state import Provider
from dashboard.text import faults
from dashboard.text.names import kind_key
from dashboard.text.numbers import duration
from dashboard.text.times import seconds
from sre_edge import SreEdgeError, fault_kind
from sre_edge.v1.catalog_pb2 import Catalog

MAX_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """Content of the form: each fault on each target, all with the same strength and times."""

    targets: Sequence[str]
    kinds: Sequence[str]
    intensity: float
    duration_s: float
    ramp_s: float
    share: float

    @property
    def name(self) -> str:
        """Name in the list of experiments."""
        kinds = ", ".join(kind.replace("_", " ") for kind in self.kinds)
        where = ", ".join(self.targets[:3]) + ("…" if len(self.targets) > 3 else "")
        return f"{kinds} on {where}"


def plan(catalog: Catalog, values: Mapping[str, Any]) -> Plan:
    """Read the form.

    Raises
    ------
    SreEdgeError
        If a value is missing or not a number; the server checks the rest.
    """
    targets, kinds = _many(values.get("target")), _many(values.get("kind"))
    if not targets:
        raise SreEdgeError("targets: expected at least one")
    if not kinds:
        raise SreEdgeError("faults: expected at least one")
    if len(targets) * len(kinds) > MAX_FAULTS:
        raise SreEdgeError(f"expected at most {MAX_FAULTS} faults at a time")
    return Plan(
        targets,
        kinds,
        intensity=_number(values, "intensity", f"a number up to {faults.max_intensity(catalog):g}"),
        duration_s=_number(
            values, "duration", f"a number of seconds from 1 to {faults.max_duration_s(catalog):g}"
        ),
        ramp_s=_number(values, "ramp", "a number of seconds, at most the duration"),
        share=_number(values, "share", "percent from 1 to 100") / 100.0,
    )


def _many(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _number(values: Mapping[str, Any], name: str, expected: str) -> float:
    try:
        return float(values.get(name, ""))
    except (TypeError, ValueError):
        raise SreEdgeError(f"{name}: expected {expected}") from None


def inject(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Inject one fault, or several as one experiment."""
    wanted = plan(provider.state.catalog, values)
    if len(wanted.targets) * len(wanted.kinds) == 1:
        fault = provider.inject(
            wanted.targets[0],
            fault_kind(wanted.kinds[0]),
            duration_s=wanted.duration_s,
            intensity=wanted.intensity,
            ramp_s=wanted.ramp_s,
            share=wanted.share,
        )
        experiment, name = fault.experiment_id, wanted.name
    else:
        started = provider.run_scenario(document(wanted))
        experiment, name = started.id, f"{len(started.faults)} faults"
    provider.refresh("experiments")
    text = f"Injected {name} for {duration(wanted.duration_s)}."
    return {
        "toast": text,
        "undo": {"name": "stop", "values": {"experiment": experiment}},
        "fill": {"chaos-message": text},
    }


def effect(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Say what the chosen faults do at the chosen intensity."""
    try:
        intensity = _number(values, "intensity", "a number")
    except SreEdgeError:
        intensity = 1.0
    said = faults.summary(provider.state.catalog, _many(values.get("kind")), intensity)
    return {"fill": {"chaos-effect": said}}


def document(wanted: Plan) -> str:
    """Write a plan as a scenario file."""
    rows = [
        {
            "target": target,
            "kind": kind,
            "start_s": 0,
            "duration_s": wanted.duration_s,
            "intensity": wanted.intensity,
            "ramp_s": wanted.ramp_s,
            "share": wanted.share,
        }
        for target in wanted.targets
        for kind in wanted.kinds
    ]
    return scenario(wanted.name, wanted.duration_s, rows)


def scenario(name: str, length_s: float, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a scenario file: YAML, a fault a line."""
    lines = [f"- name: {json.dumps(name)}", f"  seconds: {length_s:g}", "  faults:"]
    for row in rows:
        fields = (
            f"{key}: {json.dumps(value) if isinstance(value, str) else f'{value:g}'}"
            for key, value in row.items()
        )
        lines.append(f"    - {{{', '.join(fields)}}}")
    return "\n".join(lines) + "\n"


def save(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Give the form as a file."""
    return {
        "download": {
            "name": "scenario.yaml",
            "text": document(plan(provider.state.catalog, values)),
        }
    }


def save_document(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Return the text of a scenario as a file."""
    text = str(values.get("document", ""))
    if not text.strip():
        raise SreEdgeError("scenario: expected a document")
    return {"download": {"name": "scenario.yaml", "text": text}}


def save_experiment(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Return an experiment as a scenario file that repeats it."""
    found = provider.experiment(str(values.get("experiment", "")))
    start = found.start_time.ToDatetime()
    rows = [
        {
            "target": fault.target,
            "kind": kind_key(fault.kind),
            "start_s": max(0.0, (fault.start_time.ToDatetime() - start).total_seconds()),
            "duration_s": seconds(fault.duration),
            "intensity": fault.intensity,
            "ramp_s": seconds(fault.ramp),
            "share": fault.share,
        }
        for fault in found.faults
    ]
    length_s = max((row["start_s"] + row["duration_s"] for row in rows), default=60.0)  # type: ignore[operator]
    return {"download": {"name": "scenario.yaml", "text": scenario(found.name, length_s, rows)}}


def run_scenario(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Run a scenario file; the server parses and checks it."""
    text = str(values.get("document", ""))
    if not text.strip():
        raise SreEdgeError("scenario: expected a document")
    started = provider.run_scenario(text)
    provider.refresh("experiments")
    message = f"Started {started.name}: {len(started.faults)} faults."
    return {
        "toast": message,
        "undo": {"name": "stop", "values": {"experiment": started.id}},
        "fill": {"scenario-message": message},
    }


def stop(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """End an experiment, a fault, or all."""
    count = provider.stop(
        fault=str(values.get("fault", "")), experiment=str(values.get("experiment", ""))
    )
    provider.refresh("experiments")
    return {"toast": f"Stopped {count} fault{'' if count == 1 else 's'}."}


def kill(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Engage the kill switch."""
    provider.kill_switch(engage=True)
    provider.refresh("experiments")
    return {
        "toast": "The kill switch is on: all faults have ended, and no new ones are accepted.",
        "undo": {"name": "lift", "values": {}},
    }


def lift(provider: Provider, values: Mapping[str, Any]) -> Answer:
    """Lift the kill switch."""
    provider.kill_switch(engage=False)
    return {"toast": "The kill switch is lifted: faults are accepted again."}
