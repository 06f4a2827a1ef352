"""Fetches the frames of a batch of windows and runs them through the encoder together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import redis

from detector.model.encoder import SIDE, FrameEncoder
from features.frame import decode_frame, masked
from features.picture import WHOLE, View
from features.quality import Look, look
from ingest.records import Window
from ingest.stream import frame_key, shard_of
from ingest.writer import read_frames

Embedding = npt.NDArray[np.float16]
FRAME_LOST = "frames_lost"
FRAME_UNREADABLE = "frames_unreadable"


class Picture(NamedTuple):
    """A window's frame as the judge needs it: float16 [dim], or None and what the trouble was, if any."""

    embedding: Embedding | None = None
    trouble: str = ""
    look: Look | None = None  # at the frame, before masks were filled
    view: str = ""  # name of the view that the printer's frames are read by

    def as_bytes(self) -> bytes | None:
        return self.embedding.tobytes() if self.embedding is not None else None


class FrameLoader:
    """Reads, decodes and encodes frames; each frame is encoded once, ever.

    ``views`` says how the pictures of a printer are to be read; those of others are read whole.
    """

    def __init__(
        self, encoder: FrameEncoder, shards: int, views: Mapping[str, View] = MappingProxyType({})
    ) -> None:
        self.device = str(encoder.device)
        self._encoder = encoder
        self._shards = shards
        self._views = views

    def load(self, frames: redis.Redis, windows: Sequence[Window]) -> list[Picture]:
        """The pictures of these windows, in order; one that has gone or cannot be read says so.

        A picture of a finished part is no picture of a print: it is left to ``detector.inspection``.
        """
        with_frame = [
            (at, window)
            for at, window in enumerate(windows)
            if window.frame is not None and not window.frame.of_surface
        ]
        jpegs = read_frames(frames, [self._key(window) for _, window in with_frame])
        pictures = [Picture(view=self._view(window).name) for window in windows]
        decoded = {}
        for (at, window), jpeg in zip(with_frame, jpegs, strict=True):
            view = self._view(window)
            pixels = decode_frame(jpeg, SIDE, view) if jpeg is not None else None
            if pixels is not None:
                decoded[at] = masked(pixels, view)
                pictures[at] = pictures[at]._replace(look=look(pixels))
            else:
                trouble = FRAME_LOST if jpeg is None else FRAME_UNREADABLE
                pictures[at] = pictures[at]._replace(trouble=trouble)
        for at, embedding in zip(decoded, self._encoder.encode(list(decoded.values())), strict=True):
            pictures[at] = pictures[at]._replace(embedding=embedding)
        return pictures

    def _view(self, window: Window) -> View:
        return self._views.get(window.printer, WHOLE)

    def _key(self, window: Window) -> str:
        captured_ns = window.frame.captured_ns if window.frame is not None else 0
        return frame_key(shard_of(window.printer, self._shards), window.printer, captured_ns)
