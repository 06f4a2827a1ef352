"""A farm's worth of cameras and printers to watch: MJPEG streams over HTTP and firmware on ptys.

    python -m bench.load FOLDER --printers 100

Runs as a process of its own, so that its time is not ingest's; writes FOLDER/farm.toml and serves until it
is stopped. Pictures are encoded once and numbered in a comment of the JPEG, so that no two are the same.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import tty
from pathlib import Path

import cv2
import numpy as np
from aiohttp import web

FPS, REPORTS_HZ = 1.0, 2.0
BOUNDARY = "frame"
READY = "ready"


def picture(number: int, side: tuple[int, int] = (480, 640)) -> bytes:
    """A JPEG of about 50 KiB, like a webcam's of this size: smooth areas, edges and sensor noise."""
    chance = np.random.default_rng(number)
    coarse = chance.integers(0, 255, (side[0] // 40, side[1] // 40, 3), np.uint8)
    smooth = cv2.resize(coarse, side[::-1], interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noisy = np.clip(smooth + chance.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def numbered(jpeg: bytes, number: int) -> bytes:
    """The picture with a comment segment (COM) after its start marker."""
    return jpeg[:2] + b"\xff\xfe\x00\x0a" + b"%08d" % (number % 10**8) + jpeg[2:]


async def stream(request: web.Request) -> web.StreamResponse:
    """One camera: a new part every 1 / FPS s, each camera at a moment of its own."""
    camera, jpegs = int(request.match_info["camera"]), request.app[PICTURES]
    response = web.StreamResponse(headers={"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}"})
    await response.prepare(request)
    await asyncio.sleep(camera % 100 / 100 / FPS)
    for number in itertools.count():
        jpeg = numbered(jpegs[camera % len(jpegs)], number)
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        try:
            await response.write(head.encode() + jpeg + b"\r\n")
        except ConnectionResetError:
            break
        await asyncio.sleep(1 / FPS)
    return response


async def speak(number: int, master: int) -> None:
    """One printer: a temperature report every 1 / REPORTS_HZ s; what it is asked is read and forgotten."""
    asyncio.get_running_loop().add_reader(master, lambda: os.read(master, 4096))
    await asyncio.sleep(number % 100 / 100 / REPORTS_HZ)
    for turn in itertools.count():
        hotend, power = 210 + turn % 7 / 10, 60 + turn % 9
        line = f" T:{hotend:.2f} /210.00 B:60.{turn % 10}0 /60.00 @:{power} B@:{turn % 40}\n"
        with contextlib.suppress(BlockingIOError):  # nobody reads yet
            os.write(master, line.encode())
        await asyncio.sleep(1 / REPORTS_HZ)


PICTURES = web.AppKey("pictures", list)


async def serve(folder: Path, printers: int) -> None:
    """Serve until cancelled."""
    app = web.Application()
    app[PICTURES] = [picture(number) for number in range(8)]
    app.router.add_get("/{camera}", stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    ports = [_port() for _ in range(printers)]
    (folder / "farm.toml").write_text(_farm(port, [os.ttyname(slave) for _, slave in ports]))
    (folder / READY).touch()
    await asyncio.gather(*(speak(number, master) for number, (master, _) in enumerate(ports)))


def _port() -> tuple[int, int]:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    return master, slave


def _farm(port: int, ports: list[str]) -> str:
    tables = [
        f'[[printers]]\nname = "p{number:03}"\ncamera = "mjpeg:http://127.0.0.1:{port}/{number}"\n'
        f'telemetry = "serial:{path}"\n'
        for number, path in enumerate(ports)
    ]
    return '[farm]\ndata = "data"\n' + "\n".join(tables)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--printers", type=int, default=100)
    told = parser.parse_args()
    asyncio.run(serve(told.folder, told.printers))
