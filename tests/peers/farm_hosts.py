"""Cameras and ports of a farm that a test can freeze, stop and pull."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.ingest.web import jpeg, open_stream, part

FPS = 4.0
PICTURES = [jpeg(shade, 160, 120) for shade in range(60, 200, 10)]
FIRMWARE = b"FIRMWARE_NAME:Marlin 2.1.2 MACHINE_TYPE:Ender-3\nCap:AUTOREPORT_TEMP:1\nok\n"


class CameraHost:
    """An MJPEG server that can fall silent, repeat itself, stop and come back at the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.silent = self.repeats = False
        self.clock_s = 0.0  # of the camera, against ours
        self._runner: web.AppRunner | None = None
        self._number = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._stream)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        stream = await open_stream(request)
        with contextlib.suppress(ConnectionResetError):
            while True:
                if not self.silent:
                    self._number += not self.repeats
                    stamp = f"X-Timestamp: {time.time() + self.clock_s:.6f}\r\n"
                    await stream.write(part(PICTURES[self._number % len(PICTURES)], stamp))
                await asyncio.sleep(1 / FPS)
        return stream


class Port:
    """A printer that reports its temperature, on a pty under a link; its cable can be pulled."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._ends: tuple[int, int] | None = None
        self.plug()

    def plug(self) -> None:
        master, slave = self._ends = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.link.symlink_to(os.ttyname(slave))

    def pull(self) -> None:
        for end in self._ends or ():
            os.close(end)
        self._ends = None
        self.link.unlink(missing_ok=True)

    async def speak(self) -> None:
        while True:
            if self._ends is not None:
                with contextlib.suppress(OSError):
                    if b"M115" in os.read(self._ends[0], 4096):
                        os.write(self._ends[0], FIRMWARE)
                with contextlib.suppress(OSError):
                    os.write(self._ends[0], b" T:210.0 /210.0 B:60.0 /60.0 @:60 B@:20\n")
            await asyncio.sleep(0.5)


@asynccontextmanager
async def hosts(count: int) -> AsyncIterator[list[CameraHost]]:
    made = [CameraHost() for _ in range(count)]
    for host in made:
        await host.start()
    try:
        yield made
    finally:
        for host in made:
            await host.stop()
