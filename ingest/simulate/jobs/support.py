"""What is printed under the parts to carry them: supports below overhangs, rafts."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.jobs.hatch import chained
from ingest.simulate.jobs.paths import Path
from ingest.simulate.jobs.polygons import Canvas, Mask
from ingest.simulate.toolpath import Feature, Floats

PIXEL_MM = 0.5  # of the canvas that supports are found on
STEEP_PIXELS = 3
"""Width of the kernel by which a layer carries the next: half a millimetre further on each side."""
SLOPE_LAYERS, SLOPE_PIXELS = 5, 5  # likewise over some layers: beyond about 45 degrees
LEAST_PIXELS = 3  # 1.5 mm: what is narrower holds by itself
GAP_PIXELS = 3  # between support and part
SPACING_MM = 2.2  # PrusaSlicer's pattern spacing is 2.5
LINK_SPACINGS = 2.5
WOBBLE_MM = 0.45  # by how much thin free-standing lines come out beside where they were meant
SHORTEST_MM = 1.5
RAFT_LAYERS = 3
RAFT_MARGIN_MM = 3.0
RAFT_SPACING_MM = 1.0


def supports(solid: list[Mask]) -> list[Mask]:
    """Where supports stand on each layer, from where the parts are on each, bottom to top."""
    need: Mask = np.zeros_like(solid[0])
    masks = [need] * len(solid)
    for layer in range(len(solid) - 2, -1, -1):
        for above, pixels in ((1, STEEP_PIXELS), (SLOPE_LAYERS, SLOPE_PIXELS)):
            next_up = solid[min(layer + above, len(solid) - 1)]
            need = np.bitwise_or(need, _hanging(solid[layer], next_up, pixels))
        need = _apart(need, solid[layer], GAP_PIXELS)
        masks[layer] = need
    return masks


def _hanging(carrier: Mask, above: Mask, pixels: int) -> Mask:
    """What of ``above`` is further out than what is below it carries, without slivers."""
    if above is carrier:
        return np.zeros_like(above)
    hangs = _apart(above, carrier, pixels)
    return np.asarray(cv2.morphologyEx(hangs, cv2.MORPH_OPEN, _square(LEAST_PIXELS)), np.uint8)


def _apart(mask: Mask, other: Mask, pixels: int) -> Mask:
    return np.asarray(cv2.bitwise_and(mask, cv2.bitwise_not(cv2.dilate(other, _square(pixels)))), np.uint8)


def zigzag(
    canvas: Canvas, mask: Mask, along_y: bool, spacing_mm: float, rng: np.random.Generator
) -> list[Path]:
    """Wide zigzags over the mask, none of them quite straight."""
    if not mask.any():
        return []
    picture = mask.T if along_y else mask
    row, left, right = _rows(picture, max(round(spacing_mm / canvas.mm), 1))
    keep = (right - left) * canvas.mm > SHORTEST_MM
    step_mm = max(round(spacing_mm / canvas.mm), 1) * canvas.mm
    lines = chained(
        row[keep], left[keep] * canvas.mm, right[keep] * canvas.mm, step_mm, LINK_SPACINGS * step_mm
    )
    return [Path(Feature.SUPPORT, _wobbled(line, canvas, along_y, rng)) for line in lines]


def raft(canvas: Canvas, footprint: Mask, layer: int, rng: np.random.Generator) -> list[Path]:
    """One layer of a raft under the footprint."""
    spread = np.asarray(canvas.distance_mm(footprint) < RAFT_MARGIN_MM, np.uint8)
    return zigzag(canvas, spread, bool(layer % 2), RAFT_SPACING_MM, rng)


def _rows(picture: Mask, step: int) -> tuple[npt.NDArray[np.intp], Floats, Floats]:
    """Stretches of every ``step``-th row that are not 0: number of the row, first pixel, last pixel."""
    rows = np.pad(picture[step // 2 :: step] > 0, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(rows, axis=1)
    row, left = np.nonzero(edges > 0)
    _, right = np.nonzero(edges < 0)
    return row, left.astype(np.float64), right.astype(np.float64) - 1.0


def _wobbled(line: Floats, canvas: Canvas, along_y: bool, rng: np.random.Generator) -> Floats:
    wobbly = line + rng.normal(0.0, WOBBLE_MM / 2, line.shape)
    return (wobbly[:, ::-1] if along_y else wobbly) + canvas.low


def _square(pixels: int) -> Mask:
    return np.ones((pixels, pixels), np.uint8)
