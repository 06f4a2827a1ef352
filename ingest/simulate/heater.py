"""A heater as the firmware has it: a body that takes heat, a thermistor that tells, a PID in between."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ingest.simulate import thermistor
from ingest.simulate.pid import BED_GAINS, HOTEND_GAINS, POWER_MAX, Gains, Pid
from ingest.simulate.thermal import BED, HOTEND, ThermalBody, ThermalMass


class Effect(NamedTuple):
    """What faults do to a heater for one step."""

    power_share: float = 1.0  # of the power asked for, what reaches the heater
    stuck_on: bool = False
    looseness: float = 0.0  # of the thermistor's contact, 0..1
    sensor_open: bool = False


HEALTHY = Effect()


class Heater:
    """A body with its control. ``reading_c`` and ``power`` (0..127) are what the wire says."""

    def __init__(self, name: str, mass: ThermalMass, gains: Gains) -> None:
        self.name = name
        self.target_c = 0.0
        self.power = 0
        self.enabled = True  # False: the firmware has cut the power for good
        self.body = ThermalBody(mass)
        self.reading_c = self.body.sensed_c
        self._pid = Pid(gains)

    def settle(self, at_c: float, extra_loss_w_k: float = 0.0) -> None:
        """Be at a target as after minutes of holding it against so much loss."""
        hold_w = self.body.settle(at_c, extra_loss_w_k)
        duty = hold_w / self.body.mass.full_w
        self._pid.settle(at_c, duty)
        self.target_c = self.reading_c = at_c
        self.power = round(duty * POWER_MAX)

    def step(
        self, dt_s: float, rng: np.random.Generator, effect: Effect = HEALTHY, extra_loss_w_k: float = 0.0
    ) -> None:
        """Go on by one control step: heat flows, the thermistor is read, the PID decides the next power."""
        self.body.advance(dt_s, self._heat_w(effect), extra_loss_w_k)
        self.reading_c = self._read(rng, effect)
        target_c = self.target_c if self.enabled else 0.0
        self.power = self._pid.output(dt_s, self.reading_c, target_c)

    def _heat_w(self, effect: Effect) -> float:
        duty = 1.0 if effect.stuck_on else self.power / POWER_MAX
        return duty * effect.power_share * self.body.mass.full_w

    def _read(self, rng: np.random.Generator, effect: Effect) -> float:
        sound_c = thermistor.read(self.body.sensed_c, rng)
        if effect.sensor_open:
            return thermistor.OPEN_C
        return sound_c + thermistor.bounce(effect.looseness, rng)


class HotEnd(Heater):
    """A 40 W hot end; ``loss_w_k`` is its own loss to still air."""

    def __init__(self, loss_w_k: float = HOTEND.loss_w_k) -> None:
        mass = ThermalMass(**{**_fields(HOTEND), "loss_w_k": loss_w_k})
        super().__init__("E0", mass, HOTEND_GAINS)


class Bed(Heater):
    """A 220 W bed."""

    def __init__(self) -> None:
        super().__init__("bed", BED, BED_GAINS)


def _fields(mass: ThermalMass) -> dict[str, float]:
    return {name: getattr(mass, name) for name in mass.__struct_fields__}
