"""Things that move while the shutter is open smear."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.render.camera import Area
from ingest.simulate.render.canvas import Canvas

Floats: TypeAlias = npt.NDArray[np.float32]

LEAST_PX = 1.8  # of the canvas: shorter ways do not show
LEAST_LARGE_PX = 5.0  # of what fills much of the picture: smearing that takes time
MOST_PX = 41


def shows(way_px: tuple[float, float], least_px: float = LEAST_PX) -> bool:
    """Whether a way is long enough to smear anything."""
    return float(np.hypot(*way_px)) >= least_px


def widened(area: Area | None, canvas: Canvas) -> Area:
    """An area with room for smearing around it; all of a canvas for None."""
    height, width = canvas.depth.shape
    rows, columns = area or (slice(0, height), slice(0, width))
    margin = MOST_PX + 2
    wide = slice(max(columns.start - margin, 0), min(columns.stop + margin, width))
    return slice(max(rows.start - margin, 0), min(rows.stop + margin, height)), wide


def smear(canvas: Canvas, before: Canvas, way_px: tuple[float, float], within: Area) -> None:
    """Smear what was drawn on ``canvas`` since it was ``before`` along a way (right, down), canvas pixels.

    All that was drawn lies ``within`` an area with room around it.
    """
    length = float(np.hypot(*way_px))
    way = np.array(way_px) * min(1.0, MOST_PX / length)
    changed = canvas.depth[within] != before.depth[within]
    area = _bounds(changed, round(min(length, MOST_PX)) + 2)
    if area is None:
        return
    mask = changed[area].astype(np.uint8)
    area = _inner(within, area)
    own = np.asarray(cv2.bitwise_and(canvas.colour[area], canvas.colour[area], mask=mask), np.float32)
    moving = _along(own, way)
    share = _along(mask.astype(np.float32), way)
    behind = before.colour[area]
    hidden = cv2.multiply(behind, cv2.merge([share, share, share]))
    canvas.colour[area] = cv2.add(cv2.subtract(behind, hidden), moving)


def softened(picture: Floats, sigma_px: float, into: Floats | None = None) -> Floats:
    """A Gaussian blur cut off at 1.7 standard deviations: half as long as OpenCV does it, as good here."""
    size = 2 * max(round(1.7 * sigma_px), 1) + 1
    return np.asarray(cv2.GaussianBlur(picture, (size, size), sigma_px, into), np.float32)


def _bounds(changed: npt.NDArray[np.bool_], margin: int) -> Area | None:
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return None
    spans = []
    for hits, size in zip((rows, columns), changed.shape, strict=True):
        spans.append(slice(max(int(hits[0]) - margin, 0), min(int(hits[-1]) + margin + 1, size)))
    return spans[0], spans[1]


def _inner(outer: Area, inner: Area) -> Area:
    """An area of an area, as one of the whole."""
    rows, columns = (
        slice(own.start + whole.start, own.stop + whole.start)
        for whole, own in zip(outer, inner, strict=True)
    )
    return rows, columns


def _along(picture: Floats, way: npt.NDArray[np.float64]) -> Floats:
    """The mean of a picture's copies along a way [2] (right, down): each step doubles their number."""
    whole = np.zeros(2, np.int64)
    for part in range(1, 8):
        step = np.rint(way / 2**part).astype(np.int64)
        if not step.any():
            break
        whole += step
        shifted = _shifted(picture, step)
        picture = np.asarray(cv2.addWeighted(picture, 0.5, shifted, 0.5, 0.0), np.float32)
    return _shifted(picture, -(whole // 2))


def _shifted(picture: Floats, step: npt.NDArray[np.int64]) -> Floats:
    """A picture moved by whole pixels (right, down), black where nothing comes from."""
    columns, rows = (int(size) for size in step)
    height, width = picture.shape[:2]
    shifted = np.zeros_like(picture)
    there = _span(rows, height), _span(columns, width)
    here = _span(-rows, height), _span(-columns, width)
    shifted[there] = picture[here]
    return shifted


def _span(step: int, size: int) -> slice:
    return slice(min(max(step, 0), size), max(min(size + step, size), 0))
