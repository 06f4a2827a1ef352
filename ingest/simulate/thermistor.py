"""Temperature sensors as boards read them: a divider, a converter of 10 or 12 bits, several samples added up.

The steps that this makes (0.7 K at 215 °C with ten bits and a 100k thermistor, with values in between where
the noise straddles two counts) are those of real logs: an Ender at 215 °C says 214.37, 215.00 and 215.83 and
little else. Noise is white from sample to sample and the same in counts at every temperature: a thermistor is
then noisy at the hot end and quiet at the bed, and platinum noisy everywhere.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

NOMINAL_K = 298.15  # 25 °C
ZERO_C_K = 273.15
PLATINUM_A_K = 3.9083e-3  # Callendar-Van Dusen, IEC 60751
PLATINUM_B_K2 = -5.775e-7
NOISE_COUNTS = 0.15

OPEN_C = -15.0  # what Marlin's table 1 says when no thermistor is there
BOUNCE_SHARE = 0.4  # share of readings that a fully loose contact spoils
BOUNCE_C = (8.0, 55.0)  # how far: a bad contact adds resistance, so most jumps go down
RISE_SHARE = 0.2  # share of the jumps that go up
RISE_FRACTION = 0.3  # how far up, as a fraction of a jump down


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """A sensor at the lower end of a divider, and the converter that reads it."""

    nominal_ohm: float = 100_000.0  # a thermistor's at 25 °C, platinum's at 0 °C
    beta_k: float = 4_092.0  # of a thermistor (EPCOS 100k, Marlin's table 1); 0: platinum
    pull_up_ohm: float = 4_700.0
    full_scale: int = 1_024  # counts of the converter
    samples: int = 16  # added up for one reading; Marlin's OVERSAMPLENR

    def counts(self, celsius: float) -> float:
        """The converter's ideal answer at a temperature, counts."""
        ohm = self._ohm(celsius)
        return self.full_scale * ohm / (ohm + self.pull_up_ohm)

    def celsius(self, count: float) -> float:
        """The temperature that the firmware makes of a count, °C."""
        inside = min(max(count, 1.0), self.full_scale - 1.0)
        ohm = self.pull_up_ohm * inside / (self.full_scale - inside)
        if not self.beta_k:
            return _platinum_c(ohm / self.nominal_ohm)
        return 1.0 / (1.0 / NOMINAL_K + math.log(ohm / self.nominal_ohm) / self.beta_k) - ZERO_C_K

    def read(self, true_c: float, rng: np.random.Generator, noise_counts: float = NOISE_COUNTS) -> float:
        """One reading of a sound sensor, °C with the converter's steps and noise (counts of one sample)."""
        samples = np.rint(self.counts(true_c) + noise_counts * rng.standard_normal(self.samples))
        return self.celsius(float(samples.sum()) / self.samples)

    def _ohm(self, celsius: float) -> float:
        if not self.beta_k:
            return self.nominal_ohm * (1.0 + PLATINUM_A_K * celsius + PLATINUM_B_K2 * celsius * celsius)
        return self.nominal_ohm * math.exp(self.beta_k * (1.0 / (celsius + ZERO_C_K) - 1.0 / NOMINAL_K))


def _platinum_c(ratio: float) -> float:
    inside = PLATINUM_A_K**2 - 4.0 * PLATINUM_B_K2 * (1.0 - ratio)
    return (-PLATINUM_A_K + math.sqrt(max(inside, 0.0))) / (2.0 * PLATINUM_B_K2)


TEN_BIT = Sensor()  # a 100k thermistor at an 8-bit board
TWELVE_BIT = Sensor(full_scale=4_096)  # the same at a 32-bit board with Marlin
KLIPPER = Sensor(full_scale=4_096, samples=8)  # SAMPLE_COUNT of adc_temperature.py
PT1000 = Sensor(nominal_ohm=1_000.0, beta_k=0.0, full_scale=4_096, samples=8)


def bounce(looseness: float, rng: np.random.Generator) -> float:
    """What a loose contact adds to one reading, K. ``looseness`` 0..1."""
    if looseness <= 0.0 or rng.random() >= BOUNCE_SHARE * looseness:
        return 0.0
    size = float(rng.uniform(*BOUNCE_C)) * looseness
    return size * RISE_FRACTION if rng.random() < RISE_SHARE else -size
