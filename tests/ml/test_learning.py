"""Learning mode without a server: examples, the trees to go on from, the comparison."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ml.definitions.breach import breached
from ml.definitions.incidents import Incident, incidents
from ml.definitions.labels import labels
from ml.episodes.recording import FIRST_SCORED, LAST_SCORED, Recording, record
from ml.evaluation.pool import Scored
from ml.features import LEARNED, NAMES, FeatureExtractor
from ml.learning.booster import ContinueError, booster
from ml.learning.comparison import LIVE, Pair, judged
from ml.learning.job import split
from ml.live.archive import ExamplesError, from_bytes, to_bytes
from ml.live.window import COMPLETE_FRAMES, LiveWindow, labelled, neighbourhood
from ml.serving.artefact import INCIDENT_MODEL, MANIFEST, SHIPPED
from ml.serving.predictor import Predictor
from ml.training.dataset import LEARNED_COLUMNS
from ml.training.export import trees
from simulator.dynamics.load import Load
from simulator.faults.scenario import Scenario
from simulator.simulation import Simulation
from simulator.topologies import shipped
from telemetry.faults import Fault, FaultKind

BOUTIQUE = shipped("boutique")
SCENARIO = Scenario(
    "two-faults", 1320.0, Load(),
    (
        Fault("cart", FaultKind.SERVICE_KILL, 300.0, 90.0, intensity=1.0, ramp_s=40.0),
        Fault("checkout", FaultKind.NETWORK_LATENCY, 520.0, 60.0, intensity=1.5),
    ),
)  # fmt: skip


def seen_live(kept: list[int], first: int, last: int) -> LiveWindow:
    """Look at frames `first` to `last` of the scenario as the server's recorder does."""
    simulation = Simulation(BOUTIQUE, seed=5, loads=[SCENARIO.load])
    for fault in SCENARIO.faults:
        simulation.inject(fault)
    graph, extractor = simulation.graph, FeatureExtractor(BOUTIQUE.graph(), 1)
    breaches, features, truths = [], [], []
    for k in range(last):
        frame = simulation.next_frame()
        clock = [datetime(2026, 1, 5) + timedelta(hours=SCENARIO.load.hour, seconds=frame.t_s)]
        row = extractor.update(frame, clock)[0]
        breaches.append(breached(frame, graph))
        if k >= first:
            features.append(row[kept].astype(np.float32))
            truths.append(simulation.truth.of(np.array(kept)))
    found = incidents(np.stack(breaches))
    return LiveWindow(
        system=BOUTIQUE.name,
        names=tuple(graph.names[i] for i in kept),
        indices=np.array(kept, dtype=np.intp),
        features=np.stack(features),
        incidents=tuple(replace(i, onset=i.onset - first, end=i.end - first) for i in found),
        truths=truths,
    )


@pytest.fixture(scope="module")
def recorded() -> Recording:
    return record(BOUTIQUE, [SCENARIO], 5)


def test_live_frames_are_labelled_as_training_labels_them(recorded: Recording) -> None:
    kept = [0, *range(2, BOUTIQUE.graph().services)]
    found = labelled(seen_live(kept, FIRST_SCORED, LAST_SCORED + COMPLETE_FRAMES))
    assert found is not None
    assert recorded.incidents
    assert found.label.shape == (LAST_SCORED - FIRST_SCORED, 1, len(kept))
    np.testing.assert_array_equal(found.features, recorded.features[:, :, kept])
    for name in ("label", "timely", "scored"):
        np.testing.assert_array_equal(getattr(found, name), getattr(recorded, name)[:, :, kept])
    expected = [
        (kept.index(i.service), i.onset, kind)
        for i, kind in zip(recorded.incidents, recorded.types, strict=True)
        if i.service in kept
    ]
    got = [(i.service, i.onset, k) for i, k in zip(found.incidents, found.types, strict=True)]
    assert got == expected


def test_frames_whose_future_is_not_known_are_left_out(recorded: Recording) -> None:
    onset = min(incident.onset for incident in recorded.incidents) + FIRST_SCORED
    first, last = onset - 40, onset + 10
    found = labelled(seen_live([0, 1, 2], first, last))
    assert found is None  # 12 frames are too few
    every = list(range(BOUTIQUE.graph().services))
    found = labelled(seen_live(every, first - 20, last))
    assert found is not None
    assert len(found.label) == 70 - COMPLETE_FRAMES
    assert found.label.any()
    assert not found.incidents  # none begins in the frames that are kept


def test_an_incident_from_before_is_neither_label_nor_scored(recorded: Recording) -> None:
    incident = max(recorded.incidents, key=lambda i: i.end - i.onset)
    first = incident.onset + FIRST_SCORED + 6
    found = labelled(seen_live([incident.service], first, first + 100))
    assert found is not None
    assert not found.scored[0, 0, 0]
    assert all(i.onset > 0 for i in found.incidents)


def test_examples_are_packed_without_loss_and_damage_is_said() -> None:
    found = labelled(seen_live([1, 4], FIRST_SCORED, LAST_SCORED))
    assert found is not None
    content = to_bytes(found)
    again = from_bytes(content)
    for name in ("features", "label", "timely", "scored"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert (again.name, again.graph.names) == (found.name, found.graph.names)
    assert (again.incidents, again.types) == (found.incidents, found.types)
    for wrong in (content[:-50], b"", b"nonsense"):
        with pytest.raises(ExamplesError):
            from_bytes(wrong)


def test_examples_of_another_version_are_mapped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = labelled(seen_live([1], FIRST_SCORED, FIRST_SCORED + 80))
    assert found is not None
    content = to_bytes(found)
    monkeypatch.setattr("ml.live.archive.NAMES", NAMES[::-1])
    np.testing.assert_array_equal(from_bytes(content).features, found.features[..., ::-1])
    monkeypatch.setattr("ml.live.archive.NAMES", (*NAMES, "phase_of_the_moon"))
    with pytest.raises(ExamplesError, match="without the features phase_of_the_moon"):
        from_bytes(content)


def test_what_is_nearest_to_a_fault_is_kept() -> None:
    graph = shipped("deep-chain").graph()
    middle = graph.names[len(graph.names) // 2]
    near = neighbourhood(graph, [middle], 3)
    assert [abs(int(i) - graph.index[middle]) for i in near] == [1, 0, 1]
    assert len(neighbourhood(graph, [middle], 1000)) == graph.services


def test_training_goes_on_from_the_very_trees_of_a_model() -> None:
    rebuilt = booster(SHIPPED)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, len(NAMES))) * rng.choice([1.0, 10.0, 100.0], len(NAMES))
    rows[rng.random(rows.shape) < 0.2] = np.nan
    predictor = Predictor(SHIPPED)
    raw = rebuilt.inplace_predict(rows[:, LEARNED_COLUMNS].astype(np.float32)).astype(np.float64)
    calibration = predictor.manifest.calibration
    logit = calibration.a * np.log(raw) - calibration.b * np.log1p(-raw) + calibration.c
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-logit)), predictor.probability(rows), atol=1e-5)
    assert len(trees(rebuilt)["trees"]) == rebuilt.num_boosted_rounds()
    assert (SHIPPED / INCIDENT_MODEL).exists()
    assert rebuilt.num_features() == len(LEARNED)


def test_training_does_not_go_on_from_a_model_of_other_features(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "model")
    path = tmp_path / "model" / MANIFEST
    stated = json.loads(path.read_text())
    path.write_text(json.dumps({**stated, "features": stated["features"][:-1]}))
    with pytest.raises(ContinueError, match="train one from scratch: python -m ml train"):
        booster(tmp_path / "model")


def test_whole_newest_experiments_are_for_the_comparison() -> None:
    assert split("ab", []) == (("a",), (), ("b",))
    first = split("abcdefghijkl", [])
    assert first == (tuple("abcefgi"), tuple("dh"), tuple("jkl"))
    later = split("abcdefghijklmn", [*first.learned, *first.checked])
    assert later.compared == ("m", "n")  # of five that the live model does not know
    assert not {*later.compared} & {*first.learned, *first.checked, *later.learned, *later.checked}
    assert split("abc", "abc") == (tuple("abc"), (), ())
    assert len(split([str(n) for n in range(1000)], []).compared) == 20


FRAMES, SERVICES = 200, 2


def recording(copies: int, seed: int) -> Recording:
    """Make episodes with an incident in every second series, without simulating anything."""
    rng = np.random.default_rng(seed)
    found = tuple(
        Incident(copy, 0, onset, onset + 20)
        for copy in range(copies)
        for onset in (int(rng.integers(60, 160)),)
    )
    shape = (FRAMES, copies, SERVICES)
    base = labelled_graph()
    return replace(
        base,
        features=np.zeros((*shape, 0), np.float32),
        label=labels(shape, found),
        timely=labels(shape, found, 3),
        scored=np.ones(shape, np.bool_),
        incidents=found,
        types=(0,) * len(found),
    )


def labelled_graph() -> Recording:
    return Recording("made", shipped("default").graph(), *(np.empty(0),) * 4, (), ())  # type: ignore[arg-type]


def said(of: Recording, seed: int, recall: float, sure: float = 0.7) -> Scored:
    """Say what a model might: `sure` before a share of the incidents, little elsewhere."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.0, 0.02, of.label.shape)
    for incident in of.incidents:
        if rng.random() < recall:
            score[incident.onset - 15 : incident.onset, incident.copy, incident.service] = sure
    return Scored(of, score)


def pair(copies: int, seed: int, recall: float, sure: float = 0.7) -> Pair:
    of = recording(copies, seed)
    return Pair([said(of, 1, 0.3)], [said(of, 2, recall, sure)])


NOTHING = Pair([], [])


def test_a_better_candidate_goes_live() -> None:
    verdict = judged(pair(60, 0, 0.8), pair(6, 1, 0.8))
    assert verdict.better
    assert verdict.reason.startswith("better, and as well calibrated. At 0.5 false alarms")
    figures = verdict.groups["all"]
    assert figures["recall"]["ci"][0] > 0.1
    assert (figures["episodes"], figures["incidents"]) == (66, 66)
    assert verdict.groups[LIVE]["episodes"] == 6


def test_one_that_is_no_better_is_kept_with_the_reason() -> None:
    verdict = judged(pair(60, 0, 0.32), NOTHING)
    assert not verdict.better
    assert "interval of its gain does not lie above zero" in verdict.reason
    assert LIVE not in verdict.groups
    same = pair(20, 0, 0.3)
    assert not judged(Pair(same.current, same.current), NOTHING).better


def test_one_that_is_worse_calibrated_is_kept() -> None:
    verdict = judged(pair(60, 0, 0.8, sure=0.1), NOTHING)
    assert verdict.groups["all"]["recall"]["ci"][0] > 0.1
    assert not verdict.better
    assert "calibration error is worse" in verdict.reason


def test_calibration_is_not_compared_with_a_model_that_says_nothing() -> None:
    of = recording(60, 0)
    verdict = judged(Pair([said(of, 1, 0.0)], [said(of, 2, 0.8)]), NOTHING)
    assert verdict.groups["all"]["ece"] is None
    assert verdict.better


def test_one_that_foresees_less_on_the_live_system_is_kept() -> None:
    live = recording(20, 3)
    worse = Pair([said(live, 1, 0.9)], [said(live, 2, 0.1)])
    verdict = judged(pair(200, 0, 0.9), worse)
    assert verdict.groups["all"]["recall"]["ci"][0] > 0.0
    assert not verdict.better
    assert "it foresees less on the newest live experiments" in verdict.reason


def test_an_experiment_of_which_no_row_is_scored_does_not_end_the_comparison() -> None:
    of = recording(1, 5)
    of = replace(of, scored=np.zeros_like(of.scored))
    verdict = judged(pair(60, 0, 0.8), Pair([said(of, 1, 0.3)], [said(of, 2, 0.3)]))
    assert verdict.groups[LIVE]["episodes"] == 1
    assert verdict.groups[LIVE]["ece"] is None
    assert verdict.better


def test_experiments_of_different_lengths_are_compared_together() -> None:
    long = recording(3, 4)
    short = replace(
        long, label=long.label[:170], timely=long.timely[:170], scored=long.scored[:170],
        incidents=tuple(i for i in long.incidents if i.onset < 150),
        types=(0,) * sum(i.onset < 150 for i in long.incidents),
    )  # fmt: skip
    both = Pair(
        [said(long, 1, 0.5), said(short, 1, 0.5)], [said(long, 2, 1.0), said(short, 2, 1.0)]
    )
    figures = judged(pair(10, 0, 0.8), both).groups[LIVE]
    assert figures["episodes"] == 6
    assert figures["recall"]["candidate"] == 1.0
