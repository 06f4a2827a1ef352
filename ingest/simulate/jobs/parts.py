"""Which object on the bed a move belongs to: lines whose footprints touch are one object."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.repeats import repeats
from ingest.simulate.toolpath import NO_PART, Bytes, Floats

PIXEL_MM = 1.0
JOIN_PIXELS = 3
"""Width by which footprints grow: what is nearer than about so many mm is one object."""
MARGIN_MM = 4.0


def number_parts(points: Floats, builds: npt.NDArray[np.bool_]) -> Bytes:
    """The number of the object that each move is for, in the order of printing, [moves].

    ``points`` [moves + 1, 3] mm; ``builds`` [moves]: lays filament that is part of an object. Footprints are
    those of all layers together, so that an arch on two feet is one. Other moves belong to what is nearest.
    """
    if not builds.any():
        return np.zeros(len(builds), np.uint8)
    begin, end = points[:-1, :2], points[1:, :2]
    low = np.minimum(begin[builds].min(0), end[builds].min(0)) - MARGIN_MM
    high = np.maximum(begin[builds].max(0), end[builds].max(0)) + MARGIN_MM
    labels = _nearest(_footprint(begin[builds] - low, end[builds] - low, high - low))
    middle = np.clip((begin + end) / 2, low, high) - low
    column, row = (middle / PIXEL_MM).astype(np.intp).T
    return _in_order(labels[row, column], builds)


def _footprint(begin: Floats, end: Floats, size_mm: Floats) -> npt.NDArray[np.uint8]:
    """Picture of where lines lie, 0 there and 255 elsewhere, grown by half of what objects are apart."""
    picture = np.zeros((int(size_mm[1] / PIXEL_MM) + 2, int(size_mm[0] / PIXEL_MM) + 2), np.uint8)
    steps = np.ceil(np.hypot(*(end - begin).T) / PIXEL_MM).astype(np.intp) + 1
    line, number = repeats(steps)
    share = number / steps[line]
    column, row = ((begin[line] + share[:, None] * (end - begin)[line]) / PIXEL_MM).astype(np.intp).T
    picture[row, column] = 255
    grown = cv2.dilate(picture, np.ones((JOIN_PIXELS, JOIN_PIXELS), np.uint8))
    return np.asarray(255 - grown, np.uint8)


def _nearest(footprint: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """For every pixel the label of the nearest object."""
    _, labels = cv2.distanceTransformWithLabels(
        footprint, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    return np.asarray(labels, np.int32)


def _in_order(label: npt.NDArray[np.int32], builds: npt.NDArray[np.bool_]) -> Bytes:
    """Labels become numbers: the object that is begun first is 0."""
    seen, first = np.unique(label[builds], return_index=True)
    numbers = np.zeros(int(label.max()) + 1, np.uint8)
    numbers[seen[np.argsort(first)]] = np.minimum(np.arange(len(seen)), NO_PART - 1)
    return numbers[label]
