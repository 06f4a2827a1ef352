"""Heat in a hot end or a bed: a heater that warms a block, a thermistor that follows it, air that cools it.

Two masses and a lag give what makes heaters hard to watch: some seconds pass between a change of power and
the thermistor seeing it. Left out: radiation (the loss is linear in temperature), heat creeping up the
throat, and the bed's corners being colder than its middle.
"""

from __future__ import annotations

import msgspec

AMBIENT_C = 25.0
HOTEND_LOSS_W_K = (0.068, 0.097)  # range of losses to still air over published hot ends
PART_FAN_W_K = 0.012  # what the part fan at full speed adds to the hot end's loss: a block with a sock


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


class ThermalBody:
    """Temperatures of a heated body, °C: ``heater_c``, ``block_c`` and the thermistor's own, ``sensed_c``."""

    def __init__(self, mass: ThermalMass, start_c: float = AMBIENT_C) -> None:
        self.mass = mass
        self.heater_c = self.block_c = self.sensed_c = start_c

    def settle(self, at_c: float, extra_loss_w_k: float = 0.0) -> float:
        """Be as after minutes of holding a temperature; returns the power that holds it, W."""
        hold_w = (self.mass.loss_w_k + extra_loss_w_k) * (at_c - AMBIENT_C)
        self.block_c = self.sensed_c = at_c
        self.heater_c = at_c + hold_w / self.mass.coupling_w_k
        return hold_w

    def advance(self, dt_s: float, heat_w: float, extra_loss_w_k: float = 0.0) -> None:
        """Go on by ``dt_s`` (well below the lags, 0.5 s at most) with so much heat and extra loss to air."""
        mass = self.mass
        into_block_w = mass.coupling_w_k * (self.heater_c - self.block_c)
        to_air_w = (mass.loss_w_k + extra_loss_w_k) * (self.block_c - AMBIENT_C)
        self.sensed_c += dt_s * (self.block_c - self.sensed_c) / mass.sensor_lag_s
        self.heater_c += dt_s * (heat_w - into_block_w) / mass.heater_j_k
        self.block_c += dt_s * (into_block_w - to_air_w) / mass.block_j_k
