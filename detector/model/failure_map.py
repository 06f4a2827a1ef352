"""The failure map read as boxes: neighbouring cells above a threshold are one box. Pure, no network in it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.anomaly import Box

MAP_THRESHOLD = 0.5
"""Probability from which a cell counts as failing, unless the model says otherwise."""


MOST = 255
"""The level that stands for probability 1 where a map is stored."""
SURE = 1e-6
"""No stored probability is nearer to 0 or 1 than this: as logits they would be without end."""


class FoundBox(NamedTuple):
    """Where a failure was seen, and the highest probability among its cells."""

    box: Box
    score: float


def found_boxes(logits: npt.NDArray[np.floating[Any]], threshold: float = MAP_THRESHOLD) -> list[FoundBox]:
    """Boxes of a map of logits [rows, columns], the surest first.

    Cells whose probability is at least ``threshold`` and that share a side belong to one box.
    """
    probability = probabilities(logits)
    parts = components(probability >= threshold)
    found = [
        FoundBox(_around(parts == number), float(probability[parts == number].max()))
        for number in range(1, int(parts.max(initial=0)) + 1)
    ]
    return sorted(found, key=lambda one: -one.score)


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
