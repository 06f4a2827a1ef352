"""What a frame costs on one core: from JPEG to pixels, and from pixels to an embedding."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch

from bench.figure import Figure, ms_side_by_side
from detector.model.build import build_encoder
from detector.model.encoder import CHUNK, SIDE
from features.frame import SIDE as LARGE_SIDE
from features.frame import Picture, decode_frame, to_batch
from ingest.simulate.looks.sample import sample_look
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import square_rings

SIZES = ((640, 480), (1280, 720), (1920, 1080))
SMALL = (320, 240)
PER_CALL = 8


def measure() -> Iterator[Figure]:
    """Decode at each size, and the encoder. torch and cv2 are held to one thread by the caller."""
    for width, height in SIZES:
        yield _decode(width, height)
    yield _encode()


def _decode(width: int, height: int) -> Figure:
    jpeg = _jpegs(width, height, 1)[0]

    def reduced() -> None:
        for _ in range(PER_CALL):
            decode_frame(jpeg, SIDE)

    def whole() -> None:
        for _ in range(PER_CALL):
            picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert picture is not None
            cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)

    own, other = ms_side_by_side(reduced, whole, each=PER_CALL, baseline_each=PER_CALL)
    return Figure(f"decode {width}x{height} to {SIDE} px", own, "ms/frame", "decode whole, resize", other)


def _encode() -> Figure:
    """A chunk as it is served, against the same layers at 224 px."""
    encoder = build_encoder("cpu")
    small, large = _pictures(SIDE), to_batch(_pictures(LARGE_SIDE))
    large = large.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def at_large() -> None:
        encoder(large)

    own, other = ms_side_by_side(lambda: encoder.encode(small), at_large, each=CHUNK, baseline_each=CHUNK)
    return Figure(f"encoder, {SIDE} px, {CHUNK} at once", own, "ms/frame", f"at {LARGE_SIDE} px", other)


def _pictures(side: int) -> list[Picture]:
    jpegs = _jpegs(*SMALL, CHUNK)
    return [picture for jpeg in jpegs if (picture := decode_frame(jpeg, side)) is not None]


def _jpegs(width: int, height: int, count: int) -> list[bytes]:
    """What the camera of a simulated print sends, a picture a second."""
    path = square_rings()
    look = sample_look(np.random.default_rng(1), Split.TRAIN, path, (width, height))
    printer = SimulatedPrinter("bench", 1, path=path, look=look)
    return [jpeg for second in range(count) if (jpeg := printer.jpeg_at(float(second))) is not None]
