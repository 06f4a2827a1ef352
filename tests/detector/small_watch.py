"""A small network with random weights, which says something else of each beat, and what watches with it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np

from detector.anomaly import Kind
from detector.beats import Token
from detector.frames import FrameLoader
from detector.model.frame_network import GRID, build_frame_network
from detector.model.kinds import KINDS
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalShape, build_temporal
from detector.model.watch_model import WatchAbout, WatchModel
from detector.network import Watcher
from detector.watch import Watch
from features.beats import BEAT_WINDOWS
from features.channels import SENSOR_DIM
from ingest.records import NS_PER_S, FrameRef
from tests.detector.at_work import Loader
from tests.detector.windows import FIRST

SHAPE = TemporalShape(embedding=SIGHT_DIM, sensors=SENSOR_DIM, width=16, heads=2, layers=2, band=3)
CLASSES = 1 + len(KINDS)
FIRST_BEAT = FIRST // BEAT_WINDOWS
SHARP = 0.05
"""A temperature at which random logits say something."""


def about(**changed: Any) -> WatchAbout:
    told = {
        "version": "tiny-1",
        "backbone": "squeezenet",
        "temporal": SHAPE,
        "temperatures": (SHARP,) * CLASSES,
        "threshold": 0.7,
        "min_beats": 2,
        "within_beats": 3,
        "sha256": "of-tiny-1",
    }
    return WatchAbout(**(told | changed))


@cache
def _networks(seed: int) -> tuple[Any, Any]:
    return build_frame_network("squeezenet", seed=seed).eval(), build_temporal(SHAPE, seed).eval()


def small_model(seed: int = 107, **changed: Any) -> WatchModel:
    return WatchModel(*_networks(seed), about(**changed))


def watch(
    model: WatchModel | None = None, loader: FrameLoader | None = None, kinds: Collection[Kind] = KINDS
) -> Watch:
    """What watches with a network, by plain torch: nothing has to be compiled."""
    return Watch(Watcher(model or small_model(), engine="torch"), loader or Loader(), kinds)


def token(beat: int, *, printer: str = "p", job: str = "j", seed: int = 0, **changed: Any) -> Token:
    """A token of random numbers, of the n-th beat."""
    chance = np.random.default_rng([seed, beat])
    frame = FrameRef(camera="c", captured_ns=(5 * beat + 4) * NS_PER_S, width=640, height=480)
    told = {
        "printer": printer,
        "job": job,
        "model": "of-tiny-1",
        "beat": FIRST_BEAT + beat,
        "end_ns": (FIRST_BEAT + beat + 1) * BEAT_WINDOWS * NS_PER_S,
        "embedding": chance.normal(size=SIGHT_DIM).astype(np.float16).tobytes(),
        "where": np.zeros((GRID, GRID), np.uint8).tobytes(),
        "frame": frame,
        "sensors": chance.normal(size=SENSOR_DIM).astype(np.float16).tobytes(),
        "known": np.ones(SENSOR_DIM, np.bool_).tobytes(),
        "heard": True,
    }
    return Token(**(told | changed))
