"""Series of the history, between the domain and the wire: pure functions."""

from __future__ import annotations

from server.rpc import times
from server.systems.history import HistoryQuery, Series
from sre_edge.v1 import history_pb2
from sre_edge.v1 import simulation_service_pb2 as pb


def query(request: pb.QueryHistoryRequest) -> HistoryQuery:
    """Convert a request.

    Raises
    ------
    ServerError
        INVALID_FIELD, for a time out of range.
    """
    has_start, has_end = request.HasField("start_time"), request.HasField("end_time")
    return HistoryQuery(
        services=tuple(request.services),
        metrics=tuple(request.metrics),
        start_time=times.time(request.start_time, "start_time") if has_start else None,
        end_time=times.time(request.end_time, "end_time") if has_end else None,
        max_points=request.max_points,
    )


def response(series: Series) -> pb.QueryHistoryResponse:
    """Convert series."""
    names = series.graph.names
    message = pb.QueryHistoryResponse(run_id=series.run.id, bucket_seconds=series.bucket_s)
    if series.start_time is not None:
        message.start_time.CopyFrom(times.timestamp(series.start_time))
    for s, service in enumerate(series.services):
        for m, metric in enumerate(series.metrics):
            message.series.append(
                history_pb2.HistorySeries(
                    service=names[service],
                    metric=metric,
                    minimum=series.minimum[:, m, s].tolist(),
                    maximum=series.maximum[:, m, s].tolist(),
                    mean=series.mean[:, m, s].tolist(),
                    last=series.last[:, m, s].tolist(),
                )
            )
    return message
