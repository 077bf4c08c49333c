"""One run while it goes: a source, and the pipeline that follows it."""

from __future__ import annotations

import uuid
from datetime import datetime

from ml.serving.predictor import Predictor
from server.pipeline.budgets import SloSettings
from server.pipeline.snapshot import Run
from server.pipeline.stages import Pipeline
from server.ports import SourceFactory


class LiveRun:
    """A run whose past is known; takes seconds to make for a large system.

    Parameters
    ----------
    factory
        Opens the source.
    predictor
        The model.
    slos
        How budgets are followed.
    now
        Wall clock.

    Attributes
    ----------
    factory, source
        What is observed, and who opened it.
    pipeline
        What follows it.
    """

    def __init__(
        self, factory: SourceFactory, predictor: Predictor, slos: SloSettings, now: datetime
    ) -> None:
        self.factory = factory
        self.source = factory.open(now)
        frames = self.source.frames
        run = Run(uuid.uuid4().hex[:12], frames.graph.name, self.source.seed, frames.start_time)
        self.pipeline = Pipeline(run, frames.graph, frames.interval_s, predictor, slos)
        for frame in frames.backfill():
            self.pipeline.warm_up(frame)
