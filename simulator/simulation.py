"""The simulation of B copies of a system: a source of frames that faults can be injected into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from simulator.dynamics.allocation import keep_freed_memory
from simulator.dynamics.conditions import calm
from simulator.dynamics.dependence import Dependence
from simulator.dynamics.load import Load, LoadProfile
from simulator.dynamics.parameters import Parameters, parameters
from simulator.dynamics.routes import Routes
from simulator.dynamics.state import State, initial, select_copies
from simulator.dynamics.step import Flows, System, step
from simulator.dynamics.streams import Purpose, Stream
from simulator.dynamics.wiring import Wiring
from simulator.faults.schedule import FaultSchedule, most_depended_on
from simulator.observation.observer import Observer, ServiceLatency
from simulator.topology.resolved import Topology
from telemetry.faults import Fault, FaultError
from telemetry.frame import FRAME_INTERVAL_S, Frame, Truth
from telemetry.graph import ServiceGraph

__all__ = ["FaultError", "Load", "Simulation"]

MAX_SETTLING_STEPS = 400
SETTLED = 1e-6


class Simulation:
    """B independent copies of one system.

    Parameters
    ----------
    topology
        The system to simulate.
    copies
        Number of copies that run together, B.
    seed
        Seed of the simulation.
    loads
        Load on each copy; None: the constant nominal load.
    start
        Initial state, and the number of steps that led to it; None: a steady state. See `fork`.
    numbers
        Number of each copy, which may repeat; None: 0, 1 and so on. Copy n of a seed gets the same
        random numbers, bit by bit, whatever batch it runs in.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        copies: int = 1,
        seed: int = 0,
        loads: Sequence[Load] | None = None,
        numbers: Sequence[int] | None = None,
        start: tuple[State, int] | None = None,
    ) -> None:
        if copies < 1:
            raise ValueError(f"copies: expected at least 1, got {copies}")
        if loads is not None and len(loads) != copies:
            raise ValueError(f"loads: expected one per copy ({copies}), got {len(loads)}")
        if numbers is not None and len(numbers) != copies:
            raise ValueError(f"numbers: expected one per copy ({copies}), got {len(numbers)}")
        keep_freed_memory()
        numbers = range(copies) if numbers is None else numbers
        self._topology = topology
        self._copies = copies
        self._parameters = p = parameters(topology)
        self._steps_per_frame = round(FRAME_INTERVAL_S / p.step_s)
        self._faults = FaultSchedule(topology.graph(), p, copies)
        routes = Routes.of(p, self._faults.edges)
        self._system = System(p, Wiring(p), routes, Dependence(p))
        self._observer = Observer(p, self._system.wiring, routes, copies)
        self._loads = tuple(loads or [Load()] * copies)
        self._profile = LoadProfile(self._loads)
        self._queue_noise = Stream(seed, numbers, Purpose.QUEUE, p.services)
        self._load_noise = Stream(seed, numbers, Purpose.LOAD, 1)
        width = Observer.measurement_width(p)
        self._measuring = Stream(seed, numbers, Purpose.MEASUREMENT, width)
        width = Observer.counting_width(p)
        self._counting = Stream(seed, numbers, Purpose.COUNTING, width, uniform=True)
        self._state, self._steps = start or (self._settled(), 0)
        self._truth: Truth | None = None

    @property
    def topology(self) -> Topology:
        """The system, with all defaults resolved."""
        return self._topology

    @property
    def graph(self) -> ServiceGraph:
        """The static view of the system."""
        return self._topology.graph()

    @property
    def most_depended_on(self) -> str:
        """Name of the service that most others call: the default target of a cascade failure."""
        return self.graph.names[most_depended_on(self.graph, self._parameters)]

    @property
    def copies(self) -> int:
        """Number of copies, B."""
        return self._copies

    @property
    def time_s(self) -> float:
        """Simulated seconds since the start of the run."""
        return self._steps * self._parameters.step_s

    @property
    def interval_s(self) -> float:
        """Length of a frame in simulated seconds."""
        return FRAME_INTERVAL_S

    @property
    def parameters(self) -> Parameters:
        """The system as arrays."""
        return self._parameters

    @property
    def state(self) -> State:
        """State after the last sub-step; no monitoring system sees it."""
        return self._state

    @property
    def truth(self) -> Truth:
        """Ground truth of the last frame.

        Raises
        ------
        RuntimeError
            If there was no frame yet.
        """
        if self._truth is None:
            raise RuntimeError("expected a frame before its truth")
        return self._truth

    @property
    def service_latency(self) -> ServiceLatency:
        """Latency during the last frame, not cut off at timeouts."""
        return self._observer.service_latency()

    def next_frame(self) -> Frame:
        """Advance all copies by 2 s, and observe them."""
        t_s = self.time_s
        number = self._steps // self._steps_per_frame
        burst = self._profile.advance(
            self._state.burst, self._load_noise.row(number)[0], FRAME_INTERVAL_S
        )
        self._state = replace(self._state, burst=burst)
        self._observer.begin(self._system.routes)
        for _ in range(self._steps_per_frame):
            self.advance()
        self._truth = self._observer.truth(FRAME_INTERVAL_S)
        return self._observer.frame(
            t_s, FRAME_INTERVAL_S, self._measuring.row(number), self._counting.row(number)
        )

    def advance(self) -> Flows:
        """Advance all copies by one sub-step; `next_frame` does so until 2 s have passed."""
        conditions = self._faults.conditions(self.time_s, self._parameters.step_s)
        load = self._profile.factor(self.time_s, self._state.burst)
        normals = self._queue_noise.row(self._steps)
        self._state, flows = step(self._system, conditions, self._state, load, normals)
        self._observer.add(flows, conditions)
        self._steps += 1
        return flows

    def fork(self, copies: Sequence[int], seed: int) -> Simulation:
        """Begin another simulation with some copies as they are now, which may repeat.

        It has no faults, and gets the random numbers of another seed from here on.
        """
        return Simulation(
            self._topology,
            copies=len(copies),
            seed=seed,
            loads=[self._loads[copy] for copy in copies],
            start=(select_copies(self._state, np.asarray(copies, dtype=np.intp)), self._steps),
        )

    def inject(self, fault: Fault, copy: int | None = None) -> None:
        """Inject a fault into one copy, or into all.

        It acts from the first sub-step that begins at or after its `start_s`.

        Raises
        ------
        FaultError
            If the fault is not possible in this system; nothing is changed then.
        """
        self._faults.forget_before(self.time_s)
        self._faults.inject(fault, self._chosen(copy))
        edges = self._faults.edges
        if len(edges) > len(self._system.routes.alone):
            routes = Routes.of(self._parameters, edges)
            self._system = replace(self._system, routes=routes)
            self._observer.begin(routes)

    def stop(self, fault: Fault, copy: int | None = None) -> None:
        """End a fault of one copy, or of all, before its time."""
        self._faults.stop(fault, self._chosen(copy))

    def active_faults(self, copy: int = 0) -> tuple[Fault, ...]:
        """Faults that act on a copy now, in the order of their injection."""
        return self._faults.active(copy, self.time_s)

    def _chosen(self, copy: int | None) -> Iterable[int]:
        return range(self._copies) if copy is None else (copy,)

    def _settled(self) -> State:
        """Steady state without noise and faults: the state before the run."""
        p = self._parameters
        load = self._profile.factor(0.0, self._profile.start())
        state = initial(p, load)
        conditions = calm(p, self._copies)
        silence = np.zeros((p.services, self._copies))
        for _ in range(MAX_SETTLING_STEPS):
            before = state
            state, _ = step(self._system, conditions, before, load, silence)
            if np.allclose(state.response_s, before.response_s, rtol=SETTLED, atol=0.0):
                break
        return state
