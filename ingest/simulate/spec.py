"""What one simulated machine is made of: constants of its heaters, sensors, control and reporting."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ingest.simulate.pid import BED_GAINS, HOTEND_GAINS, Gains
from ingest.simulate.thermal import AMBIENT_C, BED, HOTEND, PART_FAN_W_K, ThermalMass, Weather
from ingest.simulate.thermistor import NOISE_COUNTS, TEN_BIT, Sensor

STEP_S = 0.2  # control step; an 8-bit Marlin with two heaters takes 0.16 to 0.2 s


class Board(StrEnum):
    """Whose control and reports a machine has."""

    MARLIN = "marlin"  # 10 or 12 bits, PID in 0.16 s steps, whole counts of 127 on the wire
    KLIPPER = "klipper"  # 12 bits, PID in 0.3 s steps, fractions on the wire


class MachineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One machine. The defaults are those of an Ender 3 in a room of 25 °C, in still air."""

    board: Board = Board.MARLIN
    hotend: ThermalMass = HOTEND
    bed: ThermalMass = BED
    hotend_gains: Gains = HOTEND_GAINS
    bed_gains: Gains = BED_GAINS
    bed_switches: bool = False  # the bed is either on or off, and has no PID
    hotend_max_power: float = 1.0  # the most duty that the configuration allows
    bed_max_power: float = 1.0
    fan_w_k: float = PART_FAN_W_K  # what the part fan adds to the hot end's loss
    ambient_c: float = AMBIENT_C
    hotend_weather: Weather = Weather()
    bed_weather: Weather = Weather()
    hotend_sensor: Sensor = TEN_BIT
    bed_sensor: Sensor = TEN_BIT
    adc_noise: float = NOISE_COUNTS  # of the hot end's sensor: counts of the converter, in one sample
    bed_adc_noise: float = NOISE_COUNTS  # the same of the bed's, whose long wires move and catch more
    report_jitter_s: float = 0.0  # by how much reports come late, standard deviation
