"""One live run: a source and its pipeline."""

from __future__ import annotations

import uuid
from datetime import datetime

from ml.serving.predictor import Predictor
from server.pipeline.budgets import SloSettings
from server.pipeline.snapshot import Run
from server.pipeline.stages import Pipeline
from server.ports import SourceFactory


class LiveRun:
    """A live run, warmed up with its past; takes seconds to make for a large system.

    Parameters
    ----------
    system
        Id of the system.
    factory
        Opens the source.
    predictor
        The model.
    slos
        Settings of error budgets.
    now
        Wall clock.

    Attributes
    ----------
    factory, source
        The source of frames, and the factory that opened it.
    pipeline
        The pipeline that processes its frames.
    past
        The latest frames of the past.
    """

    def __init__(
        self,
        system: str,
        factory: SourceFactory,
        predictor: Predictor,
        slos: SloSettings,
        now: datetime,
    ) -> None:
        self.factory = factory
        self.source = factory.open(now)
        frames = self.source.frames
        run_id, name = uuid.uuid4().hex[:12], frames.graph.name
        run = Run(run_id, name, self.source.seed, frames.start_time, system)
        self.pipeline = Pipeline(run, frames.graph, frames.interval_s, predictor, slos)
        for frame in frames.backfill():
            self.pipeline.warm_up(frame)
        self.past = self.pipeline.past
