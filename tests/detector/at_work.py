"""A detector at work on real stores: what feeds it, what may befall it, and what it told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import msgspec
import numpy as np
import redis

from detector.anomaly import Scores
from detector.frames import FrameLoader, Picture
from detector.inspection import PartInspector
from detector.judge import Judge, Sensed
from detector.state import PrinterMemory
from detector.watch import Watch
from detector.worker import Session
from ingest.records import Frame, Window, decode
from ingest.store import Stores
from ingest.stream import DATA, DETECTOR, backlog, key
from ingest.writer import Captured, WindowWriter
from tests.detector.windows import FIRST

SHARDS = 4


class Brightness:
    """An encoder without a network: the mean of each colour."""

    device = "cpu"

    def encode(self, frames: Sequence[Any]) -> Any:
        return np.array([frame.mean((0, 1)) for frame in frames], np.float16).reshape(-1, 3)


class Loader(FrameLoader):
    """Notes how many windows came together."""

    def __init__(self, encoder: Any = None) -> None:
        super().__init__(encoder or Brightness(), SHARDS)
        self.together: list[int] = []

    def load(self, frames: redis.Redis, windows: Sequence[Window]) -> list[Picture]:
        self.together.append(len(windows))
        return super().load(frames, windows)


class Startled(Judge):
    """Does something else at one window, each time that it sees it."""

    def __init__(self, index: int, does: Callable[[], object]) -> None:
        super().__init__("m")
        self._index, self._does = index, does

    def sense(self, memory: PrinterMemory, window: Window, picture: Picture) -> Sensed:
        if window.index == self._index:
            self._does()
        return super().sense(memory, window, picture)


def session(
    stores: Stores,
    judge: Judge | None = None,
    loader: Loader | None = None,
    parts: PartInspector | None = None,
    watch: Watch | None = None,
) -> Session:
    return Session(stores, range(SHARDS), judge or Judge("m"), loader or Loader(), parts, watch)


def of(printer: str, windows: Sequence[Window]) -> list[Window]:
    return [msgspec.structs.replace(window, printer=printer) for window in windows]


def jpeg(brightness: int) -> bytes:
    noise = np.random.default_rng(brightness).integers(0, 30, (96, 128, 3))
    return cv2.imencode(".jpg", (noise + brightness).astype(np.uint8))[1].tobytes()


def scene_jpeg(second: int, *, scene: int = 0, lit: bool = False) -> bytes:
    """A scene of coarse patches with the noise of this second; ``lit`` brightens one half of it."""
    patches = np.random.default_rng(scene).integers(0, 80, (12, 16, 3)).repeat(8, 0).repeat(8, 1)
    noise = np.random.default_rng([scene, second]).integers(0, 30, patches.shape)
    light = np.where(np.arange(128) < 64, 100 * lit, 0)[None, :, None]
    return cv2.imencode(".jpg", (patches + noise + light + 40).astype(np.uint8))[1].tobytes()


def feed(stores: Stores, windows: Sequence[Window], picture: Callable[[int], bytes] = jpeg) -> None:
    """Write windows as ingest does; ``picture`` gives the JPEG of the n-th second."""
    frames = [
        Frame(
            printer=w.printer,
            camera="c",
            captured_ns=w.frame.captured_ns,
            jpeg=picture(w.index - FIRST),
            width=128,
            height=96,
        )
        if w.frame
        else None
        for w in windows
    ]
    WindowWriter(stores, SHARDS).write([Captured(*pair) for pair in zip(windows, frames, strict=True)])


def told(stores: Stores, name: str, kind: type[Any]) -> list[Any]:
    rows = [row for shard in range(SHARDS) for row in stores.events.xrange(key(name, shard))]
    return [decode(fields[DATA], kind) for _, fields in rows]


def seconds_judged(stores: Stores, printer: str = "p") -> list[int]:
    """The seconds of a printer's scores, in the order in which they were told."""
    return [one.index - FIRST for one in told(stores, "scores", Scores) if one.printer == printer]


def dead_letters(stores: Stores) -> list[dict[bytes, bytes]]:
    return [fields for shard in range(SHARDS) for _, fields in stores.events.xrange(key("dead", shard))]


def unfinished(stores: Stores) -> int:
    return sum(backlog(stores.events, key("windows", shard), DETECTOR) for shard in range(SHARDS))
