"""A recording of a system as one episode: what happened in it is known, its types are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ml.definitions.breach import breached
from ml.definitions.incidents import WINDOW_FRAMES, Incident, incidents
from ml.definitions.labelled import UNKNOWN_TYPE
from ml.definitions.labels import HORIZON_FRAMES, MIN_LEAD_FRAMES, labels, unscored
from ml.episodes.recording import Recording
from ml.features import NAMES, FeatureExtractor
from ml.features.extractor import WARM_UP_FRAMES
from telemetry.frame import FRAME_INTERVAL_S
from telemetry.recordings import reading, recording
from telemetry.recordings.reading import RecordingError
from telemetry.recordings.specification import RecordedFault

AFTERWARDS_S = 30.0
"""A fault is the cause of onsets for so long after its end, too."""


def read_episode(directory: Path) -> Recording:
    """Read a recording as an episode.

    What is scored begins with the first frame that is not the past, once the model has a
    baseline. Rows whose future is not in the recording as a whole are not scored, unless an
    incident follows in it.

    Raises
    ------
    RecordingError
        If it cannot be used, or evaluated.
    """
    read = reading.read_recording(directory)
    first = max(read.backfill, WARM_UP_FRAMES)
    _check(directory, read, first)
    extractor = FeatureExtractor(read.graph(0), 1, read.interval_s)
    shape = (read.frames, 1, read.graph(0).services)
    features = np.empty((*shape, len(NAMES)), dtype=np.float32)
    bad = np.zeros(shape, dtype=np.bool_)
    for number in range(read.frames):
        frame = read.frame(number)
        bad[number] = breached(frame, read.graph(0))
        features[number] = extractor.update(frame, [read.time(number)], bad[number])
    happened = incidents(bad)
    known = np.arange(read.frames)[:, None, None] < read.frames - HORIZON_FRAMES - WINDOW_FRAMES
    label = labels(shape, happened)
    counted = [incident for incident in happened if incident.onset >= first]
    return Recording(
        name=read.name,
        graph=read.graph(0),
        features=features[first:],
        label=label[first:],
        timely=labels(shape, happened, MIN_LEAD_FRAMES + 1)[first:],
        scored=(~unscored(shape, happened) & (known | label))[first:],
        incidents=tuple(replace(i, onset=i.onset - first, end=i.end - first) for i in counted),
        types=(UNKNOWN_TYPE,) * len(counted),
        causes=tuple(_cause(incident, read.faults) for incident in counted),
        start_s=first * FRAME_INTERVAL_S,
    )


def _check(directory: Path, read: recording.Recording, first: int) -> None:
    problem = ""
    if read.interval_s != FRAME_INTERVAL_S:
        problem = f"intervals of {FRAME_INTERVAL_S:g} s, got {read.interval_s:g} s"
    elif any(read.graph(number) is not read.graph(0) for number in range(read.frames)):
        problem = "one topology, got a recording whose topology changes"
    elif read.frames <= first + MIN_LEAD_FRAMES:
        least = first + MIN_LEAD_FRAMES + 1
        problem = (
            f"at least {least} intervals, of which {first} teach what is normal, got {read.frames}"
        )
    if problem:
        raise RecordingError([f"{directory}: expected, to evaluate on it, {problem}"])


def _cause(incident: Incident, faults: Sequence[RecordedFault]) -> RecordedFault | None:
    """Find the fault that an onset follows, the latest that began; None of a spontaneous one."""
    onset_s = incident.onset * FRAME_INTERVAL_S
    acting = [fault for fault in faults if fault.start_s <= onset_s <= fault.end_s + AFTERWARDS_S]
    return max(acting, key=lambda fault: fault.start_s, default=None)
