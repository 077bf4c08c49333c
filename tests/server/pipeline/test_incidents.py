"""Live incidents are those of the evaluation, and are joined along the calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from ml.definitions.breach import breached
from ml.definitions.incidents import incidents
from server.pipeline.incidents import IncidentStage, probable_origin
from server.pipeline.state import StateStage, describe
from server.records.findings import Incident, IncidentEnd, IncidentState
from telemetry.frame import Frame
from tests.server.pipeline.frames import CLOCK, FAILING, NAMES, frame, graph, updated

SLOW = {"latency_p95_ms": 900.0}


def watch(
    bad: Mapping[str, Sequence[int]], frames: int
) -> tuple[list[Incident], IncidentStage, StateStage]:
    """Watch services fail in some frames; every record that was told, in order."""
    services = StateStage(graph())
    joined = IncidentStage(graph(), CLOCK, "run")
    changed: list[Incident] = []
    for number in range(frames):
        failing = {name: FAILING for name, numbers in bad.items() if number in numbers}
        changed += joined.update(updated(services, frame(number, failing)), {})
    return changed, joined, services


def test_each_begins_and_ends_as_the_evaluation_says() -> None:
    rng = np.random.default_rng(5)
    trouble = np.repeat(rng.random((40, len(NAMES))) < 0.4, 8, axis=0)
    trouble &= rng.random(trouble.shape) < 0.75
    frames: list[Frame] = [
        frame(t, {name: FAILING for i, name in enumerate(NAMES) if trouble[t, i]})
        for t in range(len(trouble))
    ]
    expected = incidents(np.array([breached(made, graph()) for made in frames]))
    watching = StateStage(graph())
    found, open_since = set(), {}
    for made in frames:
        states = updated(watching, made)
        open_since |= {service: states.onset[service] for service in states.began.tolist()}
        for service in states.ended.tolist():
            one = describe(states, graph(), CLOCK, service)
            assert one.end is not None
            found.add((service, one.onset, one.end))
            del open_since[service]
    assert len(expected) > 5
    assert found == {
        (i.service, CLOCK.start_of(i.onset), CLOCK.start_of(i.end))
        for i in expected
        if i.service not in open_since or i.onset != open_since[i.service]
    }
    assert open_since == {i.service: i.onset for i in watching._tracker.unfinished()}


def test_the_worst_is_found_before_it_is_recognised_too() -> None:
    services = StateStage(graph())
    for number, p95 in enumerate([40.0, 300.0, 950.0, 300.0, 300.0, 300.0, 400.0, 40.0]):
        updated(services, frame(number, {"store": {"latency_p95_ms": p95}}))
    found = describe(services.states, graph(), CLOCK, NAMES.index("store"))
    assert found.latency_p95 is not None
    assert (found.latency_p95.value, found.latency_p95.time) == (950.0, CLOCK.start_of(2))
    assert found.onset == CLOCK.start_of(1)
    assert found.last_breach == CLOCK.end_of(6)
    assert found.error_rate is not None
    assert found.error_rate.value == 0.0


def test_what_was_worse_before_the_onset_does_not_count() -> None:
    services = StateStage(graph())
    quiet = {"error_rate_percent": 80.0, "failed_count": 1.0}  # too few to be a breach
    for number in range(8):
        changed = {"store": quiet} if number == 0 else {"store": SLOW}
        updated(services, frame(number, changed))
    found = describe(services.states, graph(), CLOCK, NAMES.index("store"))
    assert found.onset == CLOCK.start_of(1)
    assert found.error_rate is not None
    assert found.error_rate.value == 0.0


def test_callers_and_callees_that_break_together_are_one_incident() -> None:
    changed, joined, services = watch(
        {"store": range(10, 20), "cart": range(10, 20), "edge": range(12, 20)}, 60
    )
    opened, spread = changed[0], changed[1]
    assert (opened.id, opened.state, opened.origin) == ("i-run-1", IncidentState.OPEN, "store")
    assert opened.names == ("cart", "store")
    assert spread.names == ("cart", "store", "edge")
    last = changed[-1]
    assert (last.id, last.state, last.closed_by) == (
        "i-run-1", IncidentState.CLOSED, IncidentEnd.RECOVERED,
    )  # fmt: skip
    assert last.onset == CLOCK.start_of(10)
    assert last.end == CLOCK.start_of(35)
    assert not joined.open(services.states)


def test_services_without_a_call_between_them_are_two() -> None:
    changed, _, _ = watch({"store": range(10, 20), "mail": range(10, 20)}, 18)
    assert {(one.id, one.names) for one in changed} == {
        ("i-run-1", ("store",)), ("i-run-2", ("mail",)),
    }  # fmt: skip


def test_trouble_that_does_not_overlap_is_two() -> None:
    changed, _, _ = watch({"store": range(10), "cart": range(40, 50)}, 60)
    assert {one.id: one.names for one in changed} == {"i-run-1": ("store",), "i-run-2": ("cart",)}


def test_what_joins_two_merges_them_into_the_older() -> None:
    changed, joined, services = watch(
        {"store": range(10, 40), "mail": range(14, 40), "edge": range(20, 40),
         "cart": range(26, 40)}, 36,
    )  # fmt: skip
    merged = next(one for one in changed if one.closed_by is IncidentEnd.MERGED)
    assert (merged.id, merged.merged_into) == ("i-run-2", "i-run-1")
    assert merged.end is not None
    (left,) = joined.open(services.states)
    assert left.names == ("store", "mail", "edge", "cart")
    assert left.origin == "store"


def test_one_that_breaks_again_while_others_are_ill_is_there_twice() -> None:
    changed, _, _ = watch({"cart": range(5, 60), "store": [*range(5, 12), *range(40, 50)]}, 120)
    last = changed[-1]
    assert last.id == "i-run-1"
    assert [one.service for one in last.services] == ["cart", "store", "store"]
    assert last.names == ("cart", "store")


@pytest.mark.parametrize(
    ("onsets", "origin"),
    [
        ({"edge": 10, "cart": 9, "store": 8}, "store"),
        ({"edge": 10, "cart": 10, "store": 12}, "store"),
        ({"edge": 10, "cart": 10, "store": 13}, "cart"),
        ({"edge": 10}, "edge"),
        ({"edge": 10, "mail": 11, "store": 5}, "store"),
        ({"mail": 5, "store": 5}, "store"),
    ],
)
def test_it_probably_came_from_who_has_no_callee_to_blame(
    onsets: dict[str, int], origin: str
) -> None:
    placed = {NAMES.index(name): onset for name, onset in onsets.items()}
    assert NAMES[probable_origin(graph(), placed)] == origin


def test_what_is_open_when_the_run_ends_is_closed_then() -> None:
    _, joined, services = watch({"store": range(10, 30)}, 20)
    (closed,) = joined.close(services.states)
    assert (closed.state, closed.closed_by) == (IncidentState.CLOSED, IncidentEnd.RUN_ENDED)
    assert closed.end == CLOCK.start_of(20)
