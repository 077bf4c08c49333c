"""Anomalies: metrics that are off both their recent past and what is usual at the hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ml.features.trends import Baseline
from telemetry.frame import Frame
from telemetry.graph import FloatArray, ServiceGraph
from telemetry.graph_change import GraphChange

METRICS = (
    ("cpu_percent", 2.0, 0.06),
    ("memory_percent", 0.5, 0.02),
    ("latency_ms", 2.0, 0.08),
    ("latency_p95_ms", 4.0, 0.08),
    ("error_rate_percent", 1.0, 0.0),
    ("throughput_rps", 2.0, 0.06),
)
"""What is watched, and its least deviation that counts as normal: absolute, and of its value."""
SLOTS = 48
"""Parts of a day that each have a usual value of their own."""
KNOWN_FRAMES = 300
"""A slot that was seen for so many frames on an earlier day says what is usual in it."""
LEARNING_FRAMES = 30
FROM_Z, UNTIL_Z = 6.0, 3.0
REQUIRED_FRAMES, WINDOW_FRAMES = 3, 5


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One metric of one service that is not as usual.

    Attributes
    ----------
    service, metric
        Whose, and which field of the frame.
    value, expected
        Now, and what would be usual, in the metric's unit.
    deviations
        How many standard deviations it is off, at most 20; negative below.
    since
        When it began, simulated clock.
    """

    service: str
    metric: str
    value: float
    expected: float
    deviations: float
    since: datetime


class AnomalyDetector:
    """Watches the metrics of one system, frame by frame.

    A metric is anomalous when at least 3 of 5 successive values are 6 standard deviations off
    their robust baseline of about 5 minutes and, once the half-hour of the day is known from an
    earlier day, off what is usual in it; until it is back within 3. While it lasts, the baselines
    do not learn from it for as long as it is far off: they clip what they take.
    """

    def __init__(self, graph: ServiceGraph) -> None:
        shape = (len(METRICS), graph.services)
        floors = np.array([floor for _, floor, _ in METRICS])[:, None]
        relative = np.array([share for _, _, share in METRICS])[:, None]
        self._graph = graph
        self._new_baseline = partial(Baseline, shape, floors, relative)
        self._recent = self._new_baseline()
        self._seasonal: dict[int, Baseline] = {}
        self._slot_frames = np.zeros(SLOTS, dtype=np.intp)
        self._slot = -1
        self._known = False
        self._far = np.zeros((WINDOW_FRAMES, *shape), dtype=np.bool_)
        self._anomalous = np.zeros(shape, dtype=np.bool_)
        self._since = np.full(shape, None, dtype=object)
        self._frames = np.zeros(graph.services, dtype=np.intp)

    def update(self, frame: Frame, now: datetime) -> list[Anomaly]:
        """Take copy 0 of a frame; return what is anomalous now, in topology order."""
        values = np.stack([getattr(frame, name)[0] for name, _, _ in METRICS])
        slot = int((now.hour + now.minute / 60.0) * SLOTS / 24.0)
        if slot != self._slot:
            self._slot, self._known = slot, bool(self._slot_frames[slot] >= KNOWN_FRAMES)
        if slot not in self._seasonal:
            self._seasonal[slot] = self._new_baseline()
        seasonal = self._seasonal[slot]
        z, expected = self._recent.deviation(values), self._recent.location
        if self._known:
            usual = seasonal.deviation(values)
            closer = np.abs(usual) < np.abs(z)
            z = np.where(closer, usual, z)
            expected = np.where(closer, seasonal.location, expected)
        z = np.where(np.isnan(z) | (self._frames < LEARNING_FRAMES), 0.0, z)
        expected = expected.copy()
        began = self._judge(z)
        self._since[began] = now
        self._recent.update(values)
        seasonal.update(values)
        self._slot_frames[slot] += 1
        self._frames += 1
        return [
            Anomaly(
                service=self._graph.names[s],
                metric=METRICS[m][0],
                value=float(values[m, s]),
                expected=float(expected[m, s]),
                deviations=float(z[m, s]),
                since=self._since[m, s],
            )
            for s, m in np.argwhere(self._anomalous.T)
        ]

    def change_graph(self, change: GraphChange) -> None:
        """Go on with another graph; of a service that is new nothing is usual yet."""
        shape = (len(METRICS), change.after.services)
        self._graph = change.after
        self._new_baseline = partial(Baseline, shape, *self._new_baseline.args[1:])
        for baseline in (self._recent, *self._seasonal.values()):
            baseline.rearrange(change.of_services)
        self._far = change.of_services(self._far, False)
        self._anomalous = change.of_services(self._anomalous, False)
        self._since = change.of_services(self._since, None)
        self._frames = change.of_services(self._frames, 0)

    def _judge(self, z: FloatArray) -> NDArray[np.bool_]:
        """Begin and end anomalies; return those that begin."""
        self._far = np.concatenate([self._far[1:], (np.abs(z) >= FROM_Z)[None]])
        begins: NDArray[np.bool_] = ~self._anomalous & (self._far.sum(axis=0) >= REQUIRED_FRAMES)
        stays: NDArray[np.bool_] = self._anomalous & (np.abs(z) >= UNTIL_Z)
        self._anomalous = stays | begins
        self._far[:, begins] = False
        return begins
