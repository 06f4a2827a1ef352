"""What the nozzle does in a stretch of time, as lines: cut at the step's borders, thick as what came out."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.deposit import Deposit
from ingest.simulate.planner import Gone
from ingest.simulate.repeats import repeats
from ingest.simulate.toolpath import FILAMENT_MM2, Bytes, Feature, Floats, Integers, Toolpath

Bools: TypeAlias = npt.NDArray[np.bool_]

SHORTEST_MM = 1e-3  # what is shorter is no line
THICKEST_MM2 = 3.0  # cross section of what a priming nozzle leaves on a short way
GUESSED_LAYER_MM = 0.2  # a streamed move does not say its layer
BROKEN_BELOW = 0.8  # share of the flow below which a line comes in bits
BIT_MM = 2.5
BIT_SHAPE = 0.7  # of the gamma distribution of bits: the smaller, the more gaps


class Pieces(NamedTuple):
    """Stretches of the nozzle's way over the bed in the order in which it goes them, one row each.

    - ``begin``, ``end`` [n, 3] mm; ``move_begin``, ``move_end`` [n, 3] mm: of the whole move
    - ``area_mm2`` [n]: what comes out, as a cross section; 0: a travel
    - ``loose`` [n]: finds no hold where it is laid
    - ``layer``, ``feature``, ``part`` [n] as in ``Toolpath``
    """

    begin: Floats
    end: Floats
    move_begin: Floats
    move_end: Floats
    area_mm2: Floats
    loose: Bools
    layer: Integers
    feature: Bytes
    part: Bytes

    @property
    def lengths_mm(self) -> Floats:
        """How long each is, [n]."""
        way = self.end - self.begin
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", way, way)))

    @property
    def volumes_mm3(self) -> Floats:
        """How much comes out on each, [n]."""
        return self.area_mm2 * self.lengths_mm

    def only(self, which: Bools | npt.NDArray[np.intp]) -> Pieces:
        """Those for which ``which`` [n] is true, or those with these numbers, [m]."""
        return Pieces(
            self.begin[which],
            self.end[which],
            self.move_begin[which],
            self.move_end[which],
            self.area_mm2[which],
            self.loose[which],
            self.layer[which],
            self.feature[which],
            self.part[which],
        )

    def moved(self, by_mm: Floats) -> Pieces:
        """All of them elsewhere; ``by_mm`` [3] or [n, 3]."""
        return self._replace(
            begin=self.begin + by_mm,
            end=self.end + by_mm,
            move_begin=self.move_begin + by_mm,
            move_end=self.move_end + by_mm,
        )


def pieces_of(path: Toolpath, from_s: float, until_s: float) -> tuple[Pieces, float]:
    """What a job does between two print times, and the filament that it asks for, mm."""
    first = max(int(path.times_s.searchsorted(from_s, "right")) - 1, 0)
    last = min(max(int(path.times_s.searchsorted(until_s, "left")), first + 1), len(path.melted_mm_s))
    times_s, points = path.times_s[first : last + 1].copy(), path.points[first : last + 1]
    ends = points.copy()
    ends[0] = _between(points[0], points[1], times_s[:2], from_s)
    ends[-1] = _between(points[-2], points[-1], times_s[-2:], until_s)
    times_s[0], times_s[-1] = max(from_s, times_s[0]), min(until_s, times_s[-1])
    melted_mm = path.melted_mm_s[first:last] * np.diff(times_s)
    pieces = Pieces(
        ends[:-1],
        ends[1:],
        points[:-1],
        points[1:],
        melted_mm,
        np.zeros(last - first, np.bool_),
        path.layer[first:last],
        path.feature[first:last],
        path.part[first:last],
    )
    return _as_lines(pieces), float(melted_mm.sum())


def _between(begin: Floats, end: Floats, times_s: Floats, at_s: float) -> Floats:
    """Where a move [3] to [3] mm between two times [2] is at a time, at its ends before and after them."""
    begin_s, end_s = times_s.tolist()
    share = min(max((at_s - begin_s) / max(end_s - begin_s, 1e-9), 0.0), 1.0)
    return np.asarray(begin + share * (end - begin))


def pieces_gone(gone: list[Gone]) -> Pieces:
    """What the planner's moves did; they do not say what for, so that all counts as seen from outside."""
    begin = np.array([stretch.begin[:3] for stretch in gone]).reshape(-1, 3)
    end = np.array([stretch.end[:3] for stretch in gone]).reshape(-1, 3)
    count = len(gone)
    pieces = Pieces(
        begin,
        end,
        begin,
        end,
        np.array([stretch.melted_mm for stretch in gone]),
        np.zeros(count, np.bool_),
        np.rint(end[:, 2] / GUESSED_LAYER_MM).astype(np.int32),
        np.full(count, Feature.OUTER_WALL, np.uint8),
        np.zeros(count, np.uint8),
    )
    return _as_lines(pieces)


def _as_lines(pieces: Pieces) -> Pieces:
    """Turn ``area_mm2`` from mm of filament into a cross section; what is no line has none."""
    lengths_mm = pieces.lengths_mm
    area_mm2 = pieces.area_mm2 * FILAMENT_MM2 / np.maximum(lengths_mm, SHORTEST_MM)
    return pieces._replace(area_mm2=np.minimum(area_mm2, THICKEST_MM2) * (lengths_mm > SHORTEST_MM))


def at_share(pieces: Pieces, share: float, rng: np.random.Generator) -> Pieces:
    """The pieces when only a share of what is asked for comes out: thinner, with gaps when it is little."""
    if share >= BROKEN_BELOW or not pieces.area_mm2.any():
        return pieces._replace(area_mm2=pieces.area_mm2 * share)
    bits = cut(pieces, BIT_MM)
    uneven = np.minimum(share * rng.gamma(BIT_SHAPE, 1.0 / BIT_SHAPE, len(bits.area_mm2)), 1.0)
    return bits._replace(area_mm2=bits.area_mm2 * uneven)


def cut(pieces: Pieces, longest_mm: float) -> Pieces:
    """The same in pieces of at most ``longest_mm``."""
    counts = np.maximum(np.ceil(pieces.lengths_mm / longest_mm), 1.0).astype(np.intp)
    which, number = repeats(counts)
    step = (pieces.end - pieces.begin)[which] / counts[which, None]
    begin = pieces.begin[which] + step * number[:, None]
    return pieces.only(which)._replace(begin=begin, end=begin + step)


def lay(deposit: Deposit, pieces: Pieces) -> None:
    """Lay those that hold and of which something came out."""
    holds = (pieces.area_mm2 > 0.0) & ~pieces.loose
    if not holds.any():
        return
    kept = pieces if holds.all() else pieces.only(holds)
    deposit.lay(
        kept.begin.astype(np.float32),
        kept.end.astype(np.float32),
        kept.area_mm2.astype(np.float32),
        kept.layer,
        kept.feature,
        kept.part,
    )
