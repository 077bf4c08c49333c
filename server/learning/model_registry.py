"""The registry of models: all model directories, and the live model."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from ml.serving.artefact import (
    CARD,
    CONFIG,
    LEARNING,
    MANIFEST,
    METRICS,
    ArtefactError,
    Manifest,
)
from ml.serving.predictor import Predictor, read_usable
from server.errors import (
    ServerError,
    not_stored,
    system_not_ready,
    unknown_model,
    unusable_model,
)
from server.store import Store, StoreError, UndecidedError, activations
from server.store.activations import Activation
from server.systems.system import System

UNFINISHED = ".unfinished-"
"""Prefix of a model directory that is being written; no version begins like this."""
MAX_UNUSED = 20
"""Candidates that never went live beyond this number are removed, the oldest first."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model directory.

    Attributes
    ----------
    version
        Unique version.
    directory
        Directory of the model.
    built_in
        Whether it is the model of the settings, not a trained one.
    manifest
        None if it cannot be used.
    problem
        Why it cannot be used; empty if it can.
    """

    version: str
    directory: Path
    built_in: bool
    manifest: Manifest | None
    problem: str = ""

    def text(self, name: str) -> str:
        """Read a file of the model; empty if there is none, or the model cannot be used."""
        if self.manifest is None or name not in self.manifest.checksums:
            return ""
        try:
            return (self.directory / name).read_text("utf-8")
        except OSError:  # it has been removed in the meantime
            return ""

    def report(self, name: str) -> dict[str, Any]:
        """Read its config or metrics; empty like `text`."""
        report: dict[str, Any] = json.loads(self.text(name) or "{}")
        return report

    @property
    def config(self) -> dict[str, Any]:
        """Configuration of its training."""
        return self.report(CONFIG)

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics of its evaluation."""
        return self.report(METRICS)

    @property
    def card(self) -> str:
        """Model card, Markdown; empty like `text`."""
        return self.text(CARD)

    @property
    def created(self) -> datetime:
        """When its directory was completed, wall clock."""
        return datetime.fromtimestamp(self.directory.stat().st_mtime, UTC)


class ModelSwitch(NamedTuple):
    """An activated model, and the version that was live before."""

    model: RegisteredModel
    previous: str


class ModelRegistry:
    """All models, and which one is live for each system; safe to use from any thread.

    Parameters
    ----------
    built_in
        Directory of the model of the settings.
    directory
        Directory of trained models, with one directory per version.
    store
        Stores which models are live.
    """

    def __init__(self, built_in: Path, directory: Path, store: Store) -> None:
        self._built_in = built_in
        self._directory = directory
        self._store = store
        self._lock = threading.Lock()
        self._cache: dict[tuple[Path, int], RegisteredModel] = {}
        self._systems: dict[str, System] = {}
        self._predictors: WeakValueDictionary[str, Predictor] = WeakValueDictionary()
        for leftover in directory.glob(f"{UNFINISHED}*"):
            _log.warning("%s was not finished and is removed", leftover)
            shutil.rmtree(leftover, ignore_errors=True)

    def live_at_start(self, system: str) -> Predictor:
        """Load the model that went live last for a system, or the model of the settings.

        Raises
        ------
        ArtefactError
            If the model of the settings cannot be used.
        """
        built_in = self._load(self._built_in)
        last = self._store.read(lambda c: activations.latest(c, system))
        if last is None or last.version == built_in.manifest.version:
            return built_in
        try:
            return self._load(self._find(last.version).directory)
        except Exception as error:
            _log.error("model %s was live and cannot be used: %s; %s is live instead",
                       last.version, error, built_in.manifest.version)  # fmt: skip
            return built_in

    def serve(self, system_id: str, system: System) -> None:
        """Add a system that models are activated for."""
        self._systems[system_id] = system

    def forget(self, system_id: str) -> None:
        """Remove a system."""
        self._systems.pop(system_id, None)

    def live(self, system_id: str) -> str:
        """Version of the live model of a system."""
        return self._watched(system_id).model_version

    def all_models(self) -> list[RegisteredModel]:
        """List all models, the newest first, the one of the settings last."""
        directories = self._directory.glob("*") if self._directory.exists() else ()
        trained = [self._register(path) for path in directories if not path.name.startswith(".")]
        built_in = self._register(self._built_in)
        others = [model for model in trained if model.version != built_in.version]
        return [*sorted(others, key=lambda m: (m.created, m.version), reverse=True), built_in]

    def get(self, version: str) -> RegisteredModel:
        """Get a model.

        Raises
        ------
        ServerError
            UNKNOWN_MODEL.
        """
        return self._find(version)

    def activate(self, system_id: str, version: str, reason: str) -> ModelSwitch:
        """Activate a model for a system, from the next tick on; the others stay.

        Raises
        ------
        ServerError
            UNKNOWN_MODEL, UNUSABLE_MODEL, or STORE_UNAVAILABLE; the live model stays live then.
        """
        with self._lock:
            system, model = self._watched(system_id), self._find(version)
            try:
                predictor = self._load(model.directory)
            except ArtefactError as error:
                raise unusable_model(version, error.problem) from error
            now = datetime.now(UTC)
            activation = Activation(system_id, version, now, reason)
            try:
                self._store.ask(lambda c: activations.add(c, activation))
            except StoreError as error:
                raise _not_activated(system.model_version, error) from error
            previous = system.model_version
            system.use(predictor)
        _log.info("model %s is live for system %s: %s", version, system_id, reason)
        return ModelSwitch(model, previous)

    def unfinished(self, name: str) -> Path:
        """Choose a directory to write a model to; it does not exist yet."""
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{UNFINISHED}{name}"
        shutil.rmtree(path, ignore_errors=True)
        return path

    def add(self, unfinished: Path) -> RegisteredModel:
        """Check a new model, and register it; the oldest unused candidates are removed.

        Raises
        ------
        ArtefactError
            If the model cannot be used.
        """
        version = Predictor(unfinished).manifest.version
        with self._lock:
            place = self._directory / version
            if place.exists():
                shutil.rmtree(unfinished)  # the same content, so the same model
            else:
                _write_through(unfinished)
                unfinished.rename(place)
                _write_through(self._directory)
            self._remove_unused(version)
            return self._register(place)

    def _remove_unused(self, added: str) -> None:
        """Remove the oldest candidates that never went live, beyond `MAX_UNUSED` of them."""
        live = {system.model_version for system in tuple(self._systems.values())}
        needed = {added, *live, *self._store.read(activations.versions)}
        unused = [m for m in self.all_models() if m.version not in needed and LEARNING in m.config]
        for model in unused[MAX_UNUSED:]:
            _log.info(
                "model %s never went live and is removed in favour of newer ones", model.version
            )
            shutil.rmtree(model.directory, ignore_errors=True)

    def _watched(self, system_id: str) -> System:
        system = self._systems.get(system_id)
        if system is None:
            raise system_not_ready(system_id, "is no longer watched")
        return system

    def _load(self, directory: Path) -> Predictor:
        """Load a model; systems that use the same one share it."""
        version = read_usable(directory).version
        predictor = self._predictors.get(version)
        if predictor is None:
            self._predictors[version] = predictor = Predictor(directory)
        return predictor

    def _find(self, version: str) -> RegisteredModel:
        models = self.all_models()
        for model in models:
            if model.version == version:
                return model
        raise unknown_model(version, [model.version for model in models])

    def _register(self, directory: Path) -> RegisteredModel:
        """Read a model directory, again only if it has changed."""
        try:
            key = (directory, max(p.stat().st_mtime_ns for p in [directory, *directory.iterdir()]))
        except OSError:
            key = (directory, 0)
        if key not in self._cache:
            built_in = directory == self._built_in
            try:
                manifest = read_usable(directory)
                self._cache[key] = RegisteredModel(manifest.version, directory, built_in, manifest)
            except ArtefactError as error:
                self._cache[key] = RegisteredModel(
                    _stated_version(directory), directory, built_in, None, error.problem
                )
        return self._cache[key]


def _write_through(directory: Path) -> None:
    """Have a directory and its files on the disk, so that a model that goes live is still there."""
    for path in (*(one for one in directory.iterdir() if one.is_file()), directory):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_activated(live: str, error: StoreError) -> ServerError:
    _log.error("a model is not activated: %s", error)
    holds = f"model {live} stays live"
    if isinstance(error, UndecidedError):
        holds = f"{holds}, but after a restart the other one may be"
    return not_stored(holds, done=False)


def _stated_version(directory: Path) -> str:
    """Version that an unusable directory states, or its name."""
    try:
        return str(json.loads((directory / MANIFEST).read_text("utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return directory.name
