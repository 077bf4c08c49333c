"""The least that a call of `grpc.aio` can cost: bytes come, and go back.

`python -m benchmarks.peers.echo` prints its port.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

PATH = "/echo.Echo/Echo"


async def _echo(request: bytes, _: Any) -> bytes:
    return request


async def main() -> None:
    """Serve until killed."""
    server = grpc.aio.server()
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(_echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"port {port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
