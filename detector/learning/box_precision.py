"""mAP50: how well found boxes meet the true ones, as PASCAL VOC counts it (from 2010 on: all points)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.anomaly import Box
from detector.learning.boxes import shared
from detector.model.failure_map import FoundBox
from detector.training.metrics import Floats
from ingest.errors import UsageError

MIN_IOU = 0.5


def iou(one: Box, other: Box) -> float:
    """Area of what two boxes share by the area of what they hold together."""
    both = shared(one, other)
    together = one.width * one.height + other.width * other.height - both
    return both / together if together > 0 else 0.0


def box_average_precision(
    found: Sequence[Sequence[FoundBox]], true: Sequence[Sequence[Box]], least: float = MIN_IOU
) -> float:
    """Average precision of the found boxes of n pictures against the true ones; of one class it is the mAP.

    The surest found box comes first; it is right where it meets, by at least ``least`` IoU, the true box that
    it meets best, and no other one did before (VOC devkit). Precision is made to fall with recall and summed
    over all its steps. Raises UsageError without a true box.
    """
    total = sum(map(len, true))
    if not total:
        raise UsageError("found 0 true boxes, expected at least one: does the source have boxes?")
    ranked = sorted(
        ((one, at) for at, boxes in enumerate(found) for one in boxes), key=lambda pair: -pair[0].rank
    )
    taken: set[tuple[int, int]] = set()
    right = []
    for one, at in ranked:
        met = [iou(one.box, box) for box in true[at]]
        best = int(np.argmax(met)) if met else 0
        right.append(bool(met) and met[best] >= least and (at, best) not in taken)
        if right[-1]:
            taken.add((at, best))
    return _area(np.cumsum(right, dtype=np.float64), total)


def _area(hits: Floats, total: int) -> float:
    """Below precision over recall, each precision raised to the best at its recall or beyond."""
    if not len(hits):
        return 0.0
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(hits, prepend=0) * best).sum() / total)
