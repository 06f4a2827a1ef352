"""What a print has besides walls and fillings: fuzzy skin, ironing, skirt, brim, wipe tower."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ingest.simulate.jobs.hatch import Flags, hatch
from ingest.simulate.jobs.paths import Path, closed
from ingest.simulate.jobs.polygons import Canvas, Mask, Rings, box, moved
from ingest.simulate.repeats import repeats
from ingest.simulate.toolpath import Feature, Floats

FUZZY_STEP_MM = 0.9  # PrusaSlicer's fuzzy_skin_point_dist is 0.8
IRON_SPACING_MM = 0.2  # PrusaSlicer's is 0.1, Cura's too; 0.2 halves the moves
IRON_FLOW = 0.15  # PrusaSlicer's ironing_flowrate
SKIRT_GAP_MM = 5.0
WIPE_SPACING_MM = 1.4


def fuzzy(points: Floats, by_mm: float, rng: np.random.Generator) -> Floats:
    """The closed path in short steps, each point off the wall by up to ``by_mm`` to either side."""
    ways = np.diff(points, axis=0)
    lengths = np.hypot(*ways.T)
    steps = np.maximum(np.round(lengths / FUZZY_STEP_MM), 1).astype(np.intp)
    edge, number = repeats(steps)
    share = (number + rng.random(len(edge))) / steps[edge]
    left = np.column_stack([-ways[:, 1], ways[:, 0]]) / np.maximum(lengths, 1e-9)[:, None]
    aside = rng.uniform(-by_mm, by_mm, len(edge))
    rough = points[edge] + share[:, None] * ways[edge] + aside[:, None] * left[edge]
    return np.concatenate([rough, rough[:1]])


def ironed(sections: Sequence[Rings], turn: float) -> list[Path]:
    """Narrow passes over what of the first section is not under the second."""
    lines = hatch(sections, _uncovered, turn + math.pi / 2, IRON_SPACING_MM, 2.0)
    return [Path(Feature.IRONING, line, IRON_FLOW) for line in lines]


def _uncovered(here: Flags, above: Flags | None = None) -> Flags:
    return here if above is None else here & ~above


def loops_around(canvas: Canvas, footprint: Mask, first_mm: float, loops: int, line_mm: float) -> list[Path]:
    """Loops of skirt or brim around the footprint, from the outside to the inside."""
    away_mm = canvas.distance_mm(footprint)
    rings: Rings = []
    for number in reversed(range(loops)):
        rings += canvas.outlines((away_mm < first_mm + number * line_mm).astype(np.uint8))
    return [Path(Feature.BRIM, closed(ring)) for ring in rings]


def skirt(canvas: Canvas, footprint: Mask, loops: int, line_mm: float) -> list[Path]:
    """Loops that stand off from the print."""
    return loops_around(canvas, footprint, SKIRT_GAP_MM, loops, line_mm)


def brim(canvas: Canvas, footprint: Mask, width_mm: float, line_mm: float) -> list[Path]:
    """Loops that hold the first layer's rim."""
    return loops_around(canvas, footprint, line_mm / 2, max(round(width_mm / line_mm), 1), line_mm)


class WipeTower:
    """A block beside the print in which the nozzle wipes on every layer."""

    def __init__(self, x_mm: float, y_mm: float, width_mm: float, depth_mm: float) -> None:
        self._at = x_mm, y_mm
        self._rim = box(width_mm, depth_mm)
        self.footprint: Rings = [moved(self._rim, x_mm, y_mm)]

    def paths(self, layer: int, line_mm: float) -> list[Path]:
        """Its rim, then a zigzag; the layer it stands on is solid."""
        spacing_mm = WIPE_SPACING_MM if layer else line_mm
        lines = hatch([[self._rim]], _uncovered, math.pi / 2 * (layer % 2), spacing_mm)
        return [Path(Feature.WIPE_TOWER, moved(line, *self._at)) for line in [closed(self._rim), *lines]]
