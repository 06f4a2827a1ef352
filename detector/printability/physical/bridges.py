"""How patches over air are carried: lines drawn across them, as a nozzle would, from side to side.

A line that is held at both ends is a bridge, at one end a cantilever. Of a handful of directions the one is
taken in which most of the patch is bridged, and in which the bridges are shortest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.printability.physical.finding import Flags, Floats, Integers
from detector.printability.physical.hanging import TINY, Hanging
from detector.printability.physical.rays import repeated

LINES = 32
"""Lines across each patch."""

DIRECTIONS = 8
"""Directions that are tried, evenly from straight across the sides that hold the patch."""

REACHED_SHARE = 0.95
"""A cantilever reaches as far as this share of the area of a patch's unbridged lines."""


class Carried(NamedTuple):
    """How p patches are carried in their best direction.

    ``bridged`` [p] is the share of the area whose lines are held at both ends, ``span_mm`` [p] the longest of
    these lines, ``loose_mm`` [p] how long lines are that are held at one end or none.
    """

    bridged: Floats
    span_mm: Floats
    loose_mm: Floats


class _Lines(NamedTuple):
    """n stretches of lines within patches.

    ``of`` int64 [n] is the patch, ``weight`` [n] the area that a stretch stands for, mm2; ``both`` bool [n]
    whether both ends are held.
    """

    of: Integers
    length_mm: Floats
    weight: Floats
    both: Flags


def carried(patches: Hanging) -> Carried:
    """How every patch is carried."""
    count = len(patches.area_mm2)
    best = Carried(*(np.zeros(count) for _ in Carried._fields))
    least = np.full(count, np.inf)
    for turn in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        tried = _along(patches, _across_holders(patches) + turn)
        # A tenth of the patch counts as much as doubling the span.
        cost = 10 * (1 - tried.bridged) + np.log2(
            np.maximum(np.where(tried.bridged > 0, tried.span_mm, 1e3), 0.1)
        )
        better = cost < least
        least = np.where(better, cost, least)
        best = Carried(*(np.where(better, new, old) for new, old in zip(tried, best, strict=True)))
    return best


def _across_holders(patches: Hanging) -> Floats:
    """Angle [p] straight across the sides that hold each patch, radians."""
    along = (patches.end - patches.start)[patches.held]
    length, angle = np.hypot(along[:, 0], along[:, 1]), np.arctan2(along[:, 1], along[:, 0])
    of, count = patches.of[patches.held], len(patches.area_mm2)
    sine, cosine = (np.bincount(of, length * wave(2 * angle), count) for wave in (np.sin, np.cos))
    return np.arctan2(sine, cosine) / 2 + np.pi / 2


def _along(patches: Hanging, angle: Floats) -> Carried:
    """How patches are carried by lines at an angle [p] each, radians."""
    lines, count = _lines(patches, angle), len(patches.area_mm2)
    whole = np.bincount(lines.of, lines.weight, count)
    bridged = np.bincount(lines.of, lines.weight * lines.both, count) / np.maximum(whole, TINY)
    span = np.zeros(count)
    np.maximum.at(span, lines.of[lines.both], lines.length_mm[lines.both])
    return Carried(bridged, span, _reached(lines, count))


def _reached(lines: _Lines, count: int) -> Floats:
    """Length [count] that REACHED_SHARE of the area of unbridged lines does not exceed."""
    loose = np.flatnonzero(~lines.both)
    order = loose[np.lexsort((lines.length_mm[loose], lines.of[loose]))]
    of, length = lines.of[order], lines.length_mm[order]
    area = np.cumsum(lines.weight[order])
    ends = np.searchsorted(of, np.arange(count), side="right")
    begins = np.searchsorted(of, np.arange(count), side="left")
    area = np.r_[0.0, area]
    wanted = area[begins] + REACHED_SHARE * (area[ends] - area[begins])
    at = np.clip(np.searchsorted(area, wanted) - 1, begins, np.maximum(ends - 1, begins))
    return np.where(ends > begins, np.r_[length, 0.0][at], 0.0)


def _lines(patches: Hanging, angle: Floats) -> _Lines:
    """LINES lines across every patch, cut at its sides; ``angle`` [p] is theirs."""
    cosine, sine = np.cos(angle)[patches.of], np.sin(angle)[patches.of]
    turned = [
        np.stack([x * cosine + y * sine, y * cosine - x * sine], 1)
        for x, y in (patches.start.T, patches.end.T)
    ]
    count = len(patches.area_mm2)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    for ends in turned:
        np.minimum.at(low, patches.of, ends[:, 1])
        np.maximum.at(high, patches.of, ends[:, 1])
    gap = np.maximum((high - low) / LINES, 1e-9)
    first, last = ((ends[:, 1] - low[patches.of]) / gap[patches.of] - 0.5 for ends in turned)
    swap = first > last
    a, b = np.where(swap[:, None], turned[1], turned[0]), np.where(swap[:, None], turned[0], turned[1])
    side, line = repeated(
        np.ceil(np.minimum(first, last)).astype(np.int64), np.ceil(np.maximum(first, last)).astype(np.int64)
    )
    at = low[patches.of[side]] + (line + 0.5) * gap[patches.of[side]]
    part = (at - a[side, 1]) / np.where(b[side, 1] > a[side, 1], b[side, 1] - a[side, 1], 1.0)
    met = a[side, 0] + np.clip(part, 0, 1) * (b[side, 0] - a[side, 0])
    return _paired(patches, patches.of[side] * LINES + line, met, patches.held[side], gap)


def _paired(patches: Hanging, line: Integers, met: Floats, held: Flags, gap: Floats) -> _Lines:
    """Stretches of lines between every odd side that they meet and the next."""
    order = np.lexsort((met, line))
    line, met, held = line[order], met[order], held[order]
    begins = np.flatnonzero(np.diff(line, prepend=-1))
    counts = np.diff(begins, append=len(line))
    nth = np.arange(len(line)) - np.repeat(begins, counts)
    # An outline that is not closed meets a line an odd number of times: such a line says nothing.
    odd = np.flatnonzero((nth % 2 == 0) & (np.repeat(counts, counts) % 2 == 0))
    of, length = line[odd] // LINES, met[odd + 1] - met[odd]
    return _Lines(of, length, length * gap[of], held[odd] & held[odd + 1])
