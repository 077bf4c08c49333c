"""A model on disk: two ONNX files and their metadata in JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ml.definitions.labels import HORIZON_S

FORMAT = 4
MANIFEST, CONFIG, METRICS, CARD = "manifest.json", "config.json", "metrics.json", "card.md"
INCIDENT_MODEL, TYPE_MODEL = "incident.onnx", "type.onnx"
LOGISTIC, TREES, CASCADE = "logistic_regression.json", "trees.json", "cascade.json"
FEATURE_TABLE = "features.md"
REQUIRED_FILES = (INCIDENT_MODEL, TYPE_MODEL, LOGISTIC, TREES, CASCADE, FEATURE_TABLE, CONFIG)
REPORT_FILES = (METRICS, CARD)
"""Reports on the quality of a model: written after its evaluation, and checked from then on."""

LEARNING = "learning"
"""Key in the config of a model of learning mode: its base model and its further training data."""

SHIPPED = Path(__file__).parents[1] / "models" / "shipped"


class ArtefactError(ValueError):
    """A model directory that cannot be used.

    Parameters
    ----------
    place
        The directory, or the file in it.
    problem
        What is wrong with it.

    Attributes
    ----------
    problem
        The same without the path of the directory, for people who may not know it.
    """

    def __init__(self, place: Path, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.problem = f"{place.name}: {problem}"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Beta calibration: logit q = a log p - b log(1 - p) + c (Kull et al., 2017).

    For rows that are not active the trees are not evaluated: q is `quiet`.
    """

    a: float
    b: float
    c: float
    quiet: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is needed to use a model.

    Attributes
    ----------
    version
        Unique version; follows from everything that predictions and alarms depend on: the ONNX
        files, the spread of failures, the calibration, and the threshold.
    features
        Names of the inputs, in order.
    types
        Names of the incident types, in the order of the second model's outputs.
    calibration
        From the first model's probability to a calibrated one; its output is the log-odds.
    threshold
        Probability at which an alarm is raised.
    horizon_s
        How far the model looks ahead, seconds.
    checksums
        SHA-256 of each file.
    """

    version: str
    features: tuple[str, ...]
    types: tuple[str, ...]
    calibration: Calibration
    threshold: float
    horizon_s: float
    checksums: dict[str, str]


def write_manifest(
    directory: Path,
    features: tuple[str, ...],
    types: tuple[str, ...],
    calibration: Calibration,
    threshold: float,
) -> Manifest:
    """Complete a model directory that holds the ONNX files, and whatever else there is by now."""
    checksums = {
        n: _checksum(directory / n)
        for n in (*REQUIRED_FILES, *REPORT_FILES)
        if (directory / n).exists()
    }
    files = [checksums[name] for name in (INCIDENT_MODEL, TYPE_MODEL, CASCADE)]
    identity = json.dumps([*files, asdict(calibration), threshold])
    content = hashlib.sha256(identity.encode()).hexdigest()
    manifest = Manifest(
        version=f"{FORMAT}-{content[:12]}",
        features=features,
        types=types,
        calibration=calibration,
        threshold=threshold,
        horizon_s=HORIZON_S,
        checksums=checksums,
    )
    write_json(directory / MANIFEST, {"format": FORMAT, **asdict(manifest)})
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """Read and check a model directory.

    Raises
    ------
    ArtefactError
        If a file is missing, changed, or of another format.
    """
    try:
        stated = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        if (found := stated.pop("format")) != FORMAT:
            raise ArtefactError(directory, f"expected a model of format {FORMAT}, got {found}")
        manifest = Manifest(
            **{
                **stated,
                "features": tuple(stated["features"]),
                "types": tuple(stated["types"]),
                "calibration": Calibration(**stated["calibration"]),
            }
        )
        missing = [name for name in REQUIRED_FILES if name not in manifest.checksums]
        if missing:
            raise ArtefactError(directory, f"expected checksums of {', '.join(missing)}")
        for name, checksum in manifest.checksums.items():
            if _checksum(directory / name) != checksum:
                raise ArtefactError(directory / name, "differs from what was trained")
    except OSError as error:
        raise ArtefactError(directory, f"expected a model: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ArtefactError):
            raise
        raise ArtefactError(directory / MANIFEST, f"expected a manifest: {error}") from error
    return manifest


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_compact_json(path: Path, value: Any) -> None:
    """Write a value as JSON that nobody reads."""
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
