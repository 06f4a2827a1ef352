"""Straight lines that fill a cross-section: infill, skins, supports."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.jobs.polygons import Rings, following, moved
from ingest.simulate.repeats import repeats
from ingest.simulate.toolpath import Floats

Flags: TypeAlias = npt.NDArray[np.bool_]
Inside: TypeAlias = Callable[..., Flags]
"""From which of the sections a place lies in, [places] each, to whether it is to be filled."""

SHORTEST_LINE_MM = 0.8
SURE_LINK_MM = 1.5  # shorter links leave no part by more than slicers' do
LINK_SPACINGS = 1.6
"""Ends of neighbouring lines nearer than so many spacings are joined, as slicers do along the walls."""


def hatch(
    sections: Sequence[Rings],
    inside: Inside,
    turn: float,
    spacing_mm: float,
    shortest_mm: float = SHORTEST_LINE_MM,
) -> list[Floats]:
    """Lines ``spacing_mm`` apart in the direction ``turn`` (radians) wherever ``inside`` says, as polylines.

    Each polyline [points, 2] mm goes to and fro; lines lie at the same places on every layer. Lines shorter
    than ``shortest_mm`` are left out; ends near to each other are joined inside of the first section.
    """
    row, x, state = _crossings(sections, turn, spacing_mm)
    if not len(row):
        return []
    keep = inside(*state)
    begins = np.flatnonzero(keep & ~np.concatenate([[False], keep[:-1]]))
    ends = np.flatnonzero(~keep & np.concatenate([[False], keep[:-1]]))
    row, left, right = row[begins], x[begins], x[ends]
    long_enough = right - left > shortest_mm
    within = [moved(ring, 0.0, 0.0, -turn) for ring in sections[0]]
    link_mm = LINK_SPACINGS * spacing_mm
    lines = chained(row[long_enough], left[long_enough], right[long_enough], spacing_mm, link_mm, within)
    return [moved(line, 0.0, 0.0, turn) for line in lines]


def _crossings(
    sections: Sequence[Rings], turn: float, spacing_mm: float
) -> tuple[npt.NDArray[np.intp], Floats, list[Flags]]:
    """Where the lines cross the sections' rings, sorted along the lines: row, x, and for each section
    whether what follows lies in it."""
    crossed = [
        (*_cross(moved(ring, 0.0, 0.0, -turn), spacing_mm), number)
        for number, rings in enumerate(sections)
        for ring in rings
    ]
    if not crossed:
        return np.zeros(0, np.intp), np.zeros(0), []
    row = np.concatenate([rows for rows, *_ in crossed])
    x = np.concatenate([places for _, places, *_ in crossed])
    wind = np.concatenate([winds for *_, winds, _ in crossed])
    owner = np.repeat([number for *_, number in crossed], [len(rows) for rows, *_ in crossed])
    order = np.lexsort((x, row))
    row, x, wind, owner = row[order], x[order], wind[order], owner[order]
    state = [np.cumsum(np.where(owner == number, wind, 0)) > 0 for number in range(len(sections))]
    return row, x, state


def _cross(ring: Floats, spacing_mm: float) -> tuple[npt.NDArray[np.intp], Floats, npt.NDArray[np.intp]]:
    """Row and place of each crossing, and whether the ring's inside begins (1) or ends there (-1).

    Winding, not parity: where a hole has outgrown the rim around it, nothing is inside.
    """
    after = following(ring)
    low = np.ceil(np.minimum(ring[:, 1], after[:, 1]) / spacing_mm - 0.5).astype(np.intp)
    high = np.ceil(np.maximum(ring[:, 1], after[:, 1]) / spacing_mm - 0.5).astype(np.intp)
    edge, number = repeats(high - low)
    row = low[edge] + number
    y = (row + 0.5) * spacing_mm
    begin, end = ring[edge], after[edge]
    share = (y - begin[:, 1]) / (end[:, 1] - begin[:, 1])
    wind = np.where(end[:, 1] < begin[:, 1], 1, -1)  # the solid is on the left
    return row, begin[:, 0] + share * (end[:, 0] - begin[:, 0]), wind


def chained(
    row: npt.NDArray[np.intp],
    left: Floats,
    right: Floats,
    spacing_mm: float,
    link_mm: float,
    within: Rings | None = None,
) -> list[Floats]:
    """Lines joined to polylines: what is the k-th line of rows with equally many belongs together.

    Ends are joined that are nearer than ``link_mm``, if the middle between them lies ``within`` the rings.
    """
    if not len(row):
        return []
    rows, first, count = np.unique(row, return_index=True, return_counts=True)
    place = np.arange(len(row)) - np.repeat(first, count)
    new_block = np.ones(len(rows), np.bool_)
    new_block[1:] = (np.diff(count) != 0) | (np.diff(rows) != 1)
    block = np.repeat(np.cumsum(new_block), count)
    order = np.lexsort((row, place, block))
    row, left, right, place, block = row[order], left[order], right[order], place[order], block[order]
    flip = row % 2 == 1
    begin, end = np.where(flip, right, left), np.where(flip, left, right)
    points = np.column_stack([begin, end]).reshape(-1)
    y = np.repeat((row + 0.5) * spacing_mm, 2)
    long_mm = np.hypot(begin[1:] - end[:-1], np.diff(row) * spacing_mm)
    cut = (np.diff(block) != 0) | (np.diff(place) != 0) | (long_mm > link_mm)
    if within:
        doubtful = np.flatnonzero(~cut & (long_mm > SURE_LINK_MM))
        middles = np.column_stack([begin[1:] + end[:-1], y[2::2] + y[1:-1:2]])[doubtful] / 2
        cut[doubtful] = ~_inside_of(within, middles)
    return np.split(np.column_stack([points, y]), 2 * (np.flatnonzero(cut) + 1))


def _inside_of(rings: Rings, points: Floats) -> Flags:
    """Whether the rings wind around each of the points [points, 2]."""
    begin = np.concatenate(rings)
    end = np.concatenate([following(ring) for ring in rings])
    x, y = points[:, :1], points[:, 1:]
    up, down = (begin[:, 1] <= y) & (end[:, 1] > y), (begin[:, 1] > y) & (end[:, 1] <= y)
    rise = np.where(end[:, 1] == begin[:, 1], 1.0, end[:, 1] - begin[:, 1])
    right = begin[:, 0] + (y - begin[:, 1]) / rise * (end[:, 0] - begin[:, 0]) > x
    return np.asarray((up & right).sum(axis=1) > (down & right).sum(axis=1))


def crosswise(layer: int) -> float:
    """The direction of straight fillings on a layer, radians: 45° and 135° in turn."""
    return math.pi / 4 if layer % 2 else -math.pi / 4
