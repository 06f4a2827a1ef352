"""Lines of filament made coarse enough to draw: what a camera could not tell apart becomes one segment."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.deposit import Deposit

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int32]
Flags: TypeAlias = npt.NDArray[np.bool_]

LEAST_AREA_MM2 = 1e-3  # thinner lines are not there
JOINED_MM = 0.08  # ends nearer than this belong together
SHARP_TURN = math.cos(math.radians(28.0))
LONGEST = 5.0  # segments of the shortest's length: the rasterizer visits every pixel around a slanted one
MOST_WIDTH_MM = 2.5


class Segments(NamedTuple):
    """So many straight pieces: ``begin`` and ``end`` [n, 3] mm at the filament's top, ``width_mm`` and
    ``height_mm`` of the bead [n], ``layer_mm`` the layer's height [n], and what they are, each [n]."""

    begin: Floats
    end: Floats
    width_mm: Floats
    height_mm: Floats
    layer_mm: Floats
    layer: Integers
    feature: Integers
    part: Integers
    filament: Integers

    def only(self, which: Flags | Integers) -> Segments:
        """Some of them."""
        return Segments._make(column[which] for column in self)


def joined(pieces: list[Segments]) -> Segments:
    """All in one."""
    return Segments._make(np.concatenate(columns) for columns in zip(*pieces, strict=True))


def merged(
    deposit: Deposit, lines: slice, filament: Integers, layer_mm: Floats, coarse_mm: float
) -> Segments:
    """The lines of a slice with filament in them; short ones in a row become one of ``coarse_mm``.

    ``filament`` and ``layer_mm`` are by line of the slice. Detail below ``coarse_mm`` is lost.
    """
    there = np.flatnonzero(deposit.area_mm2[lines] > LEAST_AREA_MM2)
    begin, end = deposit.begin[lines][there], deposit.end[lines][there]
    area, feature = deposit.area_mm2[lines][there], deposit.feature[lines][there]
    part, layer = deposit.part[lines][there], deposit.layer[lines][there]
    filament, layer_mm = filament[there], layer_mm[there]
    lengths = np.maximum(np.linalg.norm(end - begin, axis=1), 1e-6)
    kinds = np.column_stack([feature, part, filament, layer])
    first = np.flatnonzero(_starts(begin, end, lengths, area, kinds, coarse_mm))
    last = np.append(first[1:], len(there)) - 1
    if not len(there):
        first = last = np.zeros(0, np.int64)
    mean_area = _sums(area * lengths, first) / np.maximum(_sums(lengths, first), 1e-6)
    width, height = _bead(mean_area.astype(np.float32), layer_mm[first])
    own = (layer_mm[first], layer[first], feature[first], part[first], filament[first])
    return _cut(Segments(begin[first], end[last], width, height, *own), LONGEST * coarse_mm)


def _cut(segments: Segments, longest_mm: float) -> Segments:
    """The same with long ones in several pieces."""
    lengths = np.linalg.norm(segments.end - segments.begin, axis=1)
    pieces = np.maximum(np.ceil(lengths / longest_mm).astype(np.int64), 1)
    if pieces.max(initial=1) == 1:
        return segments
    which = np.repeat(np.arange(len(pieces)), pieces)
    ordinal = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    low, high = ((ordinal + i)[:, None] / pieces[which][:, None] for i in (0, 1))
    begin, way = segments.begin[which], (segments.end - segments.begin)[which]
    places = ((begin + share * way).astype(np.float32) for share in (low, high))
    return Segments(*places, *(column[which] for column in segments[2:]))


def _starts(
    begin: Floats, end: Floats, lengths: Floats, area: Floats, kinds: Integers, coarse_mm: float
) -> Flags:
    """Which lines begin a segment: at gaps, turns, changes of thickness or kind, and every ``coarse_mm``."""
    starts = np.ones(len(begin), bool)
    if len(begin) < 2:  # noqa: PLR2004
        return starts
    along = (end - begin) / lengths[:, None]
    apart = np.abs(begin[1:] - end[:-1]).max(axis=1) > JOINED_MM
    turns = np.einsum("ij,ij->i", along[1:], along[:-1]) < SHARP_TURN
    other = (kinds[1:] != kinds[:-1]).any(axis=1)
    thinner = np.abs(np.log(area[1:] / area[:-1])) > 0.4  # noqa: PLR2004
    long = lengths > coarse_mm
    reached = np.floor(np.cumsum(lengths, dtype=np.float64) / coarse_mm)
    far = reached[1:] != reached[:-1]
    starts[1:] = apart | turns | other | thinner | long[1:] | long[:-1] | far
    return starts


def _sums(values: Floats, first: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    if not len(first):
        return np.zeros(0)
    sums: npt.NDArray[np.float64] = np.add.reduceat(values.astype(np.float64), first)
    return sums


def _bead(area_mm2: Floats, layer_mm: Floats) -> tuple[Floats, Floats]:
    """Width and height of lines: a full line fills its layer's height, a thin one is a round thread."""
    thread = 2.0 * np.sqrt(area_mm2 / math.pi)
    height = np.minimum(layer_mm, thread)
    width = np.minimum(area_mm2 / np.maximum(height, 1e-3), MOST_WIDTH_MM)
    return width.astype(np.float32), height.astype(np.float32)
