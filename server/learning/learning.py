"""Assembles learning mode: recorder, examples, models, trainer."""

from __future__ import annotations

from ml.serving.predictor import Predictor
from server.learning.examples import ExampleWriter
from server.learning.model_registry import ModelRegistry
from server.learning.recorder import ExperimentRecorder
from server.learning.trainer import Trainer
from server.settings import Settings
from server.store import Store
from server.systems.system import System

WORK = "trainings"


class Learning:
    """The parts of learning mode; made before the system that it observes.

    Attributes
    ----------
    recorder
        Records experiments on the system.
    models, trainer
        The models, and the trainer of new ones.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.models = ModelRegistry(settings.model, store.location.models, store)
        work = store.location.data / WORK
        self.trainer = Trainer(store, self.models, work, settings.learn_after)
        self._examples = ExampleWriter(store, self.trainer.example_added)
        self.recorder = ExperimentRecorder(self._examples.write)

    def predictor(self) -> Predictor:
        """Load the model that is live at startup.

        Raises
        ------
        ArtefactError
            If the model of the settings cannot be used.
        """
        return self.models.live_at_start()

    def serve(self, system: System) -> None:
        """Set the system that models are activated for."""
        self.models.serve(system)

    def close(self) -> None:
        """End a running training, and store the recording of an unfinished experiment."""
        self.trainer.close()
        self.recorder.close()
        self._examples.close()
