"""The failure map read as boxes: neighbouring cells that stand out are one box. Pure, no network in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.anomaly import Box

SHARES = (0.3, 0.6, 0.9)
"""Where a failure ends: at cells of so much of the highest one's probability. No single share suits both a
faint failure and one that fills the picture, so all are tried (chosen, with SIZE_POWER, on held-out pictures
of the sources that are learned from: bench/real_boxes.py)."""
LEAST = 0.1
"""Probability below which a cell is part of no box, however much it stands out."""
SIZE_POWER = 0.15
"""How much a box's size counts: of two whose cells are as sure, the larger one is right more often."""
MOST = 255
"""The level that stands for probability 1 where a map is stored."""
SURE = 1e-6
"""No stored probability is nearer to 0 or 1 than this: as logits they would be without end."""
ROUNDING = 1e-9
"""Boxes that share less than this are neighbours."""


class FoundBox(NamedTuple):
    """Where a failure was seen."""

    box: Box
    probability: float  # the highest one among its cells
    rank: float  # the higher, the surer that the failure is just there: mean probability, less of a small box


def found_boxes(
    logits: npt.NDArray[np.floating[Any]],
    shares: Sequence[float] = SHARES,
    size_power: float = SIZE_POWER,
) -> list[FoundBox]:
    """Boxes of a map of logits [rows, columns], the surest first; none overlaps another one.

    Cells that share a side and have at least one of ``shares`` of the highest cell belong to one box.
    """
    candidates = _candidates(probabilities(logits), shares, size_power)
    found: list[FoundBox] = []
    for one in sorted(candidates, key=lambda one: -one.rank):
        if not any(_overlap(one.box, surer.box) for surer in found):
            found.append(one)
    return found


def _overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share more than an edge."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return min(across, down) > ROUNDING


def probabilities(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Logits as probabilities, of any shape."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -50, 50))), np.float64)


def levels(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """Logits as maps are stored: probability times MOST."""
    return np.rint(MOST * probabilities(logits)).astype(np.uint8)


def logits_of(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """What ``levels`` gave as logits again."""
    probability = np.clip(stored.astype(np.float64) / MOST, SURE, 1 - SURE)
    return np.asarray(np.log(probability / (1 - probability)), np.float64)


def _candidates(
    probability: npt.NDArray[np.float64], shares: Sequence[float], size_power: float
) -> list[FoundBox]:
    """The boxes at each share; those of one lie within those of a lower one."""
    found: list[FoundBox] = []
    for share in shares:
        parts = components(probability >= max(share * probability.max(), LEAST))
        for number in range(1, int(parts.max(initial=0)) + 1):
            box, cells = _around(parts == number), probability[parts == number]
            rank = float(cells.mean()) * (box.width * box.height) ** size_power
            found.append(FoundBox(box, float(cells.max()), rank))
    return found


def components(marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Number the parts of a mask [rows, columns] whose cells share a side from 1 on; 0 is what is not marked.

    A flood fill: a map has so few cells that nothing faster is worth its lines.
    """
    parts = np.zeros(marked.shape, np.int64)
    left = {(int(row), int(column)) for row, column in np.argwhere(marked)}
    number = 0
    for first in sorted(left):
        if first not in left:
            continue
        number += 1
        left.remove(first)
        reached = [first]
        while reached:
            row, column = reached.pop()
            parts[row, column] = number
            beside = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)} & left
            left -= beside
            reached += beside
    return parts


def _around(cells: npt.NDArray[np.bool_]) -> Box:
    """The smallest box that holds all marked cells, in shares of the map's sides."""
    rows, columns = np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))
    height, width = cells.shape
    return Box(
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1 - columns[0]) / width),
        float((rows[-1] + 1 - rows[0]) / height),
    )
