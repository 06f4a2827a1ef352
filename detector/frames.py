"""Fetches the frames of a batch of windows and runs them through the encoder together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import redis

from detector.model.encoder import SIDE, FrameEncoder
from features.frame import SIDE as NETWORK_SIDE
from features.frame import Picture as Pixels
from features.frame import decode_frame, masked
from features.picture import WHOLE, View
from features.quality import Look, look
from ingest.records import FrameRef, Window
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
    jpeg: bytes | None = None  # as it was read

    def as_bytes(self) -> bytes | None:
        return self.embedding.tobytes() if self.embedding is not None else None


class Wanted(NamedTuple):
    """A frame that the network is to look at, with its bytes where they are at hand."""

    printer: str
    frame: FrameRef | None
    jpeg: bytes | None = None


class Read(NamedTuple):
    """A wanted frame as BGR uint8 [NETWORK_SIDE, NETWORK_SIDE, 3], masked, or why there is none."""

    pixels: Pixels | None = None
    trouble: str = ""


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
        jpegs = read_frames(frames, [self._key(window.printer, window.frame) for _, window in with_frame])
        pictures = [Picture(view=self._view(window.printer).name) for window in windows]
        decoded = {}
        for (at, window), jpeg in zip(with_frame, jpegs, strict=True):
            view = self._view(window.printer)
            pixels = decode_frame(jpeg, SIDE, view) if jpeg is not None else None
            if pixels is not None:
                decoded[at] = masked(pixels, view)
                pictures[at] = pictures[at]._replace(look=look(pixels), jpeg=jpeg)
            else:
                trouble = FRAME_LOST if jpeg is None else FRAME_UNREADABLE
                pictures[at] = pictures[at]._replace(trouble=trouble)
        for at, embedding in zip(decoded, self._encoder.encode(list(decoded.values())), strict=True):
            pictures[at] = pictures[at]._replace(embedding=embedding)
        return pictures

    def pictures(self, frames: redis.Redis, wanted: Sequence[Wanted]) -> list[Read]:
        """The frames as the network looks at them, in order, read again where their bytes are not at hand."""
        away = {
            at: self._key(one.printer, one.frame)
            for at, one in enumerate(wanted)
            if one.frame is not None and one.jpeg is None
        }
        fetched = dict(zip(away, read_frames(frames, list(away.values())), strict=True))
        return [self._read(one, one.jpeg or fetched.get(at)) for at, one in enumerate(wanted)]

    def _read(self, wanted: Wanted, jpeg: bytes | None) -> Read:
        if wanted.frame is None or jpeg is None:
            return Read(trouble="" if wanted.frame is None else FRAME_LOST)
        view = self._view(wanted.printer)
        pixels = decode_frame(jpeg, NETWORK_SIDE, view)
        return Read(trouble=FRAME_UNREADABLE) if pixels is None else Read(masked(pixels, view))

    def _view(self, printer: str) -> View:
        return self._views.get(printer, WHOLE)

    def _key(self, printer: str, frame: FrameRef | None) -> str:
        captured_ns = frame.captured_ns if frame is not None else 0
        return frame_key(shard_of(printer, self._shards), printer, captured_ns)
