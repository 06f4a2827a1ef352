"""Filament that finds no hold while it comes out: it curls, sags, piles up, is dragged along, hangs on.

The thread follows the real way of the nozzle. Its stretches differ in how (``Manner``): it loops after the
nozzle, piles up where something has caught it, is pulled taut, or winds itself around the nozzle, hangs there
for a while and drops. Left out: threads that touch each other, and springing back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import numpy as np

from ingest.simulate.curling import DRAWS, UPRIGHT_RAD, Curling
from ingest.simulate.heap import Heap
from ingest.simulate.laying import Pieces
from ingest.simulate.moment import Strand
from ingest.simulate.strands import MOST_POINTS, Strands
from ingest.simulate.toolpath import Floats, Position

Place: TypeAlias = tuple[float, float, float]

SPACING_MM = 1.8  # between the points of a thread: it does not stretch
RADIUS_MM = (0.16, 0.25)  # a 0.4 mm nozzle's thread that swells, or is drawn
STEEPEST = 0.7  # how fast a thread falls off an edge, mm per mm of its length
ABOVE_NOZZLE_MM = 2.0  # no heap grows higher than this above the nozzle: it is pushed aside
FALLS_MM = 60.0  # a thread longer than this between heap and nozzle breaks
BREAK_S = 0.6  # without filament for so long, the thread breaks
SLUMP_EVERY = 150  # points
LONGEST = MOST_POINTS - 6  # points of a strand: room for what hangs between it and the nozzle
HANGS_LOW_MM = -12.0  # no lower than this below the nozzle
SWAYS_MM, CLINGS = 0.5, 0.85  # what hangs sways about the nozzle, from point to point
HANGS_S = (4.0, 50.0)
MOST_HANGING = 24


class Manner(IntEnum):
    """How a stretch of thread behaves."""

    LOOP = 0  # in loops, after the nozzle
    CLUMP = 1  # to a heap that has caught it
    TAUT = 2  # pulled straight
    HANG = 3  # around the nozzle
    ARC = 4  # in wide bows over the bed


MANNER_WEIGHTS = (4.0, 3.0, 0.8, 1.2, 1.4)
LENGTHS_MM = ((60.0, 400.0), (150.0, 1000.0), (20.0, 100.0), (80.0, 500.0), (80.0, 350.0))
FOLLOWS = ((0.5, 1.0), (0.02, 0.25), (0.9, 1.0), (0.0, 0.0), (0.1, 0.7))  # share of the nozzle's way
LEADS_MM = (1.0, 1.0, SPACING_MM, 1.0, 0.8)  # at most, from point to point: the rest of the thread curls
LAGS_MM = ((6.0, 20.0), (8.0, 25.0), (3.0, 6.0), (4.0, 8.0), (20.0, 60.0))
CURLS = ((0.6, 1.0), (0.8, 1.2), (0.0, 0.15), (0.5, 0.9), (0.7, 1.0))
SIZES = ((0.7, 1.5), (0.7, 1.4), (1.0, 1.0), (0.8, 1.8), (2.2, 5.0))  # of the loops, in usual ones
TILTS_RAD = ((0.0, UPRIGHT_RAD),) * 4 + ((0.0, 0.4),)
THROW_MM = (6.0, 38.0)  # range, over prints, of how far from the nozzle heaps are
PLACES = 3  # that a heap might have come to lie: it does in the lowest


class Stretch(NamedTuple):
    """A stretch of thread: what its points are drawn from."""

    manner: Manner
    follows: float
    lag_mm: float
    curl: float
    radius_mm: float
    catch: tuple[float, float]


class Tangle:
    """The thread that comes out loose now. ``take`` what comes out; what is done goes to ``strands``."""

    def __init__(self, rng: np.random.Generator, heap: Heap, strands: Strands) -> None:
        self._rng, self._heap, self._strands = rng, heap, strands
        self._weights = rng.dirichlet(MANNER_WEIGHTS)  # tangles differ from print to print
        self._curling = Curling(rng)
        self._throw_mm = float(rng.uniform(*THROW_MM))
        self._stretch = Stretch(Manner.LOOP, 1.0, 1.0, 0.0, RADIUS_MM[0], (0.0, 0.0))
        self._left_mm = self._carry_mm = self._idle_s = 0.0
        self._points: list[Place] = []
        self._base = (0.0, 0.0)
        self._hanging: list[Strand] = []
        self._hangs_s = 0.0
        self._fallen = 0

    def take(self, pieces: Pieces, dt_s: float) -> None:
        """Let fall what of the pieces is loose."""
        if self._hanging:
            self._age(pieces, dt_s)
        loose = pieces.loose & (pieces.area_mm2 > 0.0)
        if not loose.any():
            self._idle_s += dt_s
            if self._points and self._idle_s > BREAK_S:
                self._close()
            return
        self._idle_s = 0.0
        if not self._strands.full:
            self._spin(pieces if loose.all() else pieces.only(loose))

    def hanging(self, nozzle: Position) -> list[Strand]:
        """What hangs on a nozzle there, relative to it."""
        if not self._points:
            return self._hanging
        points = np.array(self._points)
        if not self._hangs:
            points = np.concatenate([points, self._tail(nozzle)]) - nozzle[:3]
        return [*self._hanging, self._hung(points)]

    def _spin(self, pieces: Pieces) -> None:
        """Turn pieces that are all loose into points of thread."""
        if not self._points:
            self._begin(_place(pieces.begin[0]))
        thread_mm = np.cumsum(pieces.volumes_mm3 / (math.pi * self._stretch.radius_mm**2))
        total_mm = self._carry_mm + float(thread_mm[-1])
        count, self._carry_mm = int(total_mm // SPACING_MM), total_mm % SPACING_MM
        if not count:
            return
        at_mm = thread_mm[-1] - self._carry_mm - SPACING_MM * np.arange(count - 1, -1, -1)
        way = np.column_stack([np.interp(at_mm, thread_mm, pieces.end[:, axis]) for axis in range(3)])
        draws = self._rng.normal(size=(count, DRAWS)).tolist()
        for (x, y, z), own in zip(way.tolist(), draws, strict=True):
            self._fall((x, y, z), own)

    def _begin(self, nozzle: Place) -> None:
        """A thread that begins at the nozzle."""
        self._nozzle = nozzle
        self._carry_mm = 0.0
        self._next_stretch(nozzle)
        self._start_at(nozzle)

    def _start_at(self, nozzle: Place) -> None:
        """Begin the strand at the nozzle, in the coordinates of what it lies or hangs on."""
        start = (0.0, 0.0, 0.0) if self._hangs else nozzle
        self._points, self._base = [start], start[:2]

    @property
    def _hangs(self) -> bool:
        return self._stretch.manner is Manner.HANG

    def _fall(self, nozzle: Place, draws: list[float]) -> None:
        """The next point of the thread."""
        self._left_mm -= SPACING_MM
        if self._left_mm <= 0.0:
            self._change(nozzle)
        elif len(self._points) >= LONGEST:
            self._close(goes_on=True)
        self._curling.follow(SPACING_MM, draws)
        if self._hangs:
            self._points.append(_drawn(self._points[-1], self._wound(nozzle, draws)))
        else:
            self._settle(nozzle)

    def _settle(self, nozzle: Place) -> None:
        """Lay the next point where the thread has sunk to."""
        x, y, rises = self._curled(nozzle)
        ground, radius_mm = self._heap.at(x, y), self._stretch.radius_mm
        highest = max(nozzle[2] + ABOVE_NOZZLE_MM, radius_mm)
        z = max(ground + radius_mm + rises, self._points[-1][2] - STEEPEST * SPACING_MM)
        x, y, z = _drawn(self._points[-1], (x, y, min(z, highest)))
        self._points.append((x, y, z))
        if ground < highest:
            self._heap.pile(x, y, SPACING_MM * math.pi * radius_mm**2)
        self._fallen += 1
        if self._fallen % SLUMP_EVERY == 0:
            self._heap.slump()

    def _curled(self, nozzle: Place) -> Place:
        """Where the thread is over the bed, and how high above what is there, mm."""
        stretch, curling = self._stretch, self._curling
        (base_x, base_y), (catch_x, catch_y) = self._base, stretch.catch
        off_x = catch_x + stretch.follows * (nozzle[0] - catch_x) - base_x
        off_y = catch_y + stretch.follows * (nozzle[1] - catch_y) - base_y
        far_mm = math.hypot(off_x, off_y)
        share = min(SPACING_MM / stretch.lag_mm, LEADS_MM[stretch.manner] / max(far_mm, 1e-9))
        drift_x, drift_y = curling.drift_mm
        x = base_x + share * off_x + stretch.curl * drift_x
        y = base_y + share * off_y + stretch.curl * drift_y
        self._base = x, y
        dx, dy, dz = curling.place(stretch.curl)
        return x + dx, y + dy, max(dz + curling.stands_mm(stretch.curl), 0.0)

    def _wound(self, nozzle: Place, draws: list[float]) -> Place:
        """The next point around the nozzle, nowhere below the bed."""
        x, y = (CLINGS * base + SWAYS_MM * draw for base, draw in zip(self._base, draws[:2], strict=True))
        self._base = x, y
        dx, dy, dz = self._curling.place(self._stretch.curl)
        z = max(CLINGS * dz - SWAYS_MM * abs(dx), -nozzle[2], HANGS_LOW_MM)
        return x + dx, y + dy, z

    def _change(self, nozzle: Place) -> None:
        """Begin another stretch, where the last one has ended."""
        hung = self._hangs
        self._close(goes_on=True)
        self._next_stretch(nozzle)
        if hung or self._hangs:  # from the bed's coordinates to the nozzle's, or back
            self._start_at(nozzle)

    def _next_stretch(self, nozzle: Place) -> None:
        rng = self._rng
        manner = Manner(int(rng.choice(len(self._weights), p=self._weights)))
        if manner is Manner.HANG and len(self._hanging) >= MOST_HANGING:
            manner = Manner.LOOP
        ranges = (FOLLOWS, LAGS_MM, CURLS, LENGTHS_MM, TILTS_RAD, SIZES)
        follows, lag, curl, length, tilt, size = (float(rng.uniform(*span[manner])) for span in ranges)
        radius_mm = float(rng.uniform(*RADIUS_MM))
        self._stretch = Stretch(manner, follows, lag, curl, radius_mm, self._catch(nozzle))
        self._left_mm = length
        self._curling.begin(tilt, size)
        if manner is Manner.HANG and not self._hanging:
            self._hangs_s = float(rng.uniform(*HANGS_S))

    def _catch(self, nozzle: Place) -> tuple[float, float]:
        """Where the thread is caught: a heap spreads to where there is room."""
        throws = nozzle[:2] + self._rng.normal(0.0, self._throw_mm, (PLACES, 2))
        places = np.clip(throws, 0.0, self._heap.bed_mm).tolist()
        x, y = min(places, key=lambda place: self._heap.at(place[0], place[1]))
        return x, y

    def _close(self, *, goes_on: bool = False) -> None:
        """The strand is done: it lies, or hangs on the nozzle."""
        points, stretch = self._points, self._stretch
        self._points = points[-1:] if goes_on else []
        if len(points) <= 1:
            return
        if stretch.manner is Manner.HANG:
            self._hanging.append(self._hung(np.array(points)))
        else:
            self._strands.add(np.array(points), stretch.radius_mm)

    def _hung(self, points: Floats) -> Strand:
        """A strand of the stretch that comes out now, relative to the nozzle."""
        radius_mm, filament = self._stretch.radius_mm, self._strands.filament
        return Strand(points.astype(np.float32), radius_mm, on_nozzle=True, filament=filament)

    def _age(self, pieces: Pieces, dt_s: float) -> None:
        """What hangs on the nozzle drops after a while."""
        self._hangs_s -= dt_s
        if self._hangs_s <= 0.0 and len(pieces.end):
            hanging, self._hanging = self._hanging, []
            self._drop(hanging, _place(pieces.end[-1]))

    def _drop(self, hanging: Iterable[Strand], nozzle: Place) -> None:
        """Let strands fall off the nozzle onto what is below it."""
        x_mm, y_mm, z_mm = nozzle
        ground = self._heap.at(x_mm, y_mm)
        for strand in hanging:
            points = strand.points.astype(np.float64)
            low_mm, high_mm = float(points[:, 2].min()), float(points[:, 2].max())
            falls_to_mm = min(ground + strand.radius_mm - low_mm, z_mm + ABOVE_NOZZLE_MM - high_mm)
            points += (x_mm, y_mm, falls_to_mm)
            np.maximum(points[:, 2], strand.radius_mm, out=points[:, 2])
            self._strands.add(points, strand.radius_mm)
            for x, y, _z in points.tolist():
                self._heap.pile(x, y, SPACING_MM * math.pi * strand.radius_mm**2)

    def _tail(self, nozzle: Position) -> Floats:
        """The thread between what lies and the nozzle, [5, 3] mm; empty where it is too long to be."""
        begin, end = np.array(self._points[-1]), np.array(nozzle[:3])
        length_mm = float(np.linalg.norm(end - begin))
        if length_mm > FALLS_MM:
            return np.empty((0, 3))
        share = np.linspace(0.2, 1.0, 5)[:, None]
        points = begin + share * (end - begin)
        sag_mm = np.minimum(0.6 * share * (1.0 - share) * length_mm, points[:, 2:])
        return np.asarray(points - sag_mm * (0.0, 0.0, 1.0))


def _drawn(last: Place, to: Place) -> Place:
    """The way's end, no further than the thread is long."""
    way_mm = math.dist(last, to)
    share = min(SPACING_MM / max(way_mm, 1e-9), 1.0)
    x, y, z = (begin + share * (end - begin) for begin, end in zip(last, to, strict=True))
    return x, y, z


def _place(point: Floats) -> Place:
    x, y, z = point.tolist()
    return x, y, z
