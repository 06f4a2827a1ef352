"""What judging costs on one core, in frames and beats, beside YOLOv2's detector for each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import torch

from bench.darknet import SIDE as DARKNET_SIDE
from bench.darknet import Darknet
from bench.figure import Figure, ms_side_by_side
from detector.model.engine import Engine, compiled
from detector.model.frame_network import build_frame_network
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalShape, TokenCache, Tokens, build_temporal
from features.channels import SENSOR_DIM
from features.frame import SIDE

PRINTERS = (64, 1)
"""Whose beats are judged at once."""
PER_CALL = 4
"""Frames, one after the other, or steps, of a call."""
BASELINE = f"YOLOv2, {DARKNET_SIDE} px"


def measure() -> Iterator[Figure]:
    """The frame network, then a beat. torch is held to one thread by the caller."""
    darknet = _on_one(compiled(Darknet().eval(), ["cells"], DARKNET_SIDE), DARKNET_SIDE)
    frame = _on_one(compiled(build_frame_network().eval(), ["embedding", "where"], SIDE), SIDE)
    yield _figure(f"frame network, {SIDE} px", "ms/frame", _times(frame, PER_CALL), PER_CALL, darknet)
    for printers in PRINTERS:
        name = f"a beat of each of {printers} printers" if printers > 1 else "a beat of one printer"
        yield _figure(name, "ms/beat", _times(_beats(printers), PER_CALL), PER_CALL * printers, darknet)


def _figure(
    name: str, unit: str, work: Callable[[], object], each: int, darknet: Callable[[], object]
) -> Figure:
    own, other = ms_side_by_side(work, darknet, each=each, baseline_each=1)
    return Figure(name, own, unit, BASELINE, other)


def _on_one(engine: Engine, side: int) -> Callable[[], object]:
    """Judges one picture."""
    picture = np.random.default_rng(1).normal(0, 60, (1, 3, side, side)).astype(np.float32)
    return lambda: engine(picture)


def _beats(printers: int) -> Callable[[], object]:
    """Judges one more beat of so many printers, whose rings are full."""
    shape = TemporalShape(embedding=SIGHT_DIM, sensors=SENSOR_DIM)
    network, cache = build_temporal(shape).eval(), TokenCache(shape, printers)
    tokens, slots, beats = _tokens(shape, printers), torch.arange(printers), count()

    def beat() -> None:
        network.step(tokens, cache, slots, torch.full_like(slots, next(beats)))

    _times(beat, shape.band)()
    return beat


def _tokens(shape: TemporalShape, printers: int) -> Tokens:
    """Everything seen and heard."""
    random = torch.Generator().manual_seed(1)
    yes = torch.ones(printers, 1, dtype=torch.bool)
    embeddings = torch.randn(printers, 1, shape.embedding, generator=random)
    sensors = torch.randn(printers, 1, shape.sensors, generator=random)
    return Tokens(embeddings, yes, sensors, torch.ones_like(sensors, dtype=torch.bool), yes, yes)


def _times(work: Callable[[], object], times: int) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(times):
            work()

    return repeated
