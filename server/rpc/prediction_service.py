"""`PredictionService`: predictions, alarms, models and trainings."""

from __future__ import annotations

import asyncio

from ml.features.health import health
from server.errors import Violation, invalid
from server.learning.learning import Learning
from server.records.findings import AlarmOutcome
from server.rpc import analysis, convert, incidents, models, paging, times, trainings
from server.rpc.access import Context
from server.rpc.hosted_system import HostedSystem, Systems
from server.rpc.predictions import MAX_ONE_BY_ONE
from server.systems.system import System
from sre_edge.v1 import prediction_service_pb2 as pb


class PredictionServicer:
    """Answers from the latest snapshots of systems, their models, and their stored records."""

    def __init__(self, systems: Systems, learning: Learning) -> None:
        self._systems = systems
        self._models = learning.models
        self._trainer = learning.trainer

    async def Predict(self, request: pb.PredictRequest, context: Context) -> pb.PredictResponse:
        """Predict for one service, several, or all, and for the system."""
        latest = self._systems.get(request.system).predictions()
        if 0 < len(request.services) <= MAX_ONE_BY_ONE and not request.explain:
            return latest.answer(request)  # faster than handing it to a thread
        return await asyncio.to_thread(latest.answer, request)

    async def GetAnalysis(
        self, request: pb.GetAnalysisRequest, context: Context
    ) -> pb.GetAnalysisResponse:
        """Analyse the state of the services."""
        hosted = self._systems.get(request.system)
        return await asyncio.to_thread(_analysis, hosted.system, request)

    async def ListAlarms(
        self, request: pb.ListAlarmsRequest, context: Context
    ) -> pb.ListAlarmsResponse:
        """List alarms, the newest first."""
        hosted = self._systems.get(request.system)
        return await hosted.repository.run_blocking(_alarms, hosted, request)

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        """List the models."""
        hosted = self._systems.get(request.system)
        return await asyncio.to_thread(self._list, hosted.system, request)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Describe a model."""
        live = self._systems.get(request.system).system.model_version
        found = await asyncio.to_thread(self._models.get, request.version or live)
        return await asyncio.to_thread(models.model_details, found, live)

    async def ActivateModel(
        self, request: pb.ActivateModelRequest, context: Context
    ) -> pb.ActivateModelResponse:
        """Activate a model."""
        if not request.version:
            raise invalid([Violation("version", "expected the version of a model")])
        hosted = self._systems.get(request.system)
        return await hosted.repository.run_blocking(self._activate, hosted.id, request.version)

    async def StartTraining(
        self, request: pb.StartTrainingRequest, context: Context
    ) -> pb.StartTrainingResponse:
        """Start a training."""
        hosted = self._systems.get(request.system)
        training = await hosted.repository.run_blocking(
            self._trainer.start, hosted.id, trainings.training_request(request)
        )
        return pb.StartTrainingResponse(training=trainings.training(training))

    async def GetTraining(
        self, request: pb.GetTrainingRequest, context: Context
    ) -> pb.GetTrainingResponse:
        """Describe a training and its progress."""
        hosted = self._systems.get(request.system)
        found = await hosted.repository.run_blocking(
            self._trainer.get, hosted.id, request.id or None
        )
        return pb.GetTrainingResponse(training=trainings.training(found))

    def _activate(self, system: str, version: str) -> pb.ActivateModelResponse:
        changed = self._models.activate(system, version, "asked for")
        return pb.ActivateModelResponse(
            model=models.model(changed.model, version), previous_version=changed.previous
        )

    def _list(self, system: System, request: pb.ListModelsRequest) -> pb.ListModelsResponse:
        shown, token = models.page(self._models.all_models(), request)
        live = system.model_version
        return pb.ListModelsResponse(
            models=[models.model(registered, live) for registered in shown], next_page_token=token
        )


def _alarms(hosted: HostedSystem, request: pb.ListAlarmsRequest) -> pb.ListAlarmsResponse:
    page = hosted.repository.alarms(
        incidents.alarm_filter(request),
        paging.position(request.page_token),
        paging.size(request.page_size),
    )
    if not page.records and request.service:
        hosted.system.latest.indices([request.service])
    undecided = any(found.outcome is AlarmOutcome.PENDING for found in page.records)
    live = {found.id: found for found in hosted.system.pending_alarms()} if undecided else {}
    return pb.ListAlarmsResponse(
        alarms=[incidents.alarm(live.get(found.id, found), hosted.id) for found in page.records],
        next_page_token=paging.token(page.next_before),
    )


def _analysis(system: System, request: pb.GetAnalysisRequest) -> pb.GetAnalysisResponse:
    snapshot, forecast = system.forecast()
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
