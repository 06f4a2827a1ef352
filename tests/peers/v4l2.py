"""A fake driver of Video for Linux, below FFmpeg: what runs with it preloaded sees a USB camera."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

SOURCE = Path(__file__).with_name("v4l2_driver.c")
READER = Path(__file__).with_name("v4l2_reader.py")
ROOT = Path(__file__).parents[2]
SIZE = (64, 48)
LIMIT_S = 20.0


class FakeCamera:
    """A camera at ``device``, at first unplugged, which gives ``pictures`` over and over."""

    def __init__(self, driver: Path, folder: Path) -> None:
        self.device = folder / "video0"
        self.pictures = [_jpeg(shade) for shade in range(0, 250, 5)]
        for number, picture in enumerate(self.pictures):
            (folder / f"{number}.jpg").write_bytes(picture)
        fakes = {"LD_PRELOAD": str(driver), "FAKE_CAMERA": str(self.device), "FAKE_PICTURES": str(folder)}
        self._environment = {**os.environ, **fakes, "PYTHONPATH": str(ROOT)}

    def plug_in(self, kind: str = "mjpeg") -> None:
        """See v4l2_driver.c for what kinds there are."""
        written = self.device.with_suffix(".new")
        written.write_text(kind)
        written.rename(self.device)

    def unplug(self) -> None:
        self.device.unlink()

    @contextmanager
    def read(self, options: str = "") -> Iterator[queue.SimpleQueue[dict[str, Any]]]:
        """Read it in a process of its own; what comes, as v4l2_reader.py tells it."""
        command = [sys.executable, str(READER), f"v4l2:{self.device}{options}"]
        told: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=self._environment, text=True) as process:
            thread = threading.Thread(target=_pass_on, args=(process, told))
            thread.start()
            try:
                yield told
            finally:
                process.kill()
                thread.join()


def _pass_on(process: subprocess.Popen[str], told: queue.SimpleQueue[dict[str, Any]]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        told.put(json.loads(line))


def build_driver(folder: Path) -> Path:
    """The driver as a library to preload; the test is skipped where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here: apt-get install gcc libc6-dev")
    driver = folder / "v4l2_driver.so"
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", str(SOURCE), "-o", str(driver), "-ldl"]
    subprocess.run(command, check=True)
    return driver


def _jpeg(shade: int) -> bytes:
    return cv2.imencode(".jpg", np.full((SIZE[1], SIZE[0], 3), shade, np.uint8))[1].tobytes()
