"""Closed outlines seen from above: rings of corners, with the solid on their left.

A ring is float64 [corners, 2] mm, its first corner not repeated: counter-clockwise around what is solid,
clockwise around a hole. ``Rings`` is one cross-section: outer rings and holes, none crossing another.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.toolpath import Floats

Rings: TypeAlias = list[Floats]
Mask: TypeAlias = npt.NDArray[np.uint8]

SHORTEST_EDGE_MM = 0.02
SHARPEST = 0.15  # 1 + cosine of a corner: a sharper one is cut off at this, as slicers' mitres are
LEAST_AREA_MM2 = 0.3
MOST_CUTS = 8
LEAST_SINE = 0.05  # of two edges that meet: below it they are taken as parallel
TRIANGLE = 3  # corners: with fewer it is no ring
NEAR, MOST_NEAR = 0.8, 0.25
"""Shares of an inset: nearer to another rim a corner is too near; with more such corners a ring is none."""
LEAST_ROUND, MOST_ROUND = 16, 72


def following(ring: Floats) -> Floats:
    """For every corner the next one (np.roll takes ten times as long)."""
    return np.concatenate([ring[1:], ring[:1]])


def area_mm2(ring: Floats) -> float:
    """The area that a ring goes round, negative for a hole."""
    x, y = ring.T
    next_x, next_y = following(ring).T
    return float(np.dot(x, next_y) - np.dot(y, next_x)) / 2


def length_mm(ring: Floats) -> float:
    """How long a ring is."""
    return float(np.hypot(*(following(ring) - ring).T).sum())


def regular(radius_mm: float, corners: int, turn: float = 0.0) -> Floats:
    """A regular polygon; with many corners a circle. ``turn`` in radians."""
    angle = turn + np.arange(corners) * (math.tau / corners)
    return radius_mm * np.column_stack([np.cos(angle), np.sin(angle)])


def circle(radius_mm: float) -> Floats:
    """A circle with as many corners as slicers leave it: none further off than about 0.02 mm."""
    return regular(radius_mm, int(np.clip(15 * math.sqrt(radius_mm), LEAST_ROUND, MOST_ROUND)))


def box(width_mm: float, depth_mm: float, x_mm: float = 0.0, y_mm: float = 0.0) -> Floats:
    """A rectangle around (x, y)."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return np.asarray(corners * (width_mm, depth_mm) + (x_mm, y_mm))


def hole(ring: Floats) -> Floats:
    """The ring as the rim of a hole."""
    return ring[::-1].copy()


def moved(ring: Floats, x_mm: float, y_mm: float, turn: float = 0.0) -> Floats:
    """Turned around the origin (radians), then moved."""
    cosine, sine = math.cos(turn), math.sin(turn)
    return np.asarray(ring @ np.array([[cosine, sine], [-sine, cosine]]) + (x_mm, y_mm))


def inset(rings: Rings, by_mm: float) -> Rings:
    """Every ring moved into the solid by so much (out of it where negative); what vanishes is left out.

    Edges that would turn round are cut out. Holes may outgrow what is around them: see ``walls``.
    """
    return [ring for ring in (_inset(ring, by_mm) for ring in rings) if ring is not None]


def walls(rings: Rings, by_mm: float) -> Rings:
    """As ``inset``, without rings that would come too near to another one's rim: loops that can be laid."""
    shrunk = [_inset(ring, by_mm) for ring in rings]
    return [
        ring
        for number, ring in enumerate(shrunk)
        if ring is not None and not _meets(ring, rings[:number] + rings[number + 1 :], by_mm)
    ]


def _meets(ring: Floats, others: Rings, by_mm: float) -> bool:
    """Whether much of an inset ring is nearer to the other rims than so far inside of the solid."""
    places = np.concatenate([ring, (ring + following(ring)) / 2])
    near = np.zeros(len(places), np.bool_)
    for other in others:
        edges = following(other) - other
        way = places[:, None] - other[None]
        share = np.einsum("ijk,jk->ij", way, edges) / np.maximum((edges**2).sum(1), 1e-12)
        away = way - np.clip(share, 0.0, 1.0)[..., None] * edges
        near |= (away**2).sum(2).min(1) < (NEAR * by_mm) ** 2
    return bool(near.mean() > MOST_NEAR)


def _inset(ring: Floats, by_mm: float) -> Floats | None:
    ring = _without_short(ring)
    if len(ring) < TRIANGLE:
        return None
    edges = following(ring) - ring
    ways = edges / np.hypot(*edges.T)[:, None]
    left = np.column_stack([-ways[:, 1], ways[:, 0]])
    before = np.concatenate([left[-1:], left[:-1]])
    open_ = np.maximum(1.0 + np.einsum("ij,ij->i", left, before), SHARPEST)
    mitres = ring + by_mm * (left + before) / open_[:, None]
    inner = _without_turned(mitres, ring + by_mm * left, ways)
    if len(inner) < TRIANGLE or area_mm2(inner) * np.sign(area_mm2(ring)) < LEAST_AREA_MM2:
        return None
    return inner


def _without_short(ring: Floats) -> Floats:
    return np.asarray(ring[np.hypot(*(following(ring) - ring).T) > SHORTEST_EDGE_MM])


def _without_turned(mitres: Floats, places: Floats, ways: Floats) -> Floats:
    """The corners of a ring without edges that run against their way: what is beside them meets instead.

    ``mitres`` are the corners as they are, ``places`` a point on each moved edge, all [corners, 2].
    """
    kept, corners = np.arange(len(mitres)), mitres
    for _ in range(MOST_CUTS):
        runs_on = np.einsum("ij,ij->i", following(corners) - corners, ways[kept]) >= 0
        if runs_on.all():
            break
        kept = kept[runs_on]
        if len(kept) < TRIANGLE:
            return corners[:0]
        corners = _met(kept, mitres, places, ways)
    return corners


def _met(kept: npt.NDArray[np.intp], mitres: Floats, places: Floats, ways: Floats) -> Floats:
    """Where each of the edges ``kept`` meets the one kept before it."""
    last = np.concatenate([kept[-1:], kept[:-1]])
    apart = places[kept] - places[last]
    sine = ways[last, 0] * ways[kept, 1] - ways[last, 1] * ways[kept, 0]
    along = (apart[:, 0] * ways[kept, 1] - apart[:, 1] * ways[kept, 0]) / np.where(sine == 0, 1.0, sine)
    crossing = places[last] + along[:, None] * ways[last]
    flat = np.abs(sine) < LEAST_SINE
    crossing[flat] = (mitres[kept] + mitres[(last + 1) % len(mitres)])[flat] / 2
    beside = (kept - last) % len(mitres) == 1
    return np.where(beside[:, None], mitres[kept], crossing)


class Canvas:
    """A picture over a rectangle of the bed on which cross-sections are filled: ``mm`` per pixel."""

    def __init__(self, low: Floats, high: Floats, mm: float) -> None:
        self.low, self.mm = low, mm
        width, height = np.ceil((high - low) / mm).astype(int) + 1
        self.shape = (int(height), int(width))

    def fill(self, rings: Rings) -> Mask:
        """255 inside of the rings, 0 elsewhere."""
        mask = np.zeros(self.shape, np.uint8)
        for ring in sorted(rings, key=area_mm2, reverse=True):  # holes come last
            corners = np.round((ring - self.low) / self.mm * 16).astype(np.int32)
            cv2.fillPoly(mask, [corners], 255 if area_mm2(ring) > 0 else 0, shift=4)
        return mask

    def distance_mm(self, mask: Mask) -> npt.NDArray[np.float32]:
        """How far each pixel is from what is not 0."""
        away = cv2.distanceTransform(np.asarray(mask == 0, np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        return np.asarray(away * self.mm, np.float32)

    def outlines(self, mask: Mask) -> Rings:
        """The rims of what is not 0, holes left out, smoothed by about a pixel."""
        found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        smooth = [cv2.approxPolyDP(ring, 1.0, True)[:, 0].astype(np.float64) for ring in found]
        return [ring * self.mm + self.low for ring in smooth if len(ring) >= TRIANGLE]

    def holds(self, mask: Mask, points: Floats) -> npt.NDArray[np.bool_]:
        """Whether each of ``points`` [..., 2] lies on the mask."""
        at = np.round((points - self.low) / self.mm).astype(np.intp)
        column = np.clip(at[..., 0], 0, self.shape[1] - 1)
        row = np.clip(at[..., 1], 0, self.shape[0] - 1)
        return np.asarray(mask[row, column] > 0)


def bounds(rings: Rings) -> tuple[Floats, Floats]:
    """Lowest and highest x and y."""
    corners = np.concatenate(rings)
    return corners.min(0), corners.max(0)
