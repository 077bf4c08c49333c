"""The observed system: topology, metrics, history, the clock, and a fresh start."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from sre_edge.calls.descriptors import Call
from sre_edge.exchange import Exchange, ask
from sre_edge.v1 import catalog_pb2, clock_pb2, simulation_service_pb2, snapshot_pb2, topology_pb2

RESET_TIMEOUT_S = 60.0


def topology() -> Exchange[topology_pb2.Topology]:
    """Get the topology of the present run."""
    request = simulation_service_pb2.GetTopologyRequest()
    return (yield from ask(lambda stubs: stubs.simulation.GetTopology, request)).topology


def topology_document() -> Exchange[simulation_service_pb2.GetTopologyResponse]:
    """Get the topology with its document: a topology file with every number as it is used."""
    request = simulation_service_pb2.GetTopologyRequest(with_document=True)
    return (yield from ask(lambda stubs: stubs.simulation.GetTopology, request))


def metrics(
    services: Iterable[str] = (), *, time: datetime | None = None
) -> Exchange[snapshot_pb2.Snapshot]:
    """Get the latest snapshot or the one at a past simulated time, of all services or some.

    Raises
    ------
    NotFound
        If there is no such service, or the history does not hold that time.
    """
    request = simulation_service_pb2.GetMetricsRequest(services=services, time=_timestamp(time))
    return (yield from ask(lambda stubs: stubs.simulation.GetMetrics, request)).snapshot


def history(
    metrics: Iterable[str],
    services: Iterable[str] = (),
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    max_points: int = 0,
) -> Exchange[simulation_service_pb2.QueryHistoryResponse]:
    """Get the history of metrics over simulated time, as in `QueryHistoryRequest`."""
    request = simulation_service_pb2.QueryHistoryRequest(
        services=services,
        metrics=metrics,
        start_time=_timestamp(start),
        end_time=_timestamp(end),
        max_points=max_points,
    )
    return (yield from ask(lambda stubs: stubs.simulation.QueryHistory, request))


def set_clock(
    *, paused: bool | None = None, speed: float | None = None, time: datetime | None = None
) -> Exchange[clock_pb2.Clock]:
    """Pause or resume the clock, or set its speed; None leaves it as it is.

    `time` seeks a time of a recording: another run begins there.
    """
    request = simulation_service_pb2.SetClockRequest(
        paused=paused, speed=speed, time=_timestamp(time)
    )
    timeout_s = None if time is None else RESET_TIMEOUT_S
    return (yield from ask(lambda stubs: stubs.simulation.SetClock, request, timeout_s)).clock


def catalog() -> Exchange[catalog_pb2.Catalog]:
    """Ask which metrics can be observed and which kinds of faults injected."""
    request = simulation_service_pb2.GetCatalogRequest()
    return (yield from ask(lambda stubs: stubs.simulation.GetCatalog, request)).catalog


def info() -> Exchange[simulation_service_pb2.GetServerInfoResponse]:
    """Get the version, the limits, and live figures of the server."""
    request = simulation_service_pb2.GetServerInfoRequest()
    return (yield from ask(lambda stubs: stubs.simulation.GetServerInfo, request))


def reset(seed: int | None = None, *, topology: str | None = None) -> Exchange[str]:
    """Start a new run, healthy and without faults; return its identifier.

    Parameters
    ----------
    seed
        Seed of the simulation; None: the seed of the present run.
    topology
        Text of a topology file; None: the present topology.
    """
    request = simulation_service_pb2.ResetRequest(seed=seed, topology=topology or "")
    exchange = ask(lambda stubs: stubs.simulation.Reset, request, RESET_TIMEOUT_S)
    return (yield from exchange).run_id


class SimulationMethods:
    """The methods of both clients, each by its description above."""

    topology = Call(topology)
    topology_document = Call(topology_document)
    metrics = Call(metrics)
    history = Call(history)
    set_clock = Call(set_clock)
    catalog = Call(catalog)
    info = Call(info)
    reset = Call(reset)


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message
