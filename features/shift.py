"""Where a picture lies against an earlier one of the same camera: small grey thumbnails, compared. Pure.

Compared is structure, not brightness: each cell against its neighbours, in units of their contrast. So a lamp
that is switched changes little, and a camera that is moved changes everything. Parts that move by themselves
(bed, head) differ from picture to picture and weigh little; and where one of them alone is found elsewhere,
the rest has stayed.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

Thumbnail: TypeAlias = npt.NDArray[np.uint8]  # [CELLS, CELLS], grey
Cells: TypeAlias = npt.NDArray[np.float32]  # [CELLS, CELLS]

CELLS = 24
"""Cells along a thumbnail's side: one is 4 % of the picture, and a thumbnail is 576 bytes."""
FARTHEST = 6
"""Shifts are sought up to so many cells (25 %) in each direction."""
AROUND = (5, 5)
"""A cell's neighbourhood, in cells."""
NOISE_LEVELS = 6.0
"""Added to a neighbourhood's contrast, of 255: noise in a plain wall is no structure."""
UNSTEADY = 0.35
"""Mean deviation, in units of structure, at which a cell weighs half."""
LEAST_OVERLAP = 0.3
"""Share of the whole weight that must lie in the overlap of two shifted pictures."""

UNMOVED = 0.75
"""Agreement from which no shift is sought: normal prints keep above 0.72, lamps above 0.69."""
SHIFTED_AGREEMENT, SHIFTED_GAIN = 0.5, 0.12
"""A scene is shifted where it agrees so well elsewhere, and so much better than where it was.

Shifts of 5 to 20 % agree by 0.54 to 0.91 and gain 0.11 to 1.1; lamps gain nothing, hands up to 0.05.
"""
STAYING_AREA = (7, 7)
"""Around each cell it is asked whether this part of the picture has stayed, in cells."""
STAYING_AGREEMENT, STAYING_GAIN = 0.6, 0.3
"""A part has stayed that agrees so well with what was there, so much better than with what has shifted."""
STAYING_SHARE = 0.1
"""More that has stayed, and it is a part that moves, not the camera: moved cameras leave up to 0.08."""
TEXTURED = 0.15
"""Mean square of structure from which an area has enough of it to be recognised."""
ANOTHER_AGREEMENT = 0.45
"""Below this at every shift it is another scene: other prints and pictures turned upside down reach 0.41."""
STEADY_SHARE = 0.15
"""Share of the picture that must be steady for a shift to be told: a camera on the head sees nothing so."""
ALIKE_CELLS, ALIKE_AGREEMENT = 1, 0.4
"""How far shifts may differ, and how well other scenes must agree, to be the same: a bed at work differs."""
DOUBTS = 3
"""Looks in a row that must contradict for a scene not to lie elsewhere after all: the head passes by."""
STEP = 1 / 6000
"""Unit in which structure is saved, as int16: it stays within 5."""

Shift: TypeAlias = tuple[int, int]  # cells to the right and down
ANOTHER: Shift = (0, 0)
"""No shift of what was there before: the camera sees another scene."""


class Elsewhere(Struct, frozen=True, kw_only=True):
    """A scene that seems to lie elsewhere than it did."""

    since_ns: int
    shift: Shift
    mean: bytes  # its structure, as ``packed``
    looks: int = 1  # that found it there
    doubts: int = 0  # looks in a row that did not


class Place(NamedTuple):
    """Where a picture lies best against a reference; how well they agree (-1..1) there and unshifted."""

    shift: Shift  # of what is seen
    agreement: float
    unshifted: float


def structure(thumbnail: Thumbnail) -> Cells:
    """What stands out in each cell from its neighbourhood, in units of that neighbourhood's contrast."""
    cells = thumbnail.astype(np.float32)
    out = cells - cv2.blur(cells, AROUND)
    return np.asarray(out / (np.sqrt(cv2.blur(out * out, AROUND)) + NOISE_LEVELS), np.float32)


def steadiness(deviation: Cells) -> Cells:
    """The weight of each cell, 0..1, from its mean absolute deviation."""
    return np.asarray(1.0 / (1.0 + (deviation / UNSTEADY) ** 2), np.float32)


def agreement(one: Cells, other: Cells, weights: Cells) -> float:
    """Weighted correlation of two structures, -1..1."""
    return float(_correlations(one, other, weights, 0)[0, 0])


def place(reference: Cells, now: Cells, weights: Cells) -> Place:
    """Where ``now`` lies best against the reference, of all shifts up to FARTHEST cells."""
    found = _correlations(reference, now, weights, FARTHEST)
    row, column = np.unravel_index(int(np.argmax(found)), found.shape)
    best, unshifted = float(found[row, column]), float(found[FARTHEST, FARTHEST])
    return Place((FARTHEST - int(column), FARTHEST - int(row)), best, unshifted)


def shift_of(usual: Cells, now: Cells, weights: Cells) -> Shift | None:
    """By how much a scene lies elsewhere than usual, ANOTHER where it is none of before; None: unmoved."""
    if float(weights.mean()) < STEADY_SHARE or agreement(usual, now, weights) >= UNMOVED:
        return None
    best = place(usual, now, weights)
    if best.agreement < ANOTHER_AGREEMENT:
        return ANOTHER
    if best.agreement < SHIFTED_AGREEMENT or best.agreement - best.unshifted < SHIFTED_GAIN:
        return None
    return best.shift if _staying(usual, now, weights, best.shift) <= STAYING_SHARE else None


def follow(elsewhere: Elsewhere | None, shift: Shift | None, now: Cells, at_ns: int) -> Elsewhere | None:
    """Fold one look at a scene into where it seems to lie; None where it is at its usual place."""
    if elsewhere is not None and shift is not None and _alike(elsewhere, shift, now):
        mean, looks = unpacked(elsewhere.mean), elsewhere.looks + 1
        return replace(
            elsewhere, mean=packed(mean + (now - mean) * np.float32(1 / looks)), looks=looks, doubts=0
        )
    if elsewhere is not None and elsewhere.doubts + 1 < DOUBTS:
        return replace(elsewhere, doubts=elsewhere.doubts + 1)
    return None if shift is None else Elsewhere(since_ns=at_ns, shift=shift, mean=packed(now))


def packed(cells: Cells) -> bytes:
    """Structure as it is saved: int16 [CELLS, CELLS] in units of STEP."""
    steps: npt.NDArray[np.int16] = np.rint(cells / STEP).astype(np.int16)
    return steps.tobytes()


def unpacked(saved: bytes) -> Cells:
    """Structure as ``packed`` saved it."""
    return np.frombuffer(saved, np.int16).reshape(CELLS, CELLS).astype(np.float32) * np.float32(STEP)


def _alike(elsewhere: Elsewhere, shift: Shift, now: Cells) -> bool:
    """Whether a look finds the scene where it was found before."""
    if ANOTHER in (elsewhere.shift, shift):
        same = shift == elsewhere.shift
        return same and agreement(unpacked(elsewhere.mean), now, np.ones_like(now)) >= ALIKE_AGREEMENT
    return all(abs(a - b) <= ALIKE_CELLS for a, b in zip(elsewhere.shift, shift, strict=True))


def _staying(usual: Cells, now: Cells, weights: Cells, shift: Shift) -> float:
    """Share of what can be recognised that has stayed where it was, although the rest has shifted."""
    moves = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    there = np.asarray(cv2.warpAffine(usual, moves, (CELLS, CELLS), flags=cv2.INTER_NEAREST), np.float32)
    here = _alike_around(usual, now)
    stays = (here >= STAYING_AGREEMENT) & (here >= _alike_around(there, now) + STAYING_GAIN)
    recognised = weights * (cv2.blur(usual * usual, STAYING_AREA) > TEXTURED)
    return float((recognised * stays).sum() / max(float(recognised.sum()), 1.0))


def _alike_around(one: Cells, other: Cells) -> Cells:
    """How well two structures agree around each cell, -1..1."""
    both = cv2.blur(one * one, STAYING_AREA) * cv2.blur(other * other, STAYING_AREA)
    together = cv2.blur(one * other, STAYING_AREA)
    return np.asarray(together / np.sqrt(np.maximum(both, 1e-4)), np.float32)


def _correlations(reference: Cells, now: Cells, weights: Cells, farthest: int) -> Cells:
    """Weighted correlation at each shift, [2 * farthest + 1] * 2; a shift is ``farthest`` minus its index."""

    def summed(padded: Cells, by: Cells) -> npt.NDArray[np.float64]:
        return cv2.matchTemplate(padded, by, cv2.TM_CCORR).astype(np.float64)

    pad = ((farthest, farthest), (farthest, farthest))
    weight, first, second = (np.pad(weights * reference**power, pad) for power in range(3))
    ones = np.ones_like(now)
    total = np.maximum(summed(weight, ones), 1e-6)
    mean, mean_now = summed(first, ones) / total, summed(weight, now) / total
    spread = np.maximum(summed(second, ones) / total - mean**2, 1e-6)
    spread_now = np.maximum(summed(weight, now * now) / total - mean_now**2, 1e-6)
    together = summed(first, now) / total - mean * mean_now
    enough = total >= LEAST_OVERLAP * float(weights.sum())
    return np.where(enough, together / np.sqrt(spread * spread_now), -1.0).astype(np.float32)
