"""`ChaosService`: faults, scenarios, experiments and the kill switch."""

from __future__ import annotations

import asyncio

from server.errors import Violation, invalid, unknown_experiment
from server.records.experiments import Experiment, ExperimentState, InjectedFault
from server.rpc import experiments, faults, paging
from server.rpc.access import Context
from server.systems.repository import Repository
from server.systems.system import System
from sre_edge.v1 import chaos_service_pb2 as pb


class ChaosServicer:
    """Injects faults into one system, and answers from its experiments."""

    def __init__(self, system: System, repository: Repository) -> None:
        self._system, self._repository = system, repository

    async def InjectChaos(
        self, request: pb.InjectChaosRequest, context: Context
    ) -> pb.InjectChaosResponse:
        """Inject a fault."""
        fault = faults.requested(request)
        experiment = await asyncio.to_thread(self._system.inject, fault, request.request_id)
        await self._repository.flush_async()
        return pb.InjectChaosResponse(fault=faults.fault(experiment.faults[0]))

    async def StopChaos(
        self, request: pb.StopChaosRequest, context: Context
    ) -> pb.StopChaosResponse:
        """End one fault, those of an experiment, or all."""
        stopped = await asyncio.to_thread(self._stop, request)
        if request.kill_switch:
            await self._repository.flush_async()
        return pb.StopChaosResponse(stopped=[faults.fault(fault) for fault in stopped])

    async def LiftKillSwitch(
        self, request: pb.LiftKillSwitchRequest, context: Context
    ) -> pb.LiftKillSwitchResponse:
        """Accept faults again."""
        engaged = self._system.kill_switch
        await asyncio.to_thread(self._system.set_kill_switch, False)
        await self._repository.flush_async()
        return pb.LiftKillSwitchResponse(lifted=engaged)

    async def RunScenario(
        self, request: pb.RunScenarioRequest, context: Context
    ) -> pb.RunScenarioResponse:
        """Run a scenario, starting now."""
        experiment = await asyncio.to_thread(
            self._system.run_scenario, request.document, request.request_id
        )
        await self._repository.flush_async()
        return pb.RunScenarioResponse(experiment=experiments.experiment(experiment))

    async def ListExperiments(
        self, request: pb.ListExperimentsRequest, context: Context
    ) -> pb.ListExperimentsResponse:
        """List experiments, the newest first."""
        return await self._repository.run_blocking(self._list, request)

    async def GetExperiment(
        self, request: pb.GetExperimentRequest, context: Context
    ) -> pb.GetExperimentResponse:
        """Describe an experiment and its outcome."""
        found = await self._repository.run_blocking(self._get, request.experiment_id)
        return pb.GetExperimentResponse(experiment=experiments.experiment(found))

    def _stop(self, request: pb.StopChaosRequest) -> list[InjectedFault]:
        match request.WhichOneof("which"):
            case "fault_id":
                return self._system.stop(fault_id=request.fault_id)
            case "experiment_id":
                return self._system.stop(experiment_id=request.experiment_id)
            case "all" if request.all:
                return self._system.stop()
            case "kill_switch" if request.kill_switch:
                return self._system.set_kill_switch(True)
        expected = "expected a fault_id, an experiment_id, all = true, or kill_switch = true"
        raise invalid([Violation("which", expected)])

    def _list(self, request: pb.ListExperimentsRequest) -> pb.ListExperimentsResponse:
        page = self._repository.experiments(
            paging.position(request.page_token), paging.size(request.page_size)
        )
        live = self._live() if any(map(_is_live, page.records)) else {}
        return pb.ListExperimentsResponse(
            experiments=[
                experiments.experiment(live.get(found.id, found), broke=False)
                for found in page.records
            ],
            next_page_token=paging.token(page.next_before),
        )

    def _get(self, experiment_id: str) -> Experiment:
        found = self._live().get(experiment_id) or self._repository.experiment(experiment_id)
        if found is None:
            raise unknown_experiment(experiment_id)
        return found

    def _live(self) -> dict[str, Experiment]:
        return {found.id: found for found in self._system.unfinished_experiments()}


def _is_live(experiment: Experiment) -> bool:
    return experiment.state is not ExperimentState.FINISHED
