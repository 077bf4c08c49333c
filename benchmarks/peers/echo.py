"""The least that a call of `grpc.aio` can cost: bytes come, and go back.

`python -m benchmarks.peers.echo` prints its port. With `--infer` each call asks the shipped trees
about one row besides: the least that a prediction can cost.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np

from ml.serving.artefact import INCIDENT_MODEL, SHIPPED, read_manifest
from ml.serving.predictor import Trees

PATH = "/echo.Echo/Echo"


async def _echo(request: bytes, _: Any) -> bytes:
    return request


def _inferring() -> Callable[[bytes, Any], Awaitable[bytes]]:
    features = read_manifest(SHIPPED).features
    trees, row = (
        Trees(SHIPPED / INCIDENT_MODEL, features, 1),
        np.ones(len(features), np.float32),
    )

    async def infer(request: bytes, _: Any) -> bytes:
        trees.first_of_row(row)
        return request

    return infer


async def main() -> None:
    """Serve until killed."""
    server = grpc.aio.server()
    behaviour = _inferring() if "--infer" in sys.argv[1:] else _echo
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(behaviour)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"port {port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
