"""Incidents, labels and alarms are what evaluation.md says they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.definitions.alarms import Alarm, alarms, match
from ml.definitions.breach import breached
from ml.definitions.incidents import Incident, IncidentTracker, incidents
from ml.definitions.labels import labels, unscored
from ml.definitions.risk import RiskLevel, risk_level
from ml.evaluation.metrics import calibration_error
from simulator.simulation import Simulation
from simulator.topologies import shipped
from telemetry.frame import Frame


def series(text: str) -> np.ndarray:
    """One service's breaches, "x" for a breached interval."""
    return np.array([mark == "x" for mark in text])[:, None, None]


def found(text: str) -> list[tuple[int, int]]:
    return [(i.onset, i.end) for i in incidents(series(text))]


QUIET = "." * 20


def test_five_of_eight_breached_intervals_are_an_incident() -> None:
    assert found("...xxxxx" + QUIET) == [(3, 8 + 15)]
    assert found("...x.x.x.x" + QUIET) == []  # four
    assert found("...x.xx.x..x" + QUIET) == []  # five, but among nine
    assert found("...x.xx.xx." + QUIET) == [(3, 10 + 15)]


def test_an_incident_ends_after_30_s_without_a_breach() -> None:
    assert found("xxxxx" + "." * 14 + "x" + QUIET) == [(0, 20 + 15)]
    assert found("xxxxx" + "." * 15 + "xxxxx" + QUIET) == [(0, 20), (20, 40)]


def test_an_open_incident_is_told_too() -> None:
    assert found("...xxxxxx") == [(3, 9)]


@given(st.lists(st.booleans(), min_size=1, max_size=120))
def test_incidents_agree_with_a_plain_reading(values: list[bool]) -> None:
    expected = []
    open_since, quiet, start = None, 0, 0
    for t, bad in enumerate(values):
        quiet = 0 if bad else quiet + 1
        if open_since is None:
            window = [k for k in range(max(0, t - 7, start), t + 1) if values[k]]
            if len(window) >= 5:
                open_since = window[0]
        elif quiet == 15:
            expected.append((open_since, t + 1))
            open_since, start = None, t + 1
    if open_since is not None:
        expected.append((open_since, len(values)))
    text = "".join("x" if bad else "." for bad in values)
    assert found(text) == expected


def test_a_label_is_an_onset_in_the_next_minute() -> None:
    happened = [Incident(0, 0, 100, 130)]
    label = labels((200, 1, 1), happened)[:, 0, 0]
    assert label.nonzero()[0].tolist() == list(range(70, 100))
    silent = unscored((200, 1, 1), happened)[:, 0, 0]
    assert silent.nonzero()[0].tolist() == list(range(100, 145))


def raised(values: list[float], happened: list[Incident] | None = None) -> list[tuple[int, int]]:
    score = np.array(values)[:, None, None]
    return [(a.raised, a.ended) for a in alarms(score, happened or [], 0.5)]


def test_an_alarm_needs_two_of_three_predictions() -> None:
    assert raised([0, 0.9, 0, 0, 0.9] + [0] * 20) == []
    assert raised([0, 0.9, 0, 0.9] + [0] * 20) == [(3, 3 + 1 + 14)]
    assert raised([0, 0.5, 0.5] + [0] * 20) == [(2, 3 + 14)]


def test_an_alarm_ends_below_half_the_threshold_for_30_s() -> None:
    assert raised([0.9, 0.9] + [0.3] * 30) == [(1, 32)]
    assert raised([0.9, 0.9] + [0.2] * 30) == [(1, 16)]


def test_no_alarm_is_raised_in_an_incident_nor_in_the_30_s_after() -> None:
    happened = [Incident(0, 0, 10, 20)]
    assert raised([0.0] * 8 + [0.9] * 60, happened) == [(9, 10), (36, 68)]


def test_a_hit_comes_4_to_300_s_before_and_still_stands() -> None:
    incident = Incident(0, 0, 200, 210)

    def outcome(raised_at: int, ended: int) -> tuple[int, int]:
        result = match([Alarm(0, 0, raised_at, ended)], [incident])
        return len(result.hits), len(result.false_alarms)

    assert outcome(197, 200) == (1, 0)  # lead 4 s
    assert outcome(198, 200) == (0, 1)  # lead 2 s
    assert outcome(49, 200) == (1, 0)  # lead 300 s
    assert outcome(48, 200) == (0, 1)
    assert outcome(150, 199) == (0, 1)  # ended before
    assert match([Alarm(0, 0, 190, 200)], [incident]).hits[incident] == 18.0


def test_a_breach_is_errors_or_latency_or_no_replica() -> None:
    simulation = Simulation(shipped("default"))
    frame, graph = simulation.next_frame(), simulation.graph

    def with_values(**values: float) -> list[bool]:
        fields = vars(frame).copy()
        for name, value in values.items():
            fields[name] = np.full_like(fields[name], value)
        return breached(Frame(**fields), graph)[0].tolist()

    assert with_values() == [False] * 4
    assert with_values(error_rate_percent=5.0, failed_count=5.0) == [True] * 4
    assert with_values(error_rate_percent=5.0, failed_count=4.0) == [False] * 4
    assert with_values(error_rate_percent=4.9, failed_count=500.0) == [False] * 4
    assert with_values(latency_p95_ms=501.0) == [True] * 4
    assert with_values(latency_p95_ms=500.0) == [False] * 4
    assert with_values(availability_percent=0.0) == [True] * 4
    missing = float("nan")
    assert with_values(latency_p95_ms=missing, error_rate_percent=missing) == [False] * 4


def test_an_incident_that_goes_on_is_known_until_10_s_without_a_breach() -> None:
    tracker = IncidentTracker(1, 1)
    going = []
    for mark in "xxxxxx" + "." * 8:
        tracker.update(np.array([[mark == "x"]]))
        going.append(bool(tracker.ongoing[0, 0]))
    assert going == [False] * 4 + [True] * 6 + [False] * 4


@pytest.mark.parametrize(
    ("probability", "level"),
    [
        (0.0, "low"),
        (0.299, "low"),
        (0.3, "medium"),
        (0.6, "high"),
        (0.8, "critical"),
        (1, "critical"),
    ],
)
def test_risk_levels_follow_from_the_probability(probability: float, level: str) -> None:
    assert risk_level(probability) is RiskLevel(level)


def test_calibration_error_leaves_the_hopeful_constant_out() -> None:
    label = np.array([1.0] * 50 + [0.0] * 50)
    assert calibration_error(label, np.full(100, 0.5)) == pytest.approx(0.0)
    assert calibration_error(label, np.full(100, 0.9)) == pytest.approx(0.4)
    assert np.isnan(calibration_error(label, np.full(100, 0.01)))
