"""What the slicer lays on a layer: paths with what they are for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ingest.simulate.jobs.plan import Speeds
from ingest.simulate.toolpath import Feature, Floats


class Path(NamedTuple):
    """An unbroken line of filament: ``points`` [points, 2] mm, or [points, 3] where it rises.

    ``flow`` is its share of a full line's cross-section.
    """

    feature: Feature
    points: Floats
    flow: float = 1.0


class Layer(NamedTuple):
    """All that is laid at a height; ``z_mm`` is the layer's top, ``height_mm`` its own."""

    z_mm: float
    height_mm: float
    paths: list[Path]


WORDS: dict[Feature, str] = {
    Feature.OTHER: "Custom",
    Feature.OUTER_WALL: "External perimeter",
    Feature.INNER_WALL: "Perimeter",
    Feature.INFILL: "Internal infill",
    Feature.SKIN: "Solid infill",
    Feature.SUPPORT: "Support material",
    Feature.BRIM: "Skirt/Brim",
    Feature.BRIDGE: "Bridge infill",
    Feature.WIPE_TOWER: "Wipe tower",
    Feature.PURGE: "Custom",
    Feature.IRONING: "Ironing",
}
"""PrusaSlicer's."""


def speed_of(feature: Feature, speeds: Speeds) -> float:
    """How fast a feature is printed above the first layer, mm/s."""
    return {
        Feature.OUTER_WALL: speeds.outer,
        Feature.INNER_WALL: speeds.inner,
        Feature.INFILL: speeds.infill,
        Feature.SKIN: speeds.skin,
        Feature.SUPPORT: speeds.support,
        Feature.BRIDGE: speeds.bridge,
        Feature.WIPE_TOWER: speeds.inner,
        Feature.IRONING: speeds.ironing,
    }.get(feature, speeds.first_layer)


def placed(path: Path, x_mm: float, y_mm: float, turn: float) -> Path:
    """The path turned around the origin (radians), then moved."""
    cosine, sine = np.cos(turn), np.sin(turn)
    points = path.points.copy()
    points[:, :2] = path.points[:, :2] @ np.array([[cosine, sine], [-sine, cosine]]) + (x_mm, y_mm)
    return path._replace(points=points)


def length_mm(path: Path) -> float:
    """How long the path is."""
    return float(np.sqrt((np.diff(path.points, axis=0) ** 2).sum(1)).sum())


def closed(ring: Floats, first: int = 0) -> Floats:
    """The ring as a path that begins and ends at a corner."""
    return np.concatenate([ring[first:], ring[: first + 1]])
