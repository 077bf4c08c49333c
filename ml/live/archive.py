"""Labelled episodes of a live system as bytes, and back."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable

import numpy as np

from ml.definitions.incidents import Incident
from ml.definitions.labelled import LabelledEpisodes
from ml.features import NAMES
from ml.live.window import discovered

_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile,
           zlib.error)  # fmt: skip
"""Errors that NumPy raises for damaged archives."""


class ExamplesError(ValueError):
    """Stored examples that cannot be learned from."""


def to_bytes(recording: LabelledEpisodes) -> bytes:
    """Pack a live recording: a compressed NumPy archive without pickles."""
    buffer = io.BytesIO()
    events = [(i.service, i.onset, i.end, t) for i, t in _typed(recording)]
    np.savez_compressed(
        buffer,
        system=np.array(recording.name),
        services=np.array(recording.graph.names),
        names=np.array(NAMES),
        features=recording.features[:, 0],
        label=recording.label[:, 0],
        timely=recording.timely[:, 0],
        scored=recording.scored[:, 0],
        incidents=np.array(events, dtype=np.int64).reshape(-1, 4),
    )
    return buffer.getvalue()


def from_bytes(content: bytes) -> LabelledEpisodes:
    """Unpack a live recording.

    Raises
    ------
    ExamplesError
        If it is damaged, or lacks a feature that this version computes.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
        known = {str(name): i for i, name in enumerate(stored["names"])}
        missing = [name for name in NAMES if name not in known]
        if missing:
            raise ExamplesError(f"recorded without the features {', '.join(missing)}")
        columns = [known[name] for name in NAMES]
        events = stored["incidents"].tolist()
        return LabelledEpisodes(
            name=str(stored["system"]),
            graph=discovered(
                str(stored["system"]), tuple(str(name) for name in stored["services"])
            ),
            features=stored["features"][:, None, :, columns],
            label=stored["label"][:, None],
            timely=stored["timely"][:, None],
            scored=stored["scored"][:, None],
            incidents=tuple(Incident(0, service, first, end) for service, first, end, _ in events),
            types=tuple(kind for _, _, _, kind in events),
        )
    except ExamplesError:
        raise
    except _DAMAGED as error:
        raise ExamplesError(f"damaged: {error}") from error


def _typed(recording: LabelledEpisodes) -> Iterable[tuple[Incident, int]]:
    return zip(recording.incidents, recording.types, strict=True)
