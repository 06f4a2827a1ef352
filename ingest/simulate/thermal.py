"""Heat in a hot end or a bed: a heater that warms a block, a thermistor that follows it, air that cools it.

Two masses and a lag give what makes heaters hard to watch: some seconds pass between a change of power and
the thermistor seeing it. The air is not still: drafts and the part fan's own turbulence take now more heat,
now less, and a room or an enclosure gets warmer and colder over minutes. Left out: radiation (the loss is
linear in temperature), heat creeping up the throat, and the bed's corners being colder than its middle.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

AMBIENT_C = 25.0
HOTEND_LOSS_W_K = (0.068, 0.097)  # range of losses to still air over published hot ends
PART_FAN_W_K = 0.012  # what the part fan at full speed adds to the hot end's loss: a block with a sock

SLIP_SHARE = 0.21  # of its excess over the room that a sensor fully out of its hole misses: 40 K of 190 K
SLIP_LAG = 4.0  # by how many times more it lags then: air instead of metal around it


class ThermalMass(msgspec.Struct, frozen=True, kw_only=True):
    """Constants of a heated body. Its heat capacity is ``heater_j_k + block_j_k``."""

    full_w: float  # electrical power at full duty
    heater_j_k: float
    block_j_k: float
    coupling_w_k: float  # from the heater into the block
    loss_w_k: float  # from the block to still air
    sensor_lag_s: float  # time constant of the thermistor in its hole


# 40 W cartridge, 16.7 J/K altogether: an E3D-style aluminium block with nozzle.
HOTEND = ThermalMass(
    full_w=40.0, heater_j_k=2.7, block_j_k=14.0, coupling_w_k=1.2, loss_w_k=0.082, sensor_lag_s=1.5
)
# 220 W under 235 x 235 x 3 mm of aluminium (400 J/K) and a glass plate: 60 °C in some two minutes.
BED = ThermalMass(
    full_w=220.0, heater_j_k=60.0, block_j_k=640.0, coupling_w_k=30.0, loss_w_k=2.0, sensor_lag_s=3.0
)


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How restless the air around a heated body is. Both are standard deviations of slow random walks."""

    drafts: float = 0.0  # share by which the loss to air varies
    drafts_s: float = 5.0  # for how long a gust lasts, a time constant
    drift_c: float = 0.0  # by how much the room's temperature varies
    drift_s: float = 300.0


class Air:
    """The air around one heated body: ``ambient_c`` °C, and ``gust``, the factor on what it takes away."""

    def __init__(self, ambient_c: float = AMBIENT_C, weather: Weather | None = None) -> None:
        self.ambient_c = self._mean_c = ambient_c
        self.gust = 1.0
        self._weather = weather or Weather()

    def advance(self, dt_s: float, rng: np.random.Generator) -> None:
        """Go on by ``dt_s``: two Ornstein-Uhlenbeck walks, about 1 and about the mean temperature."""
        weather = self._weather
        if weather.drafts > 0.0:
            self.gust = max(1.0 + _walk(self.gust - 1.0, weather.drafts, dt_s / weather.drafts_s, rng), 0.0)
        if weather.drift_c > 0.0:
            drift_c = _walk(self.ambient_c - self._mean_c, weather.drift_c, dt_s / weather.drift_s, rng)
            self.ambient_c = self._mean_c + drift_c


def _walk(value: float, spread: float, steps: float, rng: np.random.Generator) -> float:
    """The value after ``steps`` time constants of a walk about 0 with a standard deviation of ``spread``."""
    kept = math.exp(-steps)
    return kept * value + spread * math.sqrt(1.0 - kept * kept) * rng.standard_normal()


class ThermalBody:
    """Temperatures of a heated body, °C: ``heater_c``, ``block_c`` and the thermistor's own, ``sensed_c``."""

    def __init__(self, mass: ThermalMass, start_c: float = AMBIENT_C, air: Air | None = None) -> None:
        self.mass = mass
        self.air = air or Air()
        self.heater_c = self.block_c = self.sensed_c = start_c

    def settle(self, at_c: float, extra_loss_w_k: float = 0.0) -> float:
        """Be as after minutes of holding a temperature; returns the power that holds it, W."""
        hold_w = (self.mass.loss_w_k + extra_loss_w_k) * (at_c - self.air.ambient_c)
        self.block_c = self.sensed_c = at_c
        self.heater_c = at_c + hold_w / self.mass.coupling_w_k
        return hold_w

    def advance(self, dt_s: float, heat_w: float, extra_loss_w_k: float = 0.0, slipped: float = 0.0) -> None:
        """Go on by ``dt_s`` (well below the lags, 0.5 s at most) with so much heat and extra loss to air.

        ``slipped`` 0..1 tells how far the thermistor is out of its hole: it then reads low, and late.
        """
        mass, air = self.mass, self.air
        excess_k = self.block_c - air.ambient_c
        felt_c = self.block_c - SLIP_SHARE * slipped * excess_k
        into_block_w = mass.coupling_w_k * (self.heater_c - self.block_c)
        to_air_w = (mass.loss_w_k + extra_loss_w_k) * air.gust * excess_k
        self.sensed_c += dt_s * (felt_c - self.sensed_c) / (mass.sensor_lag_s * (1.0 + SLIP_LAG * slipped))
        self.heater_c += dt_s * (heat_w - into_block_w) / mass.heater_j_k
        self.block_c += dt_s * (into_block_w - to_air_w) / mass.block_j_k
