"""The arms of a delta printer: from the head to carriages on three towers."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look
from ingest.simulate.looks.frames import TOWER_BEDS, TOWER_TURNS
from ingest.simulate.render.canvas import Soup
from ingest.simulate.render.shading import Gains, Shader
from ingest.simulate.toolpath import Position

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

ARM_BEDS = 1.05  # length of an arm in widths of the bed, as on a Kossel
JOINT_ABOVE_MM = 32.0  # the arms' lower joints over the nozzle's tip
JOINT_OUT_MM = 26.0
ARMS_APART_MM = 44.0  # between the two rods of a pair
ROD_MM = 3.5  # radius
ROD: tuple[float, float, float] = (0.04, 0.04, 0.045)  # carbon
MOST_UPRIGHT = 0.9  # of a rod's direction, that the vertical still tells its sides
_SIDES = 5


def arms(look: Look, nozzle: Position, shader: Shader, gains: Gains) -> Soup:
    """Three pairs of rods as they stand when the nozzle is somewhere; world coordinates."""
    tubes = [_tube(low, high) for low, high in _rods(look, nozzle)]
    vertices = np.concatenate([places for places, _ in tubes])
    normals = np.concatenate([normals for _, normals in tubes])
    lit = shader.shade(vertices, normals, np.array([ROD], np.float32), 0.4)
    faces = np.concatenate([_tube_faces() + i * 2 * _SIDES for i in range(len(tubes))])
    return Soup(vertices, faces.astype(np.int32), lit.under(gains))


def _rods(look: Look, nozzle: Position) -> list[tuple[Doubles, Doubles]]:
    """Lower and upper ends of the six rods, mm."""
    middle = np.array([look.printer.bed_mm[0] / 2, look.printer.bed_mm[1] / 2, 0.0])
    head = np.array([nozzle.x_mm, nozzle.y_mm, nozzle.z_mm + JOINT_ABOVE_MM])
    rods = []
    for angle in TOWER_TURNS:
        out = np.array([math.cos(angle), math.sin(angle), 0.0])
        aside = np.array([-out[1], out[0], 0.0]) * ARMS_APART_MM / 2
        low = head + JOINT_OUT_MM * out
        high = middle + TOWER_BEDS * look.printer.bed_mm[0] * out
        flat = float(np.hypot(*(high - low)[:2]))
        length = ARM_BEDS * look.printer.bed_mm[0]
        high[2] = low[2] + math.sqrt(max(length**2 - flat**2, 1.0))
        rods += [(low + side * aside, high + side * aside) for side in (-1, 1)]
    return rods


def _tube(low: Doubles, high: Doubles) -> tuple[Floats, Floats]:
    """Corners of a tube and their normals, [2 * sides, 3] each."""
    along = (high - low) / np.linalg.norm(high - low)
    level = abs(along[2]) < MOST_UPRIGHT
    first = np.cross(along, [0.0, 0.0, 1.0] if level else [1.0, 0.0, 0.0])
    first /= np.linalg.norm(first)
    angles = np.arange(_SIDES) * 2 * math.pi / _SIDES
    normals = np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * np.cross(along, first)
    places = np.concatenate([low + ROD_MM * normals, high + ROD_MM * normals])
    return places.astype(np.float32), np.concatenate([normals, normals]).astype(np.float32)


def _tube_faces() -> npt.NDArray[np.int32]:
    here = np.arange(_SIDES)
    after = (here + 1) % _SIDES
    first = np.column_stack([here, after, here + _SIDES])
    return np.concatenate([first, np.column_stack([after, after + _SIDES, here + _SIDES])]).astype(np.int32)
