"""Live alarms turn out as the evaluation would say when it looks back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.definitions.alarms import alarms, match
from ml.definitions.incidents import incidents
from server.pipeline.alarms import AlarmStage
from server.pipeline.snapshot import Forecast
from server.pipeline.state import StateStage
from server.records.findings import Alarm, AlarmOutcome
from telemetry.graph import FloatArray
from tests.server.pipeline.frames import CLOCK, FAILING, NAMES, frame, graph, updated

STORE = NAMES.index("store")
THRESHOLD = 0.5


def forecast(probability: FloatArray, threshold: float = THRESHOLD) -> Forecast:
    """A forecast of a model with a threshold; types are known at the store only."""
    types = np.full((len(NAMES), 7), np.nan)
    types[STORE] = np.eye(7)[2]
    model = SimpleNamespace(manifest=SimpleNamespace(threshold=threshold, version="m-1"))
    return Forecast(
        probability=probability, ongoing=probability > 1, system_probability=0.0, types=types,
        cascade_risk=probability, features=probability[:, None], rows=np.empty((0, 1), np.float32),
        active=probability > 0, predictor=cast(Any, model),
    )  # fmt: skip


def watch(probability: FloatArray, bad: list[int]) -> tuple[list[Alarm], list[Alarm], AlarmStage]:
    """Watch the store with these probabilities, failing in some frames; raised and decided."""
    services, watching = StateStage(graph()), AlarmStage(graph(), CLOCK, "run")
    raised: list[Alarm] = []
    decided: list[Alarm] = []
    for number, value in enumerate(probability):
        states = updated(services, frame(number, {"store": FAILING} if number in bad else {}))
        values = np.zeros(len(NAMES))
        values[STORE] = value
        new, known = watching.update(forecast(values), states)
        raised, decided = raised + new, decided + known
    return raised, decided, watching


def outcomes(decided: list[Alarm]) -> list[tuple[AlarmOutcome, float | None]]:
    return [(alarm.outcome, alarm.lead_s) for alarm in decided]


def test_an_alarm_that_is_followed_by_an_incident_foretold_it() -> None:
    probability = np.zeros(80)
    probability[20:40] = 0.9
    raised, decided, watching = watch(probability, list(range(40, 60)))
    (alarm,) = raised
    assert (alarm.id, alarm.service, alarm.raised) == ("a-run-1", "store", CLOCK.end_of(21))
    assert (alarm.incident_type, alarm.model_version) == ("latency_degradation", "m-1")
    assert outcomes(decided) == [(AlarmOutcome.FORETOLD, 36.0)]
    assert decided[0].highest_probability == 0.9
    assert not watching.pending()


def test_an_alarm_that_nothing_follows_was_false() -> None:
    probability = np.zeros(80)
    probability[20:30] = 0.9
    _, decided, _ = watch(probability, [])
    assert outcomes(decided) == [(AlarmOutcome.FALSE, None)]
    assert decided[0].ended == CLOCK.end_of(44)


@pytest.mark.parametrize(("first", "outcome"), [
    (36, AlarmOutcome.FORETOLD), (37, AlarmOutcome.FALSE), (38, AlarmOutcome.FALSE),
    (39, AlarmOutcome.LATE), (41, AlarmOutcome.LATE),
])  # fmt: skip
def test_less_than_four_seconds_ahead_is_too_late(first: int, outcome: AlarmOutcome) -> None:
    probability = np.zeros(80)
    probability[first:45] = 0.9
    _, decided, _ = watch(probability, list(range(40, 60)))
    assert [alarm.outcome for alarm in decided] == [outcome]


def test_another_model_raises_alarms_at_its_own_threshold() -> None:
    services, watching = StateStage(graph()), AlarmStage(graph(), CLOCK, "run")
    values = np.zeros(len(NAMES))
    values[STORE] = 0.4
    raised: list[int] = []
    for number in range(10):
        live = forecast(values, THRESHOLD if number < 5 else 0.3)
        new, _ = watching.update(live, updated(services, frame(number)))
        raised += [number] * len(new)
    assert raised == [6]


def test_what_is_not_decided_when_the_run_ends_is_said_so() -> None:
    probability = np.zeros(30)
    probability[20:] = 0.9
    _, _, watching = watch(probability, [])
    assert [alarm.outcome for alarm in watching.pending()] == [AlarmOutcome.PENDING]
    assert [alarm.outcome for alarm in watching.close()] == [AlarmOutcome.RUN_ENDED]


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_they_are_those_that_a_look_back_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    length = 400
    probability = np.repeat(rng.random(length // 5) ** 2, 5)
    trouble = np.repeat(rng.random(length // 20) < 0.3, 20) & (rng.random(length) < 0.8)
    trouble[-40:] = False
    probability[-40:] = 0.0  # so that all is decided at the end
    happened = incidents(trouble[:, None, None])
    back = match(alarms(probability[:, None, None], happened, THRESHOLD), happened)
    raised, decided, watching = watch(probability, np.flatnonzero(trouble).tolist())
    assert not watching.pending()
    assert len(raised) == len(decided)
    foretold = sorted(a.lead_s or 0.0 for a in decided if a.outcome is AlarmOutcome.FORETOLD)
    assert foretold == sorted(back.hits.values())
    false = [a.raised for a in decided if a.outcome is AlarmOutcome.FALSE]
    assert sorted(false) == sorted(CLOCK.end_of(a.raised) for a in back.false_alarms)
