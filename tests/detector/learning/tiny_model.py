"""A small watch model that was never trained, and tiny prints as it sees them."""

from __future__ import annotations

import torch

from detector.learning.seen import nothing
from detector.learning.sequences import TokenSequence, sequence_of
from detector.learning.shards import Shard
from detector.model.frame_network import build_frame_network
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalShape, build_temporal
from detector.model.watch_model import WatchAbout, WatchModel
from features.channels import SENSOR_DIM

SHAPE = TemporalShape(
    embedding=SIGHT_DIM, sensors=SENSOR_DIM, width=16, heads=2, layers=1, band=8, dropout=0.0
)


def tiny_model(seed: int = 0) -> WatchModel:
    """It alarms at 0.5, by 2 of 3 beats."""
    frame = build_frame_network("squeezenet", seed=seed).eval()
    frame.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    about = WatchAbout(
        version=f"tiny-{seed}",
        backbone=frame.kind,
        temporal=SHAPE,
        threshold=0.5,
        min_beats=2,
        within_beats=3,
    )
    return WatchModel(frame, build_temporal(SHAPE, seed).eval(), about)


def unseen(shard: Shard) -> TokenSequence:
    """A print of whose frames nothing is said."""
    return sequence_of(shard, nothing(len(shard.beats)))
