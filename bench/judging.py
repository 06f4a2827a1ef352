"""What a window costs on one core once its frame is embedded: rules, novelty, episodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.figure import Figure, ms_side_by_side
from detector.frames import Picture
from detector.judge import Judge
from detector.model.build import build_encoder
from detector.model.encoder import CHUNK, EMBEDDING_DIM, SIDE
from detector.state import PrinterMemory
from ingest.align import Aligner, Timing
from ingest.cameras.registry import open_camera
from ingest.feed import merged
from ingest.records import Window
from ingest.telemetry import open_telemetry


def measure(recording: Path) -> Iterator[Figure]:
    """Judge all windows of a recording; beside it, what the encoder takes for one frame."""
    windows = asyncio.run(windows_of(recording))
    encoder, blank = build_encoder("cpu"), [np.zeros((SIDE, SIDE, 3), np.uint8)] * CHUNK
    random = np.random.default_rng(1)
    pictures = [
        Picture(embedding.astype(np.float16))
        for embedding in random.normal(0, 0.06, (len(windows), EMBEDDING_DIM))
    ]

    def judge_all() -> None:
        judge, memory = Judge("bench"), PrinterMemory("bench")
        for window, picture in zip(windows, pictures, strict=True):
            memory.history.push(window)
            memory.state = judge.judge(memory, window, picture).state

    own, other = ms_side_by_side(
        judge_all, lambda: encoder.encode(blank), each=len(windows), baseline_each=CHUNK
    )
    yield Figure("judge: rules and novelty", own, "ms/window", "encode a frame", other)


async def windows_of(recording: Path) -> list[Window]:
    """The windows of a recording that ``write_recording`` made."""
    camera = open_camera(f"images:{recording / 'frames'}", "bench")
    telemetry = open_telemetry(f"log:{recording / 'serial.log'}", "bench")
    aligner = Aligner("bench", "bench", Timing(), camera=False, telemetry=False)
    found = []
    async for at_ns, item in merged(camera, telemetry):
        aligner.add(item, at_ns)
        found += aligner.advance(at_ns)
    return [captured.window for captured in (*found, *aligner.close())]
