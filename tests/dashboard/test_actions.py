"""What a page can ask for, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard import actions
from dashboard.text import faults
from server.rpc.catalog import catalog
from sre_edge.v1 import fault_pb2
from tests.dashboard.fakes import FakeProvider, snapshot, state

FORM = {
    "target": ["database"], "kind": ["service_kill"], "intensity": "0.5", "duration": "60",
    "ramp": "10", "share": "50",
}  # fmt: skip


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(state(snapshot()))


def perform(provider: FakeProvider, name: str, **values: Any) -> dict[str, Any]:
    return dict(actions.perform(provider, name, values))


def test_one_fault_is_injected_with_what_the_form_says(provider: FakeProvider) -> None:
    answer = perform(provider, "inject", **FORM)
    assert provider.asked[0] == (
        "inject", "database", fault_pb2.FAULT_KIND_SERVICE_KILL,
        {"duration_s": 60.0, "intensity": 0.5, "ramp_s": 10.0, "share": 0.5},
    )  # fmt: skip
    assert answer["undo"]["name"] == "stop"


def test_several_faults_are_one_scenario(provider: FakeProvider) -> None:
    perform(
        provider,
        "inject",
        **{**FORM, "target": ["database", "auth-service"], "kind": ["cpu_spike", "error_burst"]},
    )
    name, document = provider.asked[0]
    assert name == "run_scenario"
    assert str(document).count("target:") == 4
    assert 'name: "cpu spike, error burst on database, auth-service"' in str(document)


@pytest.mark.parametrize("size", ["-1", "2.5", "many", "9" * 10])
def test_a_size_of_a_training_is_a_number_that_the_api_can_hold(
    provider: FakeProvider, size: str
) -> None:
    error = perform(provider, "train", episodes="4", rounds=size)["error"]
    assert error == "Maximum trees to add: expected a whole number of 9 digits at most"
    assert provider.asked == []
    perform(provider, "train", episodes="4", rounds=" ")
    assert provider.asked[0] == ("train", ("episodes", 4))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": []}, "targets: expected"),
        ({"kind": []}, "faults: expected"),
        ({"duration": ""}, "duration: expected"),
        ({"intensity": "much"}, "intensity: expected"),
    ],
)
def test_what_is_wrong_is_said(provider: FakeProvider, change: dict[str, Any], said: str) -> None:
    assert said in perform(provider, "inject", **{**FORM, **change})["error"]
    assert not provider.asked


def test_errors_of_the_server_are_answers(provider: FakeProvider) -> None:
    assert "no SRE Edge server answers" in perform(provider, "reset")["error"]
    assert "cannot" in perform(provider, "format the disk")["error"]


def test_a_form_and_an_experiment_can_be_saved_as_files(provider: FakeProvider) -> None:
    saved = perform(provider, "save", **FORM)["download"]
    assert saved["name"] == "scenario.yaml"
    assert '{target: "database", kind: "service_kill", start_s: 0, duration_s: 60' in saved["text"]
    again = perform(provider, "save-experiment", experiment="x-1")["download"]["text"]
    assert "service_kill" in again


def test_clock_kill_switch_and_models_can_be_taken_back(provider: FakeProvider) -> None:
    assert perform(provider, "pause")["undo"]["name"] == "resume"
    assert perform(provider, "speed", value="5")["undo"]["values"] == {"value": "1"}
    assert perform(provider, "kill")["undo"]["name"] == "lift"
    rolled = perform(provider, "activate", version="2-new")["undo"]
    assert (rolled["label"], rolled["values"]) == ("Roll back", {"version": "1-old"})


def test_the_effect_of_faults_is_said_in_words() -> None:
    def said(kind: fault_pb2.FaultKind.ValueType, intensity: float) -> str:
        return faults.effect(catalog(), kind, intensity).replace("\N{NO-BREAK SPACE}", " ")

    assert said(fault_pb2.FAULT_KIND_CPU_SPIKE, 1.0) == "30 % more CPU"
    assert said(fault_pb2.FAULT_KIND_NETWORK_LATENCY, 0.5) == "500 ms more on every call to it"
    assert said(fault_pb2.FAULT_KIND_SERVICE_KILL, 3.0) == "100 % of its replicas are down"
    assert {kind for kind, _ in faults.kinds(catalog())} == set(fault_pb2.FaultKind.values()[1:])
    assert faults.summary(catalog(), ["cpu_spike", "nonsense"], 1.0).startswith("CPU spike: 30")
