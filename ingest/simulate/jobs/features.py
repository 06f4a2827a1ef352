"""What a line of filament is for, from the words of slicers, else guessed from how it lies."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.simulate.toolpath import Bytes, Feature, Floats, Integers

Flags = npt.NDArray[np.bool_]

_WORDS: tuple[tuple[str, Feature], ...] = (
    ("iron", Feature.IRONING),
    ("support|dense", Feature.SUPPORT),
    ("raft", Feature.SUPPORT),
    ("tower|pillar|ooze", Feature.WIPE_TOWER),
    ("skirt|brim", Feature.BRIM),
    ("bridge", Feature.BRIDGE),
    ("external perimeter|wall-outer|outer wall|outer perimeter", Feature.OUTER_WALL),
    ("overhang", Feature.OUTER_WALL),
    ("gap", Feature.SKIN),
    ("perimeter|wall", Feature.INNER_WALL),
    ("skin|solid|surface", Feature.SKIN),
    ("infill|fill", Feature.INFILL),
)
"""Tried in this order on what PrusaSlicer, Orca, Bambu, Cura, ideaMaker and Simplify3D write, lower case."""
_PATTERNS = tuple((re.compile(words), feature) for words, feature in _WORDS)

SEAM_MM = 0.8
"""A loop ends nearer than this to where it began: slicers leave about a line's width open."""
LEAST_CORNERS = 3
SKIN_LAYERS = 3
"""At the bottom and at the top of a print that says nothing."""
RIM_MM = 0.2
"""A loop that lies further than this inside another one on every side is no rim."""


def feature_of(word: str | None) -> Feature:
    """The feature that a slicer's word names; OTHER for ``Custom``, for none and for unknown ones."""
    text = (word or "").lower()
    return next((feature for pattern, feature in _PATTERNS if pattern.search(text)), Feature.OTHER)


def guess_features(points: Floats, prints: Flags, layer: Integers) -> Bytes:
    """What the moves of a file without such words are for, [moves].

    ``points`` [moves + 1, 3] mm; ``prints`` [moves] lays filament; ``layer`` [moves]. Closed loops are walls,
    those at a layer's rim the outer ones; open paths are skin near the bottom and the top, else infill.
    """
    feature = np.full(len(prints), Feature.OTHER, np.uint8)
    if not prints.any():
        return feature
    runs = _runs(points, prints, layer)
    top = int(runs.layer.max())
    kinds = np.where(
        (runs.layer < SKIN_LAYERS) | (runs.layer > top - SKIN_LAYERS), Feature.SKIN, Feature.INFILL
    )
    kinds[runs.closed] = Feature.INNER_WALL
    for one in np.unique(runs.layer[runs.closed]):
        loops = np.flatnonzero(runs.closed & (runs.layer == one))
        kinds[loops[_at_rim(runs.low[loops], runs.high[loops])]] = Feature.OUTER_WALL
    feature[prints] = np.repeat(kinds, runs.moves).astype(np.uint8)
    return feature


class _Runs(NamedTuple):
    """Unbroken paths of a layer: how many moves each, its box seen from above, whether it closes."""

    moves: Integers
    layer: Integers
    low: Floats
    high: Floats
    closed: Flags


def _runs(points: Floats, prints: Flags, layer: Integers) -> _Runs:
    at = np.flatnonzero(prints)
    begins = np.ones(len(at), np.bool_)
    begins[1:] = (np.diff(at) > 1) | (np.diff(layer[at]) != 0)
    first = np.flatnonzero(begins)
    moves = np.diff(np.append(first, len(at)))
    begin, end = points[at, :2], points[at + 1, :2]
    gap_mm = np.hypot(*(end[first + moves - 1] - begin[first]).T)
    return _Runs(
        moves.astype(np.int32),
        layer[at[first]],
        np.minimum.reduceat(np.minimum(begin, end), first),
        np.maximum.reduceat(np.maximum(begin, end), first),
        (gap_mm < SEAM_MM) & (moves >= LEAST_CORNERS),
    )


def _at_rim(low: Floats, high: Floats) -> Flags:
    """Which of a layer's loops lie inside no other, [loops]; boxes [loops, 2] mm."""
    above = np.all(low[:, None] > low[None] + RIM_MM, axis=2)
    below = np.all(high[:, None] < high[None] - RIM_MM, axis=2)
    return np.asarray(~np.any(above & below, axis=1))
