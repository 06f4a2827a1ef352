"""Where an arc of G2 or G3 runs: its length and its directions at both ends. Pure geometry, in mm."""

from __future__ import annotations

from math import atan2, copysign, hypot, sqrt, tau
from typing import NamedTuple

NOTHING_MM = 1e-6
"""Ends nearer than this are one point: with a centre given, the arc is a full circle (Marlin NEAR)."""


class Arc(NamedTuple):
    """An arc seen from above: length in mm, unit vectors of the direction at its start and its end."""

    mm: float
    start: tuple[float, float]
    end: tuple[float, float]


def arc_around(dx: float, dy: float, i: float, j: float, *, clockwise: bool) -> Arc | None:
    """The arc from (0, 0) to (dx, dy) around the centre (i, j); None where the centre is the start.

    A full circle where both ends are one point. As Marlin, the radius is that of the start.
    """
    radius = hypot(i, j)
    if radius < NOTHING_MM:
        return None
    turn = -1.0 if clockwise else 1.0
    to_start, to_end = (-i, -j), (dx - i, dy - j)
    angle = turn * (atan2(to_end[1], to_end[0]) - atan2(to_start[1], to_start[0])) % tau
    if hypot(dx, dy) < NOTHING_MM:
        angle, to_end = tau, to_start
    return Arc(radius * angle, _tangent(to_start, turn), _tangent(to_end, turn))


def centre(dx: float, dy: float, radius: float, *, clockwise: bool) -> tuple[float, float] | None:
    """The centre (i, j) of the arc from (0, 0) to (dx, dy); a negative radius takes the long way round.

    None where both ends are one point: no radius tells where a full circle lies. A radius that is too short
    to reach becomes half the distance, as in Marlin.
    """
    distance = hypot(dx, dy)
    if distance < NOTHING_MM:
        return None
    aside = sqrt(max(radius * radius - distance * distance / 4, 0.0)) / distance
    aside = copysign(aside, -radius if clockwise else radius)
    return dx / 2 - aside * dy, dy / 2 + aside * dx


def _tangent(spoke: tuple[float, float], turn: float) -> tuple[float, float]:
    """The direction of travel at the end of a spoke."""
    length = hypot(*spoke) or 1.0
    return -turn * spoke[1] / length, turn * spoke[0] / length
