"""A 100k thermistor as an 8-bit board reads it: a divider, a 10-bit converter, sixteen samples added up.

The steps that this makes (0.7 K at 215 °C, with values in between where the noise straddles two counts) are
those of real logs: an Ender at 215 °C says 214.37, 215.00 and 215.83 and little else.
"""

from __future__ import annotations

import math

import numpy as np

PULL_UP_OHM = 4_700.0
NOMINAL_OHM = 100_000.0  # at 25 °C
NOMINAL_K = 298.15
BETA_K = 4_092.0  # EPCOS 100k, Marlin's table 1
FULL_SCALE = 1_024  # counts of the 10-bit converter
OVERSAMPLES = 16  # Marlin's OVERSAMPLENR
NOISE_COUNTS = 0.15
ZERO_C_K = 273.15

OPEN_C = -15.0  # what Marlin's table 1 says when no thermistor is there
BOUNCE_SHARE = 0.4  # share of readings that a fully loose contact spoils
BOUNCE_C = (8.0, 55.0)  # how far: a bad contact adds resistance, so most jumps go down
RISE_SHARE = 0.2  # share of the jumps that go up
RISE_FRACTION = 0.3  # how far up, as a fraction of a jump down


def counts(celsius: float) -> float:
    """The converter's ideal answer at a temperature, counts."""
    ohm = NOMINAL_OHM * math.exp(BETA_K * (1.0 / (celsius + ZERO_C_K) - 1.0 / NOMINAL_K))
    return FULL_SCALE * ohm / (ohm + PULL_UP_OHM)


def celsius(count: float) -> float:
    """The temperature that the firmware makes of a count, °C."""
    inside = min(max(count, 1.0), FULL_SCALE - 1.0)
    ohm = PULL_UP_OHM * inside / (FULL_SCALE - inside)
    return 1.0 / (1.0 / NOMINAL_K + math.log(ohm / NOMINAL_OHM) / BETA_K) - ZERO_C_K


def read(true_c: float, rng: np.random.Generator) -> float:
    """One reading of a sound thermistor, °C with the converter's steps and noise."""
    samples = np.rint(counts(true_c) + rng.normal(0.0, NOISE_COUNTS, OVERSAMPLES))
    return celsius(float(samples.mean()))


def bounce(looseness: float, rng: np.random.Generator) -> float:
    """What a loose contact adds to one reading, K. ``looseness`` 0..1."""
    if looseness <= 0.0 or rng.random() >= BOUNCE_SHARE * looseness:
        return 0.0
    size = float(rng.uniform(*BOUNCE_C)) * looseness
    return size * RISE_FRACTION if rng.random() < RISE_SHARE else -size
