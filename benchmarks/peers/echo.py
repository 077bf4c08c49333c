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
import onnxruntime

from ml.artefact import INCIDENT_MODEL, SHIPPED

PATH = "/echo.Echo/Echo"


async def _echo(request: bytes, _: Any) -> bytes:
    return request


def _inferring() -> Callable[[bytes, Any], Awaitable[bytes]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(SHIPPED / INCIDENT_MODEL), sess_options=options)
    (rows,), outputs = session.get_inputs(), [session.get_outputs()[0].name]
    row = np.ones((1, rows.shape[1]), dtype=np.float32)

    async def infer(request: bytes, _: Any) -> bytes:
        session.run(outputs, {rows.name: row})
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
