"""`ChaosService`: faults, scenarios, experiments and the kill switch."""

from __future__ import annotations

from server.errors import Violation, invalid, unknown_experiment
from server.records.experiments import Experiment, ExperimentState, InjectedFault
from server.rpc import experiments, faults, paging
from server.rpc.access import Context
from server.rpc.administration import Administration
from server.rpc.hosted_system import HostedSystem, Systems
from server.systems.system import System
from sre_edge.v1 import chaos_service_pb2 as pb

STOPPED = (
    "the faults are stopped, but after a restart the records say that they ended with the server; "
    "repeat the call to have it stored"
)
ENGAGED = (
    "the faults are stopped and the kill switch is on, but after a restart it is as it was stored "
    "last; repeat the call to have it stored"
)
LIFTED = (
    "the kill switch is off, but after a restart it is as it was stored last; repeat the call to "
    "have it stored"
)


class ChaosServicer:
    """Injects faults into systems, and answers from their experiments."""

    def __init__(self, systems: Systems, administration: Administration) -> None:
        self._systems, self._administration = systems, administration

    async def InjectChaos(
        self, request: pb.InjectChaosRequest, context: Context
    ) -> pb.InjectChaosResponse:
        """Inject a fault."""
        hosted, fault = self._systems.get(request.system), faults.requested(request)
        inject = hosted.system.inject
        experiment = await hosted.repository.run_blocking(inject, fault, request.request_id)
        return pb.InjectChaosResponse(fault=faults.fault(experiment.faults[0]))

    async def StopChaos(
        self, request: pb.StopChaosRequest, context: Context
    ) -> pb.StopChaosResponse:
        """End one fault, those of an experiment, or all, of one system or of all."""
        if request.every_system:
            _check_unnamed(request.system)
            stopped = await self._stop_everywhere(request)
        else:
            hosted = self._systems.get(request.system)
            stopped = await hosted.at_once(_stop, hosted.system, request)
            await hosted.repository.stored(ENGAGED if request.kill_switch else STOPPED)
        return pb.StopChaosResponse(stopped=[faults.fault(fault) for fault in stopped])

    async def LiftKillSwitch(
        self, request: pb.LiftKillSwitchRequest, context: Context
    ) -> pb.LiftKillSwitchResponse:
        """Accept faults again, of one system or of all."""
        if request.every_system:
            _check_unnamed(request.system)
            lifted = await self._administration.lift_kill_switch()
            return pb.LiftKillSwitchResponse(lifted=lifted)
        hosted = self._systems.get(request.system)
        lifted = hosted.system.kill_switch.on
        await hosted.at_once(hosted.system.set_kill_switch, False)
        await hosted.repository.stored(LIFTED)
        return pb.LiftKillSwitchResponse(lifted=lifted)

    async def RunScenario(
        self, request: pb.RunScenarioRequest, context: Context
    ) -> pb.RunScenarioResponse:
        """Run a scenario, starting now."""
        hosted = self._systems.get(request.system)
        run = hosted.system.run_scenario
        experiment = await hosted.repository.run_blocking(run, request.document, request.request_id)
        return pb.RunScenarioResponse(experiment=experiments.experiment(experiment, hosted.id))

    async def ListExperiments(
        self, request: pb.ListExperimentsRequest, context: Context
    ) -> pb.ListExperimentsResponse:
        """List experiments, the newest first."""
        hosted = self._systems.get(request.system)
        return await hosted.repository.run_blocking(_list, hosted, request)

    async def GetExperiment(
        self, request: pb.GetExperimentRequest, context: Context
    ) -> pb.GetExperimentResponse:
        """Describe an experiment and its outcome."""
        hosted = self._systems.get(request.system)
        found = await hosted.repository.run_blocking(_get, hosted, request.experiment_id)
        return pb.GetExperimentResponse(experiment=experiments.experiment(found, hosted.id))

    async def _stop_everywhere(self, request: pb.StopChaosRequest) -> list[InjectedFault]:
        match request.WhichOneof("which"):
            case "all" if request.all:
                return await self._administration.stop_faults()
            case "kill_switch" if request.kill_switch:
                return await self._administration.engage_kill_switch()
        expected = "expected all = true or kill_switch = true, because every_system is true"
        raise invalid([Violation("which", expected)])


def _stop(system: System, request: pb.StopChaosRequest) -> list[InjectedFault]:
    match request.WhichOneof("which"):
        case "fault_id":
            return system.stop(fault_id=request.fault_id)
        case "experiment_id":
            return system.stop(experiment_id=request.experiment_id)
        case "all" if request.all:
            return system.stop()
        case "kill_switch" if request.kill_switch:
            return system.set_kill_switch(True)
    expected = "expected a fault_id, an experiment_id, all = true, or kill_switch = true"
    raise invalid([Violation("which", expected)])


def _check_unnamed(system: str) -> None:
    if system:
        raise invalid([Violation("system", "expected none, because every_system is true")])


def _list(hosted: HostedSystem, request: pb.ListExperimentsRequest) -> pb.ListExperimentsResponse:
    page = hosted.repository.experiments(
        paging.position(request.page_token), paging.size(request.page_size)
    )
    live = _live(hosted.system) if any(map(_is_live, page.records)) else {}
    return pb.ListExperimentsResponse(
        experiments=[
            experiments.experiment(live.get(found.id, found), hosted.id, broke=False)
            for found in page.records
        ],
        next_page_token=paging.token(page.next_before),
    )


def _get(hosted: HostedSystem, experiment_id: str) -> Experiment:
    live = _live(hosted.system).get(experiment_id)
    found = live or hosted.repository.experiment(experiment_id)
    if found is None:
        raise unknown_experiment(experiment_id)
    return found


def _live(system: System) -> dict[str, Experiment]:
    return {found.id: found for found in system.unfinished_experiments()}


def _is_live(experiment: Experiment) -> bool:
    return experiment.state is not ExperimentState.FINISHED
