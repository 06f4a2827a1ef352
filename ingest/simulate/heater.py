"""A heater as the firmware has it: a body that takes heat, a thermistor that tells, a control in between."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from ingest.simulate import thermistor
from ingest.simulate.pid import POWER_MAX, SMOOTH_S, Control, KlipperPid, Pid, Switching
from ingest.simulate.spec import Board, MachineSpec
from ingest.simulate.thermal import Air, ThermalBody, ThermalMass
from ingest.simulate.thermistor import Sensor

KLIPPER_STEP_S = 0.3  # REPORT_TIME of adc_temperature.py: a reading, and a decision, this often
MARLIN_SWITCH_S = 5.0  # BED_CHECK_INTERVAL
KLIPPER_SWITCH_K = 2.0  # max_delta of a watermark heater
_TINY_S = 1e-6


class Effect(NamedTuple):
    """What faults do to a heater for one step."""

    power_share: float = 1.0  # of the power asked for, what reaches the heater
    stuck_on: bool = False
    looseness: float = 0.0  # of the thermistor's contact, 0..1
    sensor_open: bool = False
    slipped: float = 0.0  # 0..1, how far the thermistor is out of its hole: reads 0 to 40 K low


HEALTHY = Effect()


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What one heater is made of."""

    name: str
    mass: ThermalMass
    control: Control
    sensor: Sensor
    noise_counts: float
    air: Air
    is_klipper: bool


class Heater:
    """A body with its control.

    ``reading_c`` and ``power`` (0..127) are what the wire says: Klipper's reading is smoothed over a second.
    ``measured_c`` is the last measurement itself, which the control and Klipper's log see, and ``duty`` the
    power as 0..1.
    """

    def __init__(self, parts: Parts) -> None:
        self.name = parts.name
        self.target_c = 0.0
        self.duty = 0.0
        self.enabled = True  # False: the firmware has cut the power for good
        self.body = ThermalBody(parts.mass, parts.air.ambient_c, parts.air)
        self.reading_c = self.measured_c = self._smooth_c = self.body.sensed_c
        self._parts = parts
        self._given = 0.0  # the duty that reaches the heater: Klipper's comes one step after its reading
        self._due_s = KLIPPER_STEP_S  # until the next reading

    @property
    def power(self) -> int:
        """The duty in counts of 127."""
        return round(self.duty * POWER_MAX)

    def settle(self, at_c: float, extra_loss_w_k: float = 0.0) -> None:
        """Be at a target as after minutes of holding it against so much loss."""
        hold_w = self.body.settle(at_c, extra_loss_w_k)
        self.duty = self._given = min(hold_w / self.body.mass.full_w, 1.0)
        self._parts.control.settle(at_c, self.duty)
        self.target_c = self.reading_c = self.measured_c = self._smooth_c = at_c

    def step(
        self, dt_s: float, rng: np.random.Generator, effect: Effect = HEALTHY, extra_loss_w_k: float = 0.0
    ) -> None:
        """Go on by ``dt_s``: heat flows, the thermistor is read, the control decides the next power.

        Marlin reads and decides at the end of every step, Klipper by its own clock.
        """
        period_s = KLIPPER_STEP_S if self._parts.is_klipper else dt_s
        if not self._parts.is_klipper:
            self._due_s = dt_s
        self.body.air.advance(dt_s, rng)
        while dt_s > _TINY_S:
            span_s = min(dt_s, self._due_s)
            self.body.advance(span_s, self._heat_w(effect), extra_loss_w_k, effect.slipped)
            dt_s -= span_s
            self._due_s -= span_s
            if self._due_s <= _TINY_S:
                self._due_s = period_s
                self._decide(period_s, rng, effect)

    def _decide(self, period_s: float, rng: np.random.Generator, effect: Effect) -> None:
        self.measured_c = self._measure(rng, effect)
        target_c = self.target_c if self.enabled else 0.0
        before = self.duty
        self.duty = self._parts.control.output(period_s, self.measured_c, target_c)
        if not self._parts.is_klipper:
            self._given, self.reading_c = self.duty, self.measured_c
            return
        self._given = before
        self._smooth_c += (self.measured_c - self._smooth_c) * period_s / SMOOTH_S
        self.reading_c = round(self._smooth_c, 2)

    def _heat_w(self, effect: Effect) -> float:
        duty = 1.0 if effect.stuck_on else self._given
        return duty * effect.power_share * self.body.mass.full_w

    def _measure(self, rng: np.random.Generator, effect: Effect) -> float:
        if effect.sensor_open:
            return thermistor.OPEN_C
        parts = self._parts
        sound_c = parts.sensor.read(self.body.sensed_c, rng, parts.noise_counts)
        return sound_c + thermistor.bounce(effect.looseness, rng)


class HotEnd(Heater):
    """The hot end of a machine."""

    def __init__(self, spec: MachineSpec) -> None:
        super().__init__(_hotend_parts(spec))


class Bed(Heater):
    """The bed of a machine."""

    def __init__(self, spec: MachineSpec) -> None:
        super().__init__(_bed_parts(spec))


def _hotend_parts(spec: MachineSpec) -> Parts:
    is_klipper = spec.board is Board.KLIPPER
    gains, most = spec.hotend_gains, spec.hotend_max_power
    return Parts(
        name="E0",
        mass=spec.hotend,
        control=KlipperPid(gains, most) if is_klipper else Pid(gains, most),
        sensor=spec.hotend_sensor,
        noise_counts=spec.adc_noise,
        air=Air(spec.ambient_c, spec.hotend_weather),
        is_klipper=is_klipper,
    )


def _bed_parts(spec: MachineSpec) -> Parts:
    return Parts(
        name="bed",
        mass=spec.bed,
        control=_bed_control(spec),
        sensor=spec.bed_sensor,
        noise_counts=spec.bed_adc_noise,
        air=Air(spec.ambient_c, spec.bed_weather),
        is_klipper=spec.board is Board.KLIPPER,
    )


def _bed_control(spec: MachineSpec) -> Control:
    gains, most = spec.bed_gains, spec.bed_max_power
    if spec.board is Board.KLIPPER:
        return Switching(0.0, KLIPPER_SWITCH_K, most) if spec.bed_switches else KlipperPid(gains, most)
    return Switching(MARLIN_SWITCH_S, 0.0, most) if spec.bed_switches else Pid(gains, most)
