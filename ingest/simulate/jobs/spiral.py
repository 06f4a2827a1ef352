"""Vase mode: one wall that rises all the way round, on a few solid layers."""

from __future__ import annotations

import numpy as np

from ingest.simulate.jobs.paths import Layer, Path, closed
from ingest.simulate.jobs.plan import Placed, Process
from ingest.simulate.jobs.polygons import inset, moved
from ingest.simulate.toolpath import Feature, Floats


def spiral(placed: Placed, tops_mm: Floats, heights_mm: Floats, process: Process) -> list[Layer]:
    """The layers above the bottom ones, each one turn; empty paths where the solid has no section."""
    layers: list[Layer] = []
    last: Floats | None = None
    for top_mm, height_mm in zip(tops_mm, heights_mm, strict=True):
        turn = _turn(placed, float(top_mm), float(height_mm), process)
        if turn is not None and last is not None:
            turn = np.concatenate([last[-1:], turn[1:]])  # from where the last turn ended
        last = turn if turn is not None else last
        paths = [] if turn is None else [Path(Feature.OUTER_WALL, turn)]
        layers.append(Layer(float(top_mm), float(height_mm), paths))
    return layers


def _turn(placed: Placed, top_mm: float, height_mm: float, process: Process) -> Floats | None:
    """Once around, [points, 3] mm, rising by the layer's height."""
    rings = inset(placed.solid.outline(top_mm - height_mm / 2), process.line_mm / 2)
    if not rings:
        return None
    flat = closed(moved(rings[0], placed.x_mm, placed.y_mm, placed.turn))
    way_mm = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(flat, axis=0).T))])
    return np.column_stack([flat, top_mm - height_mm * (1.0 - way_mm / way_mm[-1])])
