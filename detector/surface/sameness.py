"""Which pictures of a dataset are the same one: identical, or saved anew with another quality. Pure.

Such pictures on both sides of a split would let a network be checked on what it has learned by heart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

COARSE = 16
"""A picture's light and large shapes are compared in COARSE x COARSE cells …"""
FINER = 3
"""… and its detail, which tells two pictures of the same plain piece apart, in cells FINER times as fine."""
MAX_LIGHT = 2.0
"""Largest difference (root mean square over the coarse cells, grey levels) of the same picture saved anew."""
MIN_ALIKE = 0.95
"""Least correlation of the detail then. Between NEU's 1.6 million pairs of different pictures it reaches
0.88; saved anew as JPEG it is at least 0.985 at quality 75 and 0.95 at 50, where the light changes by 0.4."""

_CHUNK = 256


def groups_of_same(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """A number for each picture of [n, side, side, 3]: equal for pictures that are the same, else different.

    The number is the index of the group's first picture. Sides from COARSE * FINER pixels.
    """
    groups = np.arange(len(pictures))
    for one, other in (*_identical(pictures), *_alike(pictures)):
        first, second = sorted((groups[one], groups[other]))
        groups[groups == second] = first
    return groups


def _identical(pictures: npt.NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Each picture with the first one of the same pixels."""
    firsts: dict[bytes, int] = {}
    for at, picture in enumerate(pictures):
        first = firsts.setdefault(hashlib.blake2b(np.ascontiguousarray(picture).data).digest(), at)
        if first != at:
            yield first, at


def _alike(pictures: npt.NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Pairs within both bounds. In order of mean light, only near ones have to be compared."""
    coarse, detail = _marks(pictures)
    light = coarse.mean(1)
    order = np.argsort(light, kind="stable")
    reach = np.searchsorted(light[order], light[order] + MAX_LIGHT, side="right")
    for start in range(0, len(order), _CHUNK):
        rows = order[start : start + _CHUNK]
        near = order[start : reach[min(start + _CHUNK, len(order)) - 1]]
        same = (_distance(coarse[rows], coarse[near]) <= MAX_LIGHT) & (
            detail[rows] @ detail[near].T >= MIN_ALIKE
        )
        for row, column in np.argwhere(same):
            if row < column:
                yield int(rows[row]), int(near[column])


def _marks(pictures: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Light in coarse cells [n, cells] and detail [n, finer cells] of length 1 (0 for a picture without any).

    Of green alone: most of what is seen as grey is in it.
    """
    cells = COARSE * FINER
    edges = np.arange(cells) * pictures.shape[1] // cells
    areas = np.diff(edges, append=pictures.shape[1])
    fine = np.empty((len(pictures), cells, cells), np.float32)
    for at, picture in enumerate(pictures):
        rows = np.add.reduceat(picture[..., 1], edges, 0, dtype=np.float32)
        fine[at] = np.add.reduceat(rows, edges, 1) / np.outer(areas, areas)
    coarse = fine.reshape(-1, COARSE, FINER, COARSE, FINER).mean((2, 4))
    detail = (fine - coarse.repeat(FINER, 1).repeat(FINER, 2)).reshape(len(fine), -1)
    length = np.linalg.norm(detail, axis=1, keepdims=True)
    return coarse.reshape(len(fine), -1), np.divide(
        detail, length, out=np.zeros_like(detail), where=length > 0
    )


def _distance(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Root mean square difference of each row of one to each of the other."""
    one64, other64 = one.astype(np.float64), other.astype(np.float64)
    squares = np.square(one64).sum(1)[:, None] + np.square(other64).sum(1) - 2 * one64 @ other64.T
    distance: npt.NDArray[np.float64] = np.sqrt(np.maximum(squares, 0) / one.shape[1])
    return distance
