"""The table of faults: complete, and what reads it."""

from __future__ import annotations

import math
import re
import runpy
from enum import StrEnum
from pathlib import Path

import pytest

import telemetry.faults
from simulator.faults import effects
from telemetry.faults import AMOUNT, FAULTS, Fault, FaultKind, Target, beyond_limits

ROOT = Path(__file__).resolve().parents[2]


def test_each_kind_has_a_row_and_an_effect() -> None:
    assert list(FAULTS) == list(FaultKind) == list(effects.EFFECTS)
    labels = [definition.label for definition in FAULTS.values()]
    assert len(set(labels)) == len(labels)
    for definition in FAULTS.values():
        assert definition.sentence.count(AMOUNT) == 1
        assert definition.unit in {"%", "ms"}
        assert 0.0 < definition.amount <= definition.max_amount
        assert definition.targets


def test_a_kind_without_an_effect_is_an_error_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    more = StrEnum("FaultKind", {**{k.name: k.value for k in FaultKind}, "FLOOD": "flood"})  # type: ignore[misc]
    monkeypatch.setattr(telemetry.faults, "FaultKind", more)
    with pytest.raises(TypeError, match="without an effect: flood"):
        runpy.run_path(str(effects.__file__))


def test_the_api_states_the_amounts_of_the_table() -> None:
    proto = (ROOT / "protos/sre_edge/v1/fault.proto").read_text()
    for kind, definition in FAULTS.items():
        found = re.search(rf"((?:  // .*\n)+)  FAULT_KIND_{kind.name} = ", proto)
        assert found, kind
        numbers = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", found[1])}
        assert numbers & {definition.amount, definition.amount / 100.0}, kind


def test_the_api_states_the_limits_of_the_table() -> None:
    proto = (ROOT / "protos/sre_edge/v1/chaos_service.proto").read_text()
    request = proto.split("message InjectChaosRequest")[1].partition("\n}")[0]
    stated = dict(re.findall(r"((?:  // .*\n)+)  .* (\w+) = \d+;", request))
    said = {field: " ".join(comment.replace("//", "").split()) for comment, field in stated.items()}
    assert {d.max_intensity for d in FAULTS.values()} == {
        float(re.findall(r"at most (\d+)\.", said["intensity"])[0])
    }
    assert {d.max_duration_s for d in FAULTS.values()} == {
        3600.0 * float(re.findall(r"at most (\d+) h\.", said["duration"])[0])
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"duration_s": 3600.1}, "duration_s"),
        ({"duration_s": math.inf}, "duration_s"),
        ({"intensity": 10.1}, "intensity"),
        ({"intensity": math.nan}, "intensity"),
        ({"ramp_s": 61.0}, "ramp_s"),
        ({"share": 0.0}, "share"),
        ({"target": ""}, "target"),
    ],
)
def test_a_live_system_has_limits(changes: dict[str, float | str], field: str) -> None:
    stated = {"target": "database", "kind": FaultKind.CPU_SPIKE, "start_s": 0.0, "duration_s": 60.0}
    assert not list(beyond_limits(Fault(**stated)))  # type: ignore[arg-type]
    broken = [name for name, _ in beyond_limits(Fault(**{**stated, **changes}))]  # type: ignore[arg-type]
    assert broken == [field]


def test_only_what_finds_its_own_target_needs_none() -> None:
    alone = {kind for kind in FaultKind if not list(beyond_limits(Fault("", kind, 0.0, 60.0)))}
    assert alone == {kind for kind, d in FAULTS.items() if Target.NOTHING in d.targets}
    assert alone == {FaultKind.CASCADE_FAILURE}
