"""Videos whose frames bear their number, and an RTSP server that plays them."""

from __future__ import annotations

import functools
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from ingest.records import Frame

DEBIAN_PYTHON = Path("/usr/bin/python3")
SERVER = Path(__file__).with_name("rtsp_server.py")
WIDTH, HEIGHT, FPS = 320, 240, 15
BITS = 12
CELL = 16
"""The frame's number stands in its top row in binary, white cells of so many pixels for ones."""
READY_S = 20.0


def film(
    path: Path,
    *,
    frames: int,
    keyframe_every: int = FPS,
    container: str | None = None,
    **options: str,
) -> Path:
    """Write H.264 in which a pattern moves and every frame bears its number; ``options`` are x264's."""
    rng = np.random.default_rng(0)
    pattern = (
        rng.integers(0, 200, (HEIGHT // CELL, WIDTH // CELL, 3), np.uint8).repeat(CELL, 0).repeat(CELL, 1)
    )
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        gop = {"g": str(keyframe_every), "keyint_min": str(keyframe_every), "sc_threshold": "0"}
        stream.options = {"preset": "ultrafast", "threads": "1", **gop, **options}
        for number in range(frames):
            picture = numbered(np.roll(pattern, number, axis=1), number)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        file.mux(stream.encode(None))
    return path


def numbered(picture: np.ndarray, number: int) -> np.ndarray:
    """The picture with its number in it."""
    for bit in range(BITS):
        picture[:CELL, bit * CELL : (bit + 1) * CELL] = 255 if number >> bit & 1 else 0
    return picture


def number_of(frame: Frame) -> int:
    """The number that a frame bears."""
    picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    middle = CELL // 2
    return sum((int(picture[middle, bit * CELL + middle]) > 127) << bit for bit in range(BITS))


class RtspServer:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.port = port
        self._process = process

    def freeze(self) -> None:
        """It stays, and says nothing more."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def rtsp_server(*videos: Path, port: int = 0, **options: str) -> Iterator[RtspServer]:
    """Serve videos at rtsp://127.0.0.1:PORT/NAME; ``options`` as rtsp_server.py names them."""
    _skip_without_server()
    given = [text for name, value in options.items() for text in (f"--{name}", value)]
    command = [str(DEBIAN_PYTHON), str(SERVER), *map(str, videos), "--port", str(port), *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        hurry = threading.Timer(READY_S, process.kill)
        hurry.start()
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            hurry.cancel()
            assert said, "the RTSP server did not start"
            yield RtspServer(process, int(said))
        finally:
            hurry.cancel()
            process.kill()


def _skip_without_server() -> None:
    if not _has_server():
        pytest.skip("no GStreamer RTSP server here: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0")


@functools.cache
def _has_server() -> bool:
    """GStreamer's RTSP server comes with Debian's packages, not with Python's."""
    asked = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if not DEBIAN_PYTHON.exists():
        return False
    return subprocess.run([DEBIAN_PYTHON, "-c", asked], check=False, capture_output=True).returncode == 0
