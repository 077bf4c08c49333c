"""`PredictionService`: what the model expects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np

from ml.factors import Factor, top_factors
from ml.features.health import health
from ml.risk import MEDIUM_FROM
from server import forecaster
from server.engine import Engine
from server.errors import Violation, invalid
from server.journal import Journal
from server.learning.learning import Learning
from server.rpc import analysis, convert, incidents, learned, paging, times
from server.rpc.access import Context
from server.snapshot import Forecast, Snapshot
from server.watch.records import AlarmOutcome
from simulator.graph import FloatArray
from sre_edge.v1 import prediction_service_pb2 as pb

MOST_EXPLAINED = 64
MOST_AT_ONCE = 8
"""Services that are predicted for on the event loop; more of them get a thread."""


Expected = tuple[int, float, FloatArray | None]
"""A service, the probability of its incident and, at risk, that of each type."""


def expected(forecast: Forecast, services: Sequence[int]) -> Iterator[Expected]:
    """Ask the model for some services; a few of them one by one, which takes less time."""
    model, rows, moved, ongoing = (
        forecast.predictor, forecast.rows, forecast.moved, forecast.ongoing
    )  # fmt: skip
    if len(services) > MOST_AT_ONCE:
        chosen = np.array(services)
        found = forecaster.expected(model, rows[chosen], moved[chosen], ongoing[chosen])
        for service, probability, types in zip(services, found[0].tolist(), found[1], strict=True):
            yield service, probability, types if probability >= MEDIUM_FROM else None
        return
    for service in services:
        row = rows[service : service + 1]
        if ongoing[service]:
            probability = 1.0
        elif moved[service]:
            probability = model.probability_of_row(row)
        else:
            probability = model.manifest.calibration.quiet
        yield (
            service,
            probability,
            model.types_of_rows(row)[0] if probability >= MEDIUM_FROM else None,
        )


class PredictionServicer:
    """Answers from the latest snapshot of one engine, of its models, and of what was kept."""

    def __init__(self, engine: Engine, learning: Learning, journal: Journal) -> None:
        self._engine, self._journal = engine, journal
        self._models = learning.models
        self._trainer = learning.trainer
        self._frame: tuple[Snapshot, pb.PredictResponse] | None = None

    async def Predict(self, request: pb.PredictRequest, context: Context) -> pb.PredictResponse:
        """Predict for one service, several, or all, and for the system."""
        if 0 < len(request.services) <= MOST_AT_ONCE and not request.explain:
            return self._answer(request)  # takes less time than a thread would
        return await asyncio.to_thread(self._answer, request)

    async def GetAnalysis(
        self, request: pb.GetAnalysisRequest, context: Context
    ) -> pb.GetAnalysisResponse:
        """Say how the services stand."""
        return await asyncio.to_thread(self._analysis, request)

    async def ListAlarms(
        self, request: pb.ListAlarmsRequest, context: Context
    ) -> pb.ListAlarmsResponse:
        """List alarms, the newest first."""
        return await self._journal.aside(self._alarms, request)

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """List the models."""
        return await asyncio.to_thread(self._list, request)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Describe a model."""
        found = await asyncio.to_thread(self._models.get, request.version)
        return await asyncio.to_thread(learned.described, found, self._models.live)

    async def ActivateModel(
        self, request: pb.ActivateModelRequest, context: Context
    ) -> pb.ActivateModelResponse:
        """Make a model live."""
        if not request.version:
            raise invalid([Violation("version", "expected the version of a model")])
        return await self._journal.aside(self._activate, request.version)

    async def StartTraining(
        self, request: pb.StartTrainingRequest, context: Context
    ) -> pb.StartTrainingResponse:
        """Begin a training."""
        begun = await self._journal.aside(self._trainer.start, learned.order(request))
        return pb.StartTrainingResponse(training=learned.training(begun))

    async def GetTraining(
        self, request: pb.GetTrainingRequest, context: Context
    ) -> pb.GetTrainingResponse:
        """Say how far a training is."""
        found = await self._journal.aside(self._trainer.get, request.id or None)
        return pb.GetTrainingResponse(training=learned.training(found))

    def _activate(self, version: str) -> pb.ActivateModelResponse:
        changed = self._models.activate(version, "asked for")
        return pb.ActivateModelResponse(
            model=learned.model(changed.model, version), previous_version=changed.previous
        )

    def _list(self, request: pb.ListModelsRequest) -> pb.ListModelsResponse:
        shown, token = learned.page(self._models.known(), request)
        live = self._models.live
        return pb.ListModelsResponse(
            models=[learned.model(known, live) for known in shown], next_page_token=token
        )

    def _alarms(self, request: pb.ListAlarmsRequest) -> pb.ListAlarmsResponse:
        page = self._journal.alarms(
            incidents.wanted_alarms(request),
            paging.place(request.page_token),
            paging.size(request.page_size),
        )
        if not page.records and request.service:
            self._engine.run.indices([request.service])
        undecided = any(found.outcome is AlarmOutcome.PENDING for found in page.records)
        live = {found.id: found for found in self._engine.pending_alarms()} if undecided else {}
        return pb.ListAlarmsResponse(
            alarms=[incidents.alarm(live.get(found.id, found)) for found in page.records],
            next_page_token=paging.token(page.next_before),
        )

    def _analysis(self, request: pb.GetAnalysisRequest) -> pb.GetAnalysisResponse:
        taken, forecast = self._engine.forecast()
        wanted = taken.run.indices(request.services)
        names = taken.run.graph.names
        chosen = tuple(range(len(names))) if wanted is None else wanted
        healthy = health(taken.frame, taken.run.graph)[0]
        return pb.GetAnalysisResponse(
            services=[analysis.service(taken, forecast, healthy, i) for i in chosen],
            critical_paths=analysis.paths(taken),
            anomalies=analysis.anomalies(taken, frozenset(names[i] for i in chosen)),
            cursor=convert.cursor(taken),
            time=times.timestamp(taken.end_time),
        )

    def _answer(self, request: pb.PredictRequest) -> pb.PredictResponse:
        taken, forecast = self._engine.forecast()
        wanted = taken.run.indices(request.services)
        chosen = tuple(range(taken.run.graph.services)) if wanted is None else wanted
        answer = pb.PredictResponse()
        answer.CopyFrom(self._same_for_all(taken, forecast))
        reasons = _reasons(taken, forecast, chosen) if request.explain else {}
        make, with_features = answer.predictions.add, request.include_features
        for i, likely, types in expected(forecast, chosen):
            factors = reasons.get(i, ())
            message = convert.prediction(make, taken, forecast, i, likely, types, factors)
            if with_features:
                convert.add_features(message, forecast.features[i])
        return answer

    def _same_for_all(self, taken: Snapshot, forecast: Forecast) -> pb.PredictResponse:
        """Give what every answer from one snapshot says, whatever services are asked for."""
        frame = self._frame
        if frame is None or frame[0] is not taken:
            answer = pb.PredictResponse(
                system=convert.system_prediction(taken, forecast),
                cursor=convert.cursor(taken),
                time=times.timestamp(taken.end_time),
            )
            self._frame = frame = taken, answer
        return frame[1]


def _reasons(
    taken: Snapshot, forecast: Forecast, services: tuple[int, ...]
) -> dict[int, list[Factor]]:
    """Find the strongest reasons for the prediction of each service.

    Raises
    ------
    ServerError
        INVALID_FIELD, for too many services.
    """
    if len(services) > MOST_EXPLAINED:
        raise invalid(
            [
                Violation(
                    "explain",
                    f"expected at most {MOST_EXPLAINED} services at a time, got {len(services)}: "
                    "name them in `services`",
                )
            ]
        )
    model = forecast.predictor
    contributions = model.contributions(forecast.features[list(services)])
    return {
        service: top_factors(
            taken.run.graph, taken.frame, forecast.features, service, model.manifest.features, row
        )
        for service, row in zip(services, contributions, strict=True)
    }
