"""Asks the server of this machine whether it serves: `python -m server.healthcheck`."""

from __future__ import annotations

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.settings import LISTEN, host_and_port

TIMEOUT_S = 3.0


def serving(target: str) -> bool:
    """Whether a server says that it serves."""
    with grpc.insecure_channel(target) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def main() -> None:
    """Exit with 0 if the server serves, else with 1."""
    _, port = host_and_port(os.environ.get("SRE_EDGE_LISTEN", LISTEN), "SRE_EDGE_LISTEN")
    sys.exit(0 if serving(f"127.0.0.1:{port}") else 1)


if __name__ == "__main__":
    main()
