"""A TCP proxy that stalls, trickles and breaks connections on demand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

CHUNK_BYTES = 64 << 10
TRICKLE_BYTES, TRICKLE_S = 512, 0.01


class FaultProxy:
    """Passes bytes on between clients and one target.

    Attributes
    ----------
    address
        Where clients connect.
    trickling
        True: bytes towards the clients come in small pieces, with pauses.
    connections
        Connections that were accepted so far.
    """

    def __init__(self) -> None:
        self.address = ""
        self.trickling = False
        self.connections = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._stalled: list[asyncio.Event] = []
        self._writers: set[asyncio.StreamWriter] = set()

    def stall(self) -> None:
        """Pass nothing on, and leave the connections open."""
        self._flowing.clear()

    def stall_open(self) -> None:
        """Pass nothing on of the connections that are open; later ones are not affected."""
        self._flowing.clear()
        self._stalled.append(self._flowing)
        self._flowing = asyncio.Event()
        self._flowing.set()

    def flow(self) -> None:
        """Pass everything on again, at full speed."""
        self.trickling = False
        for flowing in (self._flowing, *self._stalled):
            flowing.set()

    def break_all(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            taken = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def serve(self, target: str) -> asyncio.Server:
        """Begin to listen."""
        host, _, port = target.rpartition(":")

        async def connected(
            from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter
        ) -> None:
            self.connections += 1
            from_server, to_server = await asyncio.open_connection(host, int(port))
            self._writers |= {to_client, to_server}
            try:
                async with asyncio.TaskGroup() as pipes:
                    pipes.create_task(self._pipe(from_client, to_server, slow=False))
                    pipes.create_task(self._pipe(from_server, to_client, slow=True))
            except* OSError:
                pass  # one side went away
            finally:
                for writer in (to_client, to_server):
                    self._writers.discard(writer)
                    writer.transport.abort()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _pipe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool
    ) -> None:
        flowing = self._flowing
        while data := await reader.read(CHUNK_BYTES):
            for piece in _pieces(data) if slow and self.trickling else [data]:
                await flowing.wait()
                writer.write(piece)
                await writer.drain()
                if slow and self.trickling:
                    await asyncio.sleep(TRICKLE_S)
        raise ConnectionResetError  # end the other direction too


def _pieces(data: bytes) -> list[bytes]:
    return [data[i : i + TRICKLE_BYTES] for i in range(0, len(data), TRICKLE_BYTES)]


@contextlib.asynccontextmanager
async def fault_proxy(target: str) -> AsyncIterator[FaultProxy]:
    """Run a proxy to a target."""
    proxy = FaultProxy()
    server = await proxy.serve(target)
    try:
        yield proxy
    finally:
        server.close()
        proxy.flow()
        proxy.break_all()
        await server.wait_closed()
        while proxy._writers:
            await asyncio.sleep(0.01)
