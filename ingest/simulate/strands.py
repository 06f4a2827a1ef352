"""Loose filament that lies: hairs, lumps, coils. What is there stays as it is."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.moment import Strand
from ingest.simulate.toolpath import Floats

MOST_STRANDS = 1_500  # what comes loose after so many lies hidden among them,
MOST_IN_ALL = 30_000  # or after so many points of them
MOST_POINTS = 40
HAIR_STEP_MM = 8.0
LUMP_POINTS = 3


class Strands:
    """Strands that lie, in the order in which they came loose; ``lying`` only grows.

    ``filament`` is the number of that which comes out now.
    """

    def __init__(self) -> None:
        self.lying: list[Strand] = []
        self.filament = 0
        self._points = 0

    @property
    def full(self) -> bool:
        """Whether nothing more is taken."""
        return len(self.lying) >= MOST_STRANDS or self._points >= MOST_IN_ALL

    def add(self, points: Floats, radius_mm: float) -> None:
        """Put a strand there; ``points`` [n, 3] mm in bed coordinates."""
        if not self.full and len(points) > 1:
            strand = points[:MOST_POINTS].astype(np.float32)
            self._points += len(strand)
            self.lying.append(Strand(strand, radius_mm, filament=self.filament))


def hair(begin: Floats, end: Floats, sag_mm: float) -> Floats:
    """A thread from one place [3] to another, sagging in between, [n, 3] mm."""
    count = min(max(int(math.dist(begin, end) / HAIR_STEP_MM) + 3, 3), MOST_POINTS)
    share = np.linspace(0.0, 1.0, count)[:, None]
    points = begin + share * (end - begin)
    points[:, 2:] = np.maximum(points[:, 2:] - 4.0 * sag_mm * share * (1.0 - share), 0.0)
    return np.asarray(points)


def whisker(begin: Floats, towards: Floats, length_mm: float, rng: np.random.Generator) -> Floats:
    """A thread that sticks out from a place [3], drooping at its end, [n, 3] mm."""
    count = min(max(int(length_mm / HAIR_STEP_MM) + 4, 5), 12)
    share = np.linspace(0.0, 1.0, count)[:, None]
    droop = np.array([0.0, 0.0, -length_mm * float(rng.uniform(0.2, 0.8))])
    side = rng.normal(0.0, 0.15 * length_mm, 3) * (1.0, 1.0, 0.0)
    points = begin + share * towards * length_mm + share**2 * (droop + side)
    points[:, 2] = np.maximum(points[:, 2], 0.0)
    return np.asarray(points)


def lump(at: Floats, size_mm: float, rng: np.random.Generator) -> Floats:
    """A short, bent bit of thick filament around a place [3], [3, 3] mm."""
    points = at + rng.normal(0.0, 0.6 * size_mm, (LUMP_POINTS, 3))
    points[:, 2] = np.maximum(points[:, 2], 0.0)
    return np.asarray(points)
