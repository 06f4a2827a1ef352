"""The table by size says how many pictures there are, how they rank, and how many are above nearly all."""

from __future__ import annotations

import numpy as np

from bench.by_size import Scored, lines
from detector.anomaly import Kind


def test_failures_are_told_apart_by_their_size() -> None:
    sound = np.linspace(-1.0, 0.0, 200)
    sizes = np.array([0.001] * 4 + [0.1] * 8)
    failing = np.array([-2.0] * 4 + [1.0] * 6 + [-0.5, -0.5])
    few = Scored(Kind.BLOB, np.array([0.01, 0.01]), np.array([3.0, 3.0]), sound)
    told = list(lines([Scored(Kind.SPAGHETTI, sizes, failing, sound), few]))
    assert told[0].split() == ["spaghetti", "4", "0.00", "0%", "0", "0", "8", "0.88", "75%"]
    assert told[1].split() == ["blob", "0", "2", "0", "0"]  # of two pictures nothing is said
