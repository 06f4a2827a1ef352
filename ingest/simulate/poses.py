"""Where a part is that has come loose: slid, turned, tipped over an edge, lifted."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ingest.simulate.deposit import Deposit
from ingest.simulate.laying import Bools
from ingest.simulate.moment import Pose
from ingest.simulate.toolpath import Floats

SLACK_MM = 1.2  # by how much lines that were laid later may stand out over the foot


class Footing(NamedTuple):
    """A part as it stands: middle of its foot [2] mm, half its size in x and y [2] mm, its height mm."""

    middle: Floats
    half: Floats
    height_mm: float

    @property
    def radius_mm(self) -> float:
        """Mean distance from its middle to its edge."""
        return float(self.half.mean())

    def edge_mm(self, way: Floats) -> float:
        """How far its edge is from its middle in a direction [2]."""
        return float(np.abs(way) @ self.half)


def footing_of(deposit: Deposit, own: Bools) -> Footing | None:
    """The footing of the part whose lines ``own`` [lines] marks, None where there are none yet."""
    if not own.any():
        return None
    ends = deposit.end[own]
    low, high = ends.min(axis=0).astype(np.float64), ends.max(axis=0).astype(np.float64)
    return Footing((low[:2] + high[:2]) / 2.0, (high[:2] - low[:2]) / 2.0, float(high[2]))


class Place(NamedTuple):
    """How a part lies: shift [3] mm, turn about its middle, tip by ``tip_rad`` towards ``way_rad``."""

    x_mm: float = 0.0
    y_mm: float = 0.0
    z_mm: float = 0.0
    yaw_rad: float = 0.0
    tip_rad: float = 0.0
    way_rad: float = 0.0


def pose_of(footing: Footing, place: Place) -> Pose:
    """The matrix [4, 4] that takes the part from where it was printed to its place.

    It tips over its own edge, so that nothing of it gets below the bed.
    """
    way = np.array([math.cos(place.way_rad), math.sin(place.way_rad)])
    edge = way * (footing.edge_mm(way) + SLACK_MM)
    x_mm, y_mm = footing.middle
    tipped = _moved(edge[0], edge[1]) @ _tipped(way, place.tip_rad) @ _moved(-edge[0], -edge[1])
    there = _moved(x_mm + place.x_mm, y_mm + place.y_mm, place.z_mm) @ _turned(place.yaw_rad)
    return np.asarray(there @ tipped @ _moved(-x_mm, -y_mm), np.float32)


def _moved(x_mm: float, y_mm: float, z_mm: float = 0.0) -> Floats:
    matrix = np.eye(4)
    matrix[:3, 3] = x_mm, y_mm, z_mm
    return matrix


def _turned(angle_rad: float) -> Floats:
    matrix = np.eye(4)
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    matrix[:2, :2] = (cos, -sin), (sin, cos)
    return matrix


def _tipped(way: Floats, angle_rad: float) -> Floats:
    """About the horizontal axis that is square to ``way``: what is up goes there (Rodrigues)."""
    x, y = way.tolist()
    cross = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
    matrix = np.eye(4)
    matrix[:3, :3] += math.sin(angle_rad) * cross + (1.0 - math.cos(angle_rad)) * (cross @ cross)
    return matrix
