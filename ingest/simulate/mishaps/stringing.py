"""Stringing: filament oozes out on the way from one line to the next and is drawn to a hair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ingest.simulate.faults import Fault
from ingest.simulate.laying import Pieces
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.plate import Plate
from ingest.simulate.ranges import between
from ingest.simulate.strands import hair, lump, whisker
from ingest.simulate.toolpath import Floats, Toolpath

SHORTEST_WAY_MM = 2.5
GAP_MM = 1.0  # so much lower is what the way leads over: the hair is to be seen
HAIRS = (0.30, 1.0)  # share of the ways that leave a hair, at severity 0 and 1
MORE = 2.5  # hairs beside the first, at the worst
BREAKS = 0.25  # share of the hairs that break: one end hangs down
THIN = 0.7  # radius of a whisker, of a hair's
CROSSES = 0.35  # share of the hairs that cling to an older one: cobwebs
KEPT = 40  # older hairs that one may cling to
APART_MM = 1.2  # by how much the hairs of one way are apart, standard deviation


class Ooze(NamedTuple):
    """How a nozzle oozes: radius of its hairs, the share of threads among them, which are as thick as
    ``thread_mm``; the share of the ways over no gap that leave a whisker, its length; the share with a drop
    at the end."""

    radius_mm: tuple[float, float]
    threads: float = 0.0
    thread_mm: tuple[float, float] = (0.12, 0.25)
    whiskers: float = 0.25
    whisker_mm: tuple[float, float] = (1.5, 5.0)
    drops: float = 0.0
    drop_mm: tuple[float, float] = (0.25, 0.6)


NATURAL = Ooze((0.02, 0.045))
"""The hairs of a sound print."""


class Ways:
    """Finds the ways from where one line ended to where the next begins."""

    def __init__(self) -> None:
        self._last: Floats | None = None

    def take(self, pieces: Pieces) -> tuple[Floats, Floats]:
        """Begin and end, each [m, 3] mm, of the ways that end within these pieces."""
        laid = (pieces.area_mm2 > 0.0).nonzero()[0]
        if not len(laid):
            return np.empty((0, 3)), np.empty((0, 3))
        begins, ends = pieces.begin[laid], pieces.end[laid]
        last = begins[0] if self._last is None else self._last
        self._last = ends[-1]
        froms = np.concatenate([last[None], ends[:-1]])
        far = ((begins - froms)[:, :2] ** 2).sum(axis=1) > SHORTEST_WAY_MM**2
        return froms[far], begins[far]


class Stringing(Mishap):
    """Hairs, the more and the thicker the worse."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        self._ways = Ways()
        self._older: list[Floats] = []  # middles of hairs, which new ones may cling to

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        severity = self.fault.severity_at(now_s)
        share = between(HAIRS, severity) if severity > 0.0 else 0.0
        how = _oozing(severity)
        for begin, end in zip(*self._ways.take(pieces), strict=True):
            for number in range(self._hairs(share)):
                self._ooze(plate, begin, end, how, number)
        return pieces

    def _hairs(self, share: float) -> int:
        """How many hairs a way leaves: the more there are already, the more stay hanging."""
        if self.rng.random() >= share:
            return 0
        return 1 + int(self.rng.poisson(MORE * share * share))

    def _ooze(self, plate: Plate, begin: Floats, end: Floats, how: Ooze, number: int) -> None:
        """Leave a hair, some of them caught by another one."""
        if number:
            off = self.rng.normal(0.0, APART_MM, (2, 3)) - (0.0, 0.0, APART_MM)
            begin, end = np.maximum(begin + off[0], 0.0), np.maximum(end + off[1], 0.0)
        if self._older and self.rng.random() < CROSSES:
            other = self._older[int(self.rng.integers(len(self._older)))]
            if np.linalg.norm(other - begin) < np.linalg.norm(end - begin):
                end = other
        if ooze(plate, begin, end, how, self.rng):
            self._older = [*self._older[-KEPT:], (begin + end) / 2.0]


def _oozing(severity: float) -> Ooze:
    """What a nozzle leaves that oozes so much."""
    return Ooze(
        radius_mm=(0.03, 0.06 + 0.09 * severity),
        threads=0.12 * severity,
        whiskers=0.1 + 0.3 * severity,
        whisker_mm=(1.0, 2.5 + 3.5 * severity),
        drops=0.25 * severity,
    )


def ooze(plate: Plate, begin: Floats, end: Floats, how: Ooze, rng: np.random.Generator) -> bool:
    """Leave a hair on a way [3] mm to [3] mm, or a whisker where the way leads over the part itself.

    True where a hair hangs over a gap now.
    """
    thick = rng.random() < how.threads
    radius_mm = float(rng.uniform(*(how.thread_mm if thick else how.radius_mm)))
    plate.heap.catch_up(plate.deposit)
    middle, way = (begin + end) / 2.0, end - begin
    length_mm = max(float(np.linalg.norm(way)), 1e-9)
    if rng.random() < how.drops:
        size_mm = float(rng.uniform(*how.drop_mm))
        plate.strands.add(lump(end, size_mm, rng), size_mm)
    if plate.heap.solid_at(float(middle[0]), float(middle[1])) < middle[2] - GAP_MM:
        if rng.random() < BREAKS:
            left_mm = float(rng.uniform(0.15, 0.7)) * length_mm
            plate.strands.add(whisker(begin, way / length_mm, left_mm, rng), radius_mm)
            return False
        sag_mm = float(rng.uniform(0.1, 0.8)) + 0.12 * length_mm * float(rng.uniform()) ** 2
        plate.strands.add(hair(begin, end, sag_mm), radius_mm)
        return True
    if rng.random() < how.whiskers:
        sideways = way / length_mm + rng.normal(0.0, 0.8, 3) * (1.0, 1.0, 0.2)
        thin_mm, whisker_mm = THIN * radius_mm, float(rng.uniform(*how.whisker_mm))
        plate.strands.add(whisker(end, sideways, whisker_mm, rng), thin_mm)
    return False
