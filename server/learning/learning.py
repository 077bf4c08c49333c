"""Assembles learning mode: recorders, examples, models, trainer."""

from __future__ import annotations

from functools import partial

from server.learning.examples import ExampleWriter
from server.learning.model_registry import ModelRegistry
from server.learning.recorder import ExperimentRecorder
from server.learning.trainer import Trainer
from server.settings import Settings
from server.store import Store
from server.systems.system import System

WORK = "trainings"


class Learning:
    """The parts of learning mode, for all systems; made before the first of them.

    Attributes
    ----------
    models, trainer
        The models, and the trainer of new ones.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.models = ModelRegistry(settings.model, store.location.models, store)
        work = store.location.data / WORK
        self.trainer = Trainer(store, self.models, work, settings.learn_after)
        self._examples = ExampleWriter(store, self.trainer.example_added)
        self._recorders: dict[str, ExperimentRecorder] = {}

    def recorder(self, system_id: str) -> ExperimentRecorder:
        """Make what records experiments on a system."""
        recorder = ExperimentRecorder(partial(self._examples.write, system_id))
        self._recorders[system_id] = recorder
        return recorder

    def serve(self, system_id: str, system: System) -> None:
        """Add a system that models are activated for."""
        self.models.serve(system_id, system)

    def forget(self, system_id: str) -> None:
        """Remove a system; the recording of an unfinished experiment is stored."""
        self.models.forget(system_id)
        if recorder := self._recorders.pop(system_id, None):
            recorder.close()

    def close(self) -> None:
        """End a running training, and store the recordings of unfinished experiments."""
        self.trainer.close()
        for recorder in tuple(self._recorders.values()):
            recorder.close()
        self._examples.close()
