"""Trains candidates for the live model, one at a time, and activates better ones."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml.learning.job import Job
from ml.serving.artefact import ArtefactError
from server.errors import (
    ServerError,
    not_stored,
    nothing_to_learn,
    shutting_down,
    training_needs,
    training_runs,
    unknown_training,
)
from server.learning.model_registry import ModelRegistry
from server.learning.process import TrainingProcess, missing_libraries
from server.learning.training_request import TrainingRequest
from server.store import Store, StoreError, learned_examples, trainings
from server.store.learned_examples import LearnedExperiment
from server.store.trainings import INTERRUPTED, Training, TrainingState

MIN_EXPERIMENTS = 2
"""One to learn from, and the newest one to evaluate on."""
_JOB = "job.json"
_log = logging.getLogger(__name__)


class Trainer:
    """Runs at most one training at a time; safe to use from any thread.

    Parameters
    ----------
    store, models
        Source of examples, and registry of candidates.
    directory
        Working directory of trainings; emptied at the start.
    learn_after
        Number of new experiments after which it starts automatically; None: never.
    """

    def __init__(
        self, store: Store, models: ModelRegistry, directory: Path, learn_after: int | None = None
    ) -> None:
        self._store = store
        self._models = models
        self._directory = directory
        self._learn_after = learn_after
        self._lock = threading.Lock()
        self._running: Training | None = None
        self._ended: Training | None = None
        self._process: TrainingProcess | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        shutil.rmtree(directory, ignore_errors=True)
        ended = datetime.now(UTC)
        if count := store.ask(lambda c: trainings.interrupt(c, ended)):
            _log.warning("%d training was interrupted when the server ended", count)

    def start(self, system: str, request: TrainingRequest) -> Training:
        """Start a training for a system; one runs at a time, of all systems.

        Raises
        ------
        ServerError
            TRAINING_RUNS, TRAINING_UNAVAILABLE, NOTHING_TO_LEARN, SHUTTING_DOWN, or
            STORE_UNAVAILABLE; no training is started then.
        """
        if missing := missing_libraries():
            raise training_needs(missing)
        with self._lock:
            if self._stopping:
                raise shutting_down()
            if self._running is not None:
                raise training_runs(self._running.id)
            experiments = self._store.read(lambda c: learned_examples.newest(c, system))
            if len(experiments) < MIN_EXPERIMENTS:
                raise nothing_to_learn(len(experiments), MIN_EXPERIMENTS)
            options = {**request.options(), "newest_experiment": experiments[0].id}
            base, now = self._models.live(system), datetime.now(UTC)
            try:
                training = self._store.ask(lambda c: trainings.begin(c, system, base, now, options))
            except StoreError as error:
                _log.error("a training is not started: %s", error)
                raise not_stored("no training was started", done=False) from error
            self._running = training
            self._thread = threading.Thread(
                target=self._run,
                args=(training, experiments[::-1], request),
                name="training",
            )
            self._thread.start()
        return training

    def get(self, system: str, number: int | None) -> Training:
        """Get a training for a system, or its latest one with None.

        Raises
        ------
        ServerError
            UNKNOWN_TRAINING.
        """
        for recent in (self._running, self._ended):
            if recent is not None and recent.system == system and number in (None, recent.id):
                return recent
        if number is None:
            found = self._store.read(lambda c: trainings.latest(c, system))
        else:
            found = self._store.read(lambda c: trainings.get(c, number))
        if found is None or found.system != system:
            raise unknown_training(number)
        return found

    def example_added(self, system: str) -> None:
        """React to a new experiment on a system: start a training if there are enough new ones.

        The experiments of an interrupted training count again.
        """
        if self._learn_after is None or self._stopping:
            return
        try:
            last = self._store.read(lambda c: trainings.latest_uninterrupted(c, system))
            after = last.options.get("newest_experiment", 0) if last else 0
            new = self._store.read(lambda c: learned_examples.count(c, system, after))
            if new >= self._learn_after:
                training = self.start(system, TrainingRequest())
                _log.info(
                    "training %d for system %s begins after %d new experiments",
                    training.id, system, new,
                )  # fmt: skip
        except (ServerError, StoreError) as error:
            _log.info("no training yet: %s", error)

    def close(self) -> None:
        """End a running training; it counts as interrupted."""
        with self._lock:
            self._stopping = True
            thread, process = self._thread, self._process
        if process is not None:
            process.kill()
        if thread is not None:
            thread.join()

    def _run(
        self,
        training: Training,
        experiments: Sequence[LearnedExperiment],
        request: TrainingRequest,
    ) -> None:
        try:
            ended = self._train_and_clean_up(training, experiments, request)
        except Exception as error:
            _log.exception("training %d failed", training.id)
            message = "internal error; the log has the details"
            if isinstance(error, ArtefactError):
                message = error.problem
            elif isinstance(error, ServerError | StoreError):
                message = str(error)
            ended = replace(self._latest(training), state=TrainingState.FAILED, message=message)
        if self._stopping and ended.state is TrainingState.FAILED:
            ended = replace(ended, state=TrainingState.INTERRUPTED, message=INTERRUPTED)
        ended = replace(ended, ended=datetime.now(UTC))
        _log.info("training %d has ended, %s: %s", ended.id, ended.state, ended.message)
        try:
            self._store.ask(lambda c: trainings.save(c, ended))
        except Exception:  # whatever it is, the next training must be able to start
            _log.exception("the result of training %d will be lost at a restart", training.id)
        with self._lock:
            self._ended = ended
            self._running, self._process = None, None

    def _train_and_clean_up(
        self,
        training: Training,
        experiments: Sequence[LearnedExperiment],
        request: TrainingRequest,
    ) -> Training:
        """Train, and remove everything except the candidate."""
        work = self._directory / str(training.id)
        output = self._models.unfinished(f"training-{training.id}")
        try:
            return self._train(training, experiments, request, work, output)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            shutil.rmtree(output, ignore_errors=True)

    def _train(
        self,
        training: Training,
        experiments: Sequence[LearnedExperiment],
        request: TrainingRequest,
        work: Path,
        output: Path,
    ) -> Training:
        """Train in another process, and promote or keep the candidate."""
        self._prepare(training, experiments, request, work, output)
        with self._lock:
            if self._stopping:
                return replace(training, state=TrainingState.FAILED)
            self._process = TrainingProcess(work / _JOB)
        outcome: dict[str, Any] = {}
        with closing(self._process) as process:
            for progress in process.events():
                if "stage" in progress:
                    self._update_progress(progress)
                else:
                    outcome = progress
            failed = process.result()
        last = self._latest(training)
        if failed or "version" not in outcome:
            reason = outcome.get("failed") or failed or "it ended without a result"
            return replace(last, state=TrainingState.FAILED, message=str(reason))
        model = self._models.add(output)
        last = replace(
            last,
            stage="done",
            share_done=1.0,
            message=str(outcome["reason"]),
            candidate_version=model.version,
            comparison=outcome["groups"],
        )
        if not outcome["better"]:
            return replace(last, state=TrainingState.KEPT)
        if self._models.live(training.system) != training.base_version:
            return replace(
                last,
                state=TrainingState.KEPT,
                message=f"kept, not made live: another model went live meanwhile. {last.message}",
            )
        reason = f"training {training.id}: {outcome['reason']}"
        self._models.activate(training.system, model.version, reason)
        return replace(last, state=TrainingState.PROMOTED)

    def _prepare(
        self,
        training: Training,
        experiments: Sequence[LearnedExperiment],
        request: TrainingRequest,
        work: Path,
        output: Path,
    ) -> None:
        """Write the job and the examples for the other process."""
        work.mkdir(parents=True)
        files = {}
        for one in experiments:
            if self._stopping:
                break
            content = self._store.read(lambda c, n=one.id: learned_examples.content(c, n))  # type: ignore[misc]
            if content is not None:  # it may have been deleted in favour of a newer one
                files[one.key] = str(work / f"{one.id}.npz")
                Path(files[one.key]).write_bytes(content)
        base = str(self._models.get(training.base_version).directory)
        job = Job(training.id, base, str(output), files, **request.options())
        job.write(work / _JOB)

    def _update_progress(self, progress: dict[str, Any]) -> None:
        """Update the progress; in the store, too, when a stage begins."""
        with self._lock:
            if self._running is None:
                return
            begins = progress["stage"] != self._running.stage
            self._running = noted = replace(
                self._running,
                stage=str(progress["stage"]),
                share_done=float(progress["share_done"]),
                message=str(progress["message"]),
            )
        if begins:
            self._store.offer(lambda c: trainings.save(c, noted))

    def _latest(self, training: Training) -> Training:
        return self._running or training
