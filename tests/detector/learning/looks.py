"""Prints whose pictures are all alike, but for their last part: what they show beyond their past is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from detector.anomaly import Kind
from detector.learning.seen import SeenFrames, nothing, write_seen
from detector.learning.sequences import Filed
from detector.model.failure_map import levels
from tests.detector.learning.tiny_prints import tiny, write_prints

LONG, ONSET = 80, 50
QUIET = -4.0


def filed(folder: Path, kind: Kind | None, high: float, name: str = "p") -> Filed:
    """A print whose maps' peaks are low, and ``high`` in its last part."""
    shard = tiny(name, kind, beats=LONG, onset=ONSET)
    (path,) = write_prints(folder, [shard])
    embeddings, where, failing = nothing(LONG)
    where[:] = levels(np.where(np.arange(LONG) >= ONSET, high, QUIET))[:, None, None]
    write_seen(path.with_suffix(".seen"), SeenFrames(embeddings, where, failing))
    return Filed(path, path.with_suffix(".seen"))
