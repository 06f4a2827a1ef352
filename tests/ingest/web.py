"""Small real web servers, and pictures for them to serve."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import cv2
import numpy as np
from aiohttp import web

from ingest.records import Frame
from ingest.sources import Camera

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BOUNDARY = "boundarydonotcross"


def jpeg(shade: int = 90, width: int = 64, height: int = 48) -> bytes:
    picture = np.full((height, width, 3), shade, np.uint8)
    cv2.circle(picture, (width // 2, height // 2), height // 4, (20, 200, 240), -1)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def png(width: int = 64, height: int = 48) -> bytes:
    return cv2.imencode(".png", np.full((height, width, 3), 90, np.uint8))[1].tobytes()


def part(data: bytes, extra: str = "") -> bytes:
    """A picture as mjpg-streamer sends it."""
    return (
        f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n{extra}\r\n".encode()
        + data
        + b"\r\n"
    )


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers every request with ``handler``; its URL without a slash at the end."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def talking(talk: Talk, port: int = 0) -> AsyncIterator[str]:
    """A server that says what ``talk`` writes, whatever it was asked, and then hangs up; its URL."""

    serving: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)


async def open_stream(request: web.Request, content_type: str = "") -> web.StreamResponse:
    """Begin a stream of pictures."""
    kind = content_type or f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    stream = web.StreamResponse(headers={"Content-Type": kind, "Server": "MJPG-Streamer/0.2"})
    await stream.prepare(request)
    return stream


async def until_gone(reader: asyncio.StreamReader) -> None:
    """Say nothing more until the other side hangs up."""
    await reader.read()


async def take(camera: Camera, count: int, limit_s: float = 10.0) -> list[Frame]:
    """The next frames of a camera, which is closed after them."""
    frames: list[Frame] = []
    async with asyncio.timeout(limit_s), aclosing(camera.frames()) as coming:  # type: ignore[type-var]
        async for frame in coming:
            frames.append(frame)
            if len(frames) == count:
                break
    return frames
