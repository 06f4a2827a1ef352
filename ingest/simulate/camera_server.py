"""Serves one simulated camera on a unix socket; ``camera.py`` is the other end and holds the format."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ingest.errors import SourceError
from ingest.simulate.camera import GREETING, LENGTH, MAGIC

SOCKET_PATH_BYTES = 107  # Linux: 108 with the closing zero, see unix(7)
MAX_WAITING_BYTES = 2**20  # a client that is this far behind misses pictures


class CameraServer:
    """Pushes pictures to whoever is connected."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        check_socket_path(path)
        self._path = path
        self._greeting = GREETING.pack(MAGIC, *size)
        self._clients: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def watched(self) -> bool:
        """Whether anybody is connected: nothing need be drawn where not."""
        return bool(self._clients)

    async def start(self) -> None:
        """Open the socket."""
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    def push(self, jpeg: bytes) -> None:
        """Send one picture to everybody who keeps up."""
        for client in self._clients:
            if client.transport.get_write_buffer_size() < MAX_WAITING_BYTES:
                client.write(LENGTH.pack(len(jpeg)) + jpeg)

    async def close(self) -> None:
        """Disconnect everybody and remove the socket."""
        if self._server:
            self._server.close()
        for client in self._clients:
            client.transport.abort()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._server:
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._greeting)
        self._clients.add(writer)
        self._remember_task()
        try:
            await reader.read()  # clients say nothing: this ends when they leave
        except OSError:
            pass
        finally:
            self._clients.discard(writer)
            writer.close()

    def _remember_task(self) -> None:
        """Note who serves this client, so that ``close`` can wait until it has ended."""
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)


def check_socket_path(path: Path) -> None:
    """Raise SourceError where a path is too long for a unix socket."""
    found = len(bytes(path))
    if found > SOCKET_PATH_BYTES:
        raise SourceError(
            f"{path}: found a socket path of {found} bytes, expected at most {SOCKET_PATH_BYTES}: "
            "choose a folder nearer to the root, such as /tmp/farm"
        )
