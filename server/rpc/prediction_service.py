"""`PredictionService`: predictions, alarms, models and trainings."""

from __future__ import annotations

import asyncio

from ml.features.health import health
from server.errors import Violation, invalid
from server.learning.learning import Learning
from server.records.findings import AlarmOutcome
from server.rpc import analysis, convert, incidents, models, paging, times, trainings
from server.rpc.access import Context
from server.rpc.predictions import MAX_ONE_BY_ONE, Predictions
from server.systems.repository import Repository
from server.systems.system import System
from sre_edge.v1 import prediction_service_pb2 as pb


class PredictionServicer:
    """Answers from the latest snapshot of one system, its models, and its stored records."""

    def __init__(self, system: System, learning: Learning, repository: Repository) -> None:
        self._system, self._repository = system, repository
        self._models = learning.models
        self._trainer = learning.trainer
        self._predictions: Predictions | None = None

    async def Predict(self, request: pb.PredictRequest, context: Context) -> pb.PredictResponse:
        """Predict for one service, several, or all, and for the system."""
        latest = self._latest()
        if 0 < len(request.services) <= MAX_ONE_BY_ONE and not request.explain:
            return latest.answer(request)  # faster than handing it to a thread
        return await asyncio.to_thread(latest.answer, request)

    async def GetAnalysis(
        self, request: pb.GetAnalysisRequest, context: Context
    ) -> pb.GetAnalysisResponse:
        """Analyse the state of the services."""
        return await asyncio.to_thread(self._analysis, request)

    async def ListAlarms(
        self, request: pb.ListAlarmsRequest, context: Context
    ) -> pb.ListAlarmsResponse:
        """List alarms, the newest first."""
        return await self._repository.run_blocking(self._alarms, request)

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """List the models."""
        return await asyncio.to_thread(self._list, request)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Describe a model."""
        found = await asyncio.to_thread(self._models.get, request.version)
        return await asyncio.to_thread(models.model_details, found, self._models.live)

    async def ActivateModel(
        self, request: pb.ActivateModelRequest, context: Context
    ) -> pb.ActivateModelResponse:
        """Activate a model."""
        if not request.version:
            raise invalid([Violation("version", "expected the version of a model")])
        return await self._repository.run_blocking(self._activate, request.version)

    async def StartTraining(
        self, request: pb.StartTrainingRequest, context: Context
    ) -> pb.StartTrainingResponse:
        """Start a training."""
        training = await self._repository.run_blocking(
            self._trainer.start, trainings.training_request(request)
        )
        return pb.StartTrainingResponse(training=trainings.training(training))

    async def GetTraining(
        self, request: pb.GetTrainingRequest, context: Context
    ) -> pb.GetTrainingResponse:
        """Describe a training and its progress."""
        found = await self._repository.run_blocking(self._trainer.get, request.id or None)
        return pb.GetTrainingResponse(training=trainings.training(found))

    def _activate(self, version: str) -> pb.ActivateModelResponse:
        changed = self._models.activate(version, "asked for")
        return pb.ActivateModelResponse(
            model=models.model(changed.model, version), previous_version=changed.previous
        )

    def _list(self, request: pb.ListModelsRequest) -> pb.ListModelsResponse:
        shown, token = models.page(self._models.all_models(), request)
        live = self._models.live
        return pb.ListModelsResponse(
            models=[models.model(registered, live) for registered in shown], next_page_token=token
        )

    def _alarms(self, request: pb.ListAlarmsRequest) -> pb.ListAlarmsResponse:
        page = self._repository.alarms(
            incidents.alarm_filter(request),
            paging.position(request.page_token),
            paging.size(request.page_size),
        )
        if not page.records and request.service:
            self._system.latest.indices([request.service])
        undecided = any(found.outcome is AlarmOutcome.PENDING for found in page.records)
        live = {found.id: found for found in self._system.pending_alarms()} if undecided else {}
        return pb.ListAlarmsResponse(
            alarms=[incidents.alarm(live.get(found.id, found)) for found in page.records],
            next_page_token=paging.token(page.next_before),
        )

    def _analysis(self, request: pb.GetAnalysisRequest) -> pb.GetAnalysisResponse:
        snapshot, forecast = self._system.forecast()
        indices = snapshot.indices(request.services)
        names = snapshot.graph.names
        chosen = tuple(range(len(names))) if indices is None else indices
        healthy = health(snapshot.frame, snapshot.graph)[0]
        return pb.GetAnalysisResponse(
            services=[analysis.service(snapshot, forecast, healthy, i) for i in chosen],
            critical_paths=analysis.paths(snapshot),
            anomalies=analysis.anomalies(snapshot, frozenset(names[i] for i in chosen)),
            cursor=convert.cursor(snapshot),
            time=times.timestamp(snapshot.end_time),
        )

    def _latest(self) -> Predictions:
        """Get the predictions of the latest snapshot."""
        snapshot, forecast = self._system.forecast()
        predictions = self._predictions
        if predictions is None or predictions.snapshot is not snapshot:
            self._predictions = predictions = Predictions(snapshot, forecast)
        return predictions
