"""What is said of a part: one record for each place that will not print as drawn."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Point: TypeAlias = tuple[float, float, float]

Severity = Literal["fails", "needs support", "risky"]
"""It does not print; it prints on support; it prints, and not well."""

GRAVITY: dict[Severity, int] = {"fails": 0, "needs support": 1, "risky": 2}
"""Order in which findings are told."""


class Problem(StrEnum):
    """What can be wrong with a place of a part."""

    THIN_WALL = "thin wall"
    SMALL_HOLE = "small hole"
    OVERHANG = "overhang"
    BRIDGE = "bridge"
    ISLAND = "island"


class Finding(NamedTuple):
    """One place of a part.

    ``where_mm`` is a point of the mesh, in its coordinates. ``size_mm`` is what decides: the thickness of a
    wall, the diameter of a hole, the span of a bridge, how far an overhang reaches out, the height of the air
    under an island. ``angle_deg`` is an overhang's angle from the vertical. ``area_mm2`` is the size of the
    place; ``faces`` int64 [k] are the mesh's faces that it concerns, for colouring.
    """

    problem: Problem
    severity: Severity
    where_mm: Point
    size_mm: float
    angle_deg: float | None
    area_mm2: float
    faces: Integers
    text: str


def place(point: Floats) -> str:
    """A point [3] as a reader sees it."""
    return "({:.1f}, {:.1f}, {:.1f})".format(*(point + 0.0))


def as_point(point: Floats) -> Point:
    """A point [3] as a record holds it."""
    x, y, z = (float(value) for value in point)
    return (x, y, z)
