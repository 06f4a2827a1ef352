"""Where the nozzle is at any moment of a print, and what it lays down: a job's moves by print time."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

CENTRE_MM = (110.0, 110.0)  # of a 220 x 220 mm bed
BED_MM = (220.0, 220.0)
FILAMENT_MM2 = math.pi * (1.75 / 2) ** 2
NO_PART = 255  # number of what belongs to no object: purge lines, skirts and brims

Floats: TypeAlias = npt.NDArray[np.float64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Integers: TypeAlias = npt.NDArray[np.int32]


class Position(NamedTuple):
    """Where the nozzle is, mm; ``e_mm`` is the filament pushed since the print's start."""

    x_mm: float
    y_mm: float
    z_mm: float
    e_mm: float


class Feature(IntEnum):
    """What a line of filament is for."""

    OTHER = 0
    OUTER_WALL = 1
    INNER_WALL = 2
    INFILL = 3
    SKIN = 4  # solid layers at the bottom and at the top
    SUPPORT = 5
    BRIM = 6  # and skirts
    BRIDGE = 7
    WIPE_TOWER = 8
    PURGE = 9  # the line before the print
    IRONING = 10


class Order(NamedTuple):
    """A command at a time: print time for a job's own, else seconds since the simulation's start."""

    at_s: float
    command: str


class Toolpath:
    """The moves of a job, by print time: seconds of printing at 100 % speed since its first move.

    Move ``i`` goes from ``points[i]`` to ``points[i + 1]`` between ``times_s[i]`` and ``times_s[i + 1]``.

    - ``times_s`` [moves + 1] s, never falling; ``points`` [moves + 1, 3] mm, bed coordinates; ``e_mm``
      [moves + 1] mm, filament off the spool
    - ``melted_mm_s`` [moves]: new filament that goes through the nozzle, mm/s; 0: a travel or a retraction
    - ``layer``, ``feature`` (``Feature``), ``part`` (number of the object on the bed, from 0, or
      ``NO_PART``), each [moves]
    - ``orders``: what else the job tells the board (M104, M106, M600, …), by print time
    """

    def __init__(
        self,
        times_s: Floats,
        points: Floats,
        melted_mm_s: Floats,
        layer: Integers,
        feature: Bytes,
        part: Bytes,
        orders: tuple[Order, ...] = (),
        bed_mm: tuple[float, float] = BED_MM,
    ) -> None:
        self.times_s, self.points, self.melted_mm_s = times_s, points, melted_mm_s
        self.layer, self.feature, self.part = layer, feature, part
        self.orders, self.bed_mm = orders, bed_mm
        spans_s = np.diff(times_s)
        self.e_mm = np.concatenate([[0.0], np.cumsum(melted_mm_s * spans_s)])
        self.duration_s = float(times_s[-1])
        self.mean_filament_mm_s = float(self.e_mm[-1]) / max(self.duration_s, 1e-9)

    def at(self, print_s: float) -> Position:
        """The nozzle's position at a print time; before and after the print it stands."""
        move = self.move_at(print_s)
        begin_s, end_s = self.times_s[move], self.times_s[move + 1]
        share = min(max((print_s - begin_s) / max(end_s - begin_s, 1e-9), 0.0), 1.0)
        x, y, z = self.points[move] + share * (self.points[move + 1] - self.points[move])
        e_mm = self.e_mm[move] + share * (self.e_mm[move + 1] - self.e_mm[move])
        return Position(float(x), float(y), float(z), float(e_mm))

    def move_at(self, print_s: float) -> int:
        """Number of the move that goes on at a print time."""
        move = int(np.searchsorted(self.times_s, print_s, side="right")) - 1
        return min(max(move, 0), len(self.melted_mm_s) - 1)

    def filament_mm_s(self, print_s: float) -> float:
        """Speed of the filament at a print time, mm/s; 0 before and after the print."""
        if not 0.0 <= print_s < self.duration_s:
            return 0.0
        return float(self.melted_mm_s[self.move_at(print_s)])

    def layer_begin_s(self, layer: int) -> float:
        """Print time at which a layer begins, the end of the print for one that it has not."""
        later = np.flatnonzero(self.layer >= layer)
        return float(self.times_s[later[0]]) if len(later) else self.duration_s


SIDES_MM = (40.0, 39.1, 38.2, 30.0, 20.0, 10.0)  # three walls, then something like infill
LAYER_MM = 0.3
LINE_MM = 0.45
PRINT_MM_S = 50.0
TRAVEL_MM_S = 150.0
E_PER_MM = LINE_MM * LAYER_MM / FILAMENT_MM2  # mm of filament for a mm of line
_LAYERS = 600


def square_rings(layers: int = _LAYERS) -> Toolpath:
    """The plainest job: square rings, one inside the other, layer upon layer, about 14.5 s each.

    Left out: acceleration (corners are taken at full speed) and retraction.
    """
    corners, extruding = _layer()
    flat = np.concatenate([corners[:1], np.tile(corners[1:], (layers, 1))])
    lengths = np.hypot(*np.diff(flat, axis=0).T)
    prints = np.tile(extruding, layers)
    times_s = np.concatenate([[0.0], np.cumsum(lengths / np.where(prints, PRINT_MM_S, TRAVEL_MM_S))])
    layer = np.repeat(np.arange(layers, dtype=np.int32), len(extruding))
    heights = np.concatenate([[LAYER_MM], (layer + 1) * LAYER_MM])
    feature = np.tile(_features(), layers)
    return Toolpath(
        times_s,
        np.column_stack([flat, heights]),
        np.where(prints, PRINT_MM_S * E_PER_MM, 0.0),
        layer,
        feature,
        np.zeros(len(layer), np.uint8),
    )


def _layer() -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Corners of one layer, [corners, 2] mm, back to the first; and which of the segments between extrude."""
    corners: list[tuple[float, float]] = []
    extruding: list[bool] = []
    for side in SIDES_MM:
        corners += _ring(side)
        extruding += [True, True, True, True, False]
    corners.append(corners[0])
    return np.array(corners), np.array(extruding)


def _features() -> Bytes:
    kinds = [Feature.OUTER_WALL, *[Feature.INNER_WALL] * 2, *[Feature.INFILL] * 3]
    return np.repeat(np.array(kinds, np.uint8), 5)


def _ring(side_mm: float) -> list[tuple[float, float]]:
    half = side_mm / 2
    turns = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    return [(CENTRE_MM[0] + half * x, CENTRE_MM[1] + half * y) for x, y in turns]
