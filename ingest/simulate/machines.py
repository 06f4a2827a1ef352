"""Draws machines: hot ends, beds, boards, tunings, sensors, rooms. Every split has its own kinds and ranges.

Ranges come from data sheets (heaters, beds), ``thermal.HOTEND_LOSS_W_K`` and, for what no sheet tells (noise
of converters, drafts, how far off tunings are), from agreement with the logs of real Klipper machines, which
``bench.sim_telemetry`` measures. The test split goes beyond the others at both ends and has what neither of
them has: big blocks for high flow, platinum sensors, tunings that swing, heaters of the mains' power.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np

from ingest.simulate.pid import Gains
from ingest.simulate.spec import Board, MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.thermal import AMBIENT_C, ThermalMass, Weather
from ingest.simulate.thermistor import KLIPPER, PT1000, TEN_BIT, TWELVE_BIT, Sensor
from ingest.simulate.tuning import autotuned

Range: TypeAlias = tuple[float, float]

TUNED_AT_C = (200.0, 60.0)  # hot end, bed: the targets that tunings are usually made at
TUNED_WITHIN = 0.9  # of full power: what a tuning needs at its target at most
HEATER_SHARE = (0.10, 0.20)  # of a hot end's heat capacity, what is in the cartridge
PLATE_LOSS_W_KM2 = (18.0, 34.0)  # both faces, felt under it … bare
PLATE_COUPLING_W_KM2 = 600.0  # a silicone mat or printed tracks into the plate
PLATE_LAG_S = (2.0, 8.0)
COUPLING_W_K = (0.9, 2.0)  # from a cartridge into its block
GUST_S = (2.0, 12.0)  # how long a gust lasts
DRIFT_C = (0.3, 2.0)  # by how much a room varies
DRIFT_S = (180.0, 600.0)
SWINGING = (2.0, 3.5)  # factor on all gains of a tuning that swings
HOTTEST_C = 250.0  # every hot end can print at this …
FLOWING_W_K = 0.02  # … with some 3.5 mm/s of filament …
SPARE = 1.1  # … and this factor to spare
BED_EXCESS_K = 75.0  # every bed gets this much warmer than the room …
BED_RISE_K_S = 0.05  # … and still rises so fast there: Marlin gives one up that takes a minute for 2 K
BED_NOISE = (1.0, 3.0)  # of the hot end's
KLIPPER_SWITCHES = 0.25  # share of the usual chance: Klipper tunes beds as it does hot ends
COMMON_NOISE = (0.02, 0.2)  # counts of ten bits in one sample


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of hot end: what its maker sells."""

    full_w: Range
    heat_j_k: Range
    loss_w_k: Range
    lag_s: Range
    fan_w_k: Range


ENDER = Kind(
    full_w=(34.0, 41.0),
    heat_j_k=(14.0, 20.0),
    loss_w_k=(0.075, 0.095),
    lag_s=(1.0, 2.2),
    fan_w_k=(0.010, 0.030),
)
PRUSA = Kind(
    full_w=(38.0, 42.0),
    heat_j_k=(15.0, 19.0),
    loss_w_k=(0.068, 0.080),
    lag_s=(0.8, 1.6),
    fan_w_k=(0.006, 0.016),
)
LIGHT = Kind(
    full_w=(50.0, 62.0),
    heat_j_k=(11.0, 16.0),
    loss_w_k=(0.070, 0.085),
    lag_s=(0.5, 1.2),
    fan_w_k=(0.005, 0.015),
)
OLD = Kind(
    full_w=(25.0, 32.0),
    heat_j_k=(13.0, 18.0),
    loss_w_k=(0.070, 0.097),
    lag_s=(1.5, 3.0),
    fan_w_k=(0.012, 0.030),
)
CERAMIC = Kind(
    full_w=(60.0, 75.0),
    heat_j_k=(12.0, 18.0),
    loss_w_k=(0.080, 0.105),
    lag_s=(0.5, 1.5),
    fan_w_k=(0.005, 0.020),
)
VOLCANO = Kind(
    full_w=(38.0, 62.0),
    heat_j_k=(26.0, 40.0),
    loss_w_k=(0.085, 0.110),
    lag_s=(1.5, 3.5),
    fan_w_k=(0.010, 0.030),
)


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """What the machines of a split are drawn from. Chances are shares of the machines."""

    hotends: tuple[Kind, ...]
    klipper: float  # chance of Klipper; the rest have Marlin
    twelve_bit: float  # chance of a 32-bit board under Marlin
    platinum: float
    switching_bed: float
    limited: float  # chance that the configuration allows less than full power
    bed_mm: Range  # length of its side
    bed_w_m2: Range  # power per area
    bed_j_km2: Range  # heat capacity per area: 3 mm of aluminium and steel … 6 mm and glass
    ambient_c: Range
    noise: Range  # counts of the converter in one sample, ten bits; drawn evenly in the logarithm
    noise_fine: Range  # the same for twelve bits
    drafts: Range  # share of the loss, in the logarithm
    gains: Range  # factor on what a tuning finds, in the logarithm
    swinging: float  # chance of a tuning that swings
    jitter_s: Range


FLEETS: dict[Split, Fleet] = {
    Split.TRAIN: Fleet(
        hotends=(ENDER, ENDER, PRUSA, LIGHT),
        klipper=0.5,
        twelve_bit=0.5,
        platinum=0.0,
        switching_bed=0.15,
        limited=0.05,
        bed_mm=(210.0, 310.0),
        bed_w_m2=(3_200.0, 5_500.0),
        bed_j_km2=(9_000.0, 16_000.0),
        ambient_c=(18.0, 30.0),
        noise=COMMON_NOISE,
        noise_fine=(1.2, 5.5),
        drafts=(0.015, 0.08),
        gains=(0.6, 1.4),
        swinging=0.08,
        jitter_s=(0.0008, 0.002),
    ),
    Split.VAL: Fleet(
        hotends=(PRUSA, LIGHT, OLD),
        klipper=0.5,
        twelve_bit=0.6,
        platinum=0.0,
        switching_bed=0.25,
        limited=0.1,
        bed_mm=(180.0, 260.0),
        bed_w_m2=(2_800.0, 4_500.0),
        bed_j_km2=(11_000.0, 18_000.0),
        ambient_c=(20.0, 33.0),
        noise=COMMON_NOISE,
        noise_fine=(1.0, 6.5),
        drafts=(0.02, 0.09),
        gains=(0.55, 1.6),
        swinging=0.1,
        jitter_s=(0.001, 0.004),
    ),
    Split.TEST: Fleet(
        hotends=(ENDER, OLD, CERAMIC, VOLCANO),
        klipper=0.6,
        twelve_bit=0.7,
        platinum=0.15,
        switching_bed=0.2,
        limited=0.15,
        bed_mm=(120.0, 420.0),
        bed_w_m2=(2_400.0, 7_500.0),
        bed_j_km2=(8_000.0, 26_000.0),
        ambient_c=(15.0, 45.0),
        noise=(0.01, 0.4),
        noise_fine=(0.7, 8.0),
        drafts=(0.01, 0.12),
        gains=(0.45, 2.0),
        swinging=0.15,
        jitter_s=(0.0005, 0.01),
    ),
}


def sample_machine(rng: np.random.Generator, split: Split) -> MachineSpec:
    """A machine of a split."""
    fleet = FLEETS[split]
    board = Board.KLIPPER if rng.random() < fleet.klipper else Board.MARLIN
    kind = fleet.hotends[int(rng.integers(len(fleet.hotends)))]
    ambient_c = float(rng.uniform(*fleet.ambient_c))
    hotend, fan_w_k = _hotend(rng, kind, ambient_c)
    bed = _bed(rng, fleet)
    sensor, noise = _sensor(rng, fleet, board)
    return MachineSpec(
        board=board,
        hotend=hotend,
        bed=bed,
        hotend_gains=_gains(rng, fleet, hotend, TUNED_AT_C[0], ambient_c),
        bed_gains=_gains(rng, fleet, bed, TUNED_AT_C[1], ambient_c),
        bed_switches=_switches(rng, fleet, board),
        hotend_max_power=_limit(rng, fleet, hotend),
        bed_max_power=1.0,
        fan_w_k=fan_w_k,
        ambient_c=ambient_c,
        hotend_weather=_weather(rng, fleet),
        bed_weather=_weather(rng, fleet),
        hotend_sensor=PT1000 if sensor is KLIPPER and rng.random() < fleet.platinum else sensor,
        bed_sensor=sensor,
        adc_noise=noise,
        bed_adc_noise=noise * _even_in_log(rng, BED_NOISE),
        report_jitter_s=_even_in_log(rng, fleet.jitter_s),
    )


def _switches(rng: np.random.Generator, fleet: Fleet, board: Board) -> bool:
    rare = KLIPPER_SWITCHES if board is Board.KLIPPER else 1.0
    return bool(rng.random() < fleet.switching_bed * rare)


def _even_in_log(rng: np.random.Generator, limits: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _hotend(rng: np.random.Generator, kind: Kind, ambient_c: float) -> tuple[ThermalMass, float]:
    """A hot end and what its part fan adds to its loss, W/K; strong enough for HOTTEST_C while it prints."""
    heat_j_k = float(rng.uniform(*kind.heat_j_k))
    share = float(rng.uniform(*HEATER_SHARE))
    loss_w_k, fan_w_k = float(rng.uniform(*kind.loss_w_k)), float(rng.uniform(*kind.fan_w_k))
    needed_w = SPARE * (loss_w_k + fan_w_k + FLOWING_W_K) * (HOTTEST_C - ambient_c)
    mass = ThermalMass(
        full_w=max(float(rng.uniform(*kind.full_w)), needed_w),
        heater_j_k=share * heat_j_k,
        block_j_k=(1.0 - share) * heat_j_k,
        coupling_w_k=float(rng.uniform(*COUPLING_W_K)),
        loss_w_k=loss_w_k,
        sensor_lag_s=float(rng.uniform(*kind.lag_s)),
    )
    return mass, fan_w_k


def _bed(rng: np.random.Generator, fleet: Fleet) -> ThermalMass:
    area_m2 = (float(rng.uniform(*fleet.bed_mm)) / 1_000.0) ** 2
    heat_j_k = area_m2 * float(rng.uniform(*fleet.bed_j_km2))
    loss_w_k = area_m2 * float(rng.uniform(*PLATE_LOSS_W_KM2))
    needed_w = loss_w_k * BED_EXCESS_K + heat_j_k * BED_RISE_K_S
    return ThermalMass(
        full_w=max(area_m2 * float(rng.uniform(*fleet.bed_w_m2)), needed_w),
        heater_j_k=0.1 * heat_j_k,
        block_j_k=0.9 * heat_j_k,
        coupling_w_k=area_m2 * PLATE_COUPLING_W_KM2,
        loss_w_k=loss_w_k,
        sensor_lag_s=float(rng.uniform(*PLATE_LAG_S)),
    )


def _sensor(rng: np.random.Generator, fleet: Fleet, board: Board) -> tuple[Sensor, float]:
    """A sensor, and the noise of its converter in counts of one sample."""
    if board is Board.KLIPPER:
        return KLIPPER, _even_in_log(rng, fleet.noise_fine)
    if rng.random() < fleet.twelve_bit:
        return TWELVE_BIT, _even_in_log(rng, fleet.noise_fine)
    return TEN_BIT, _even_in_log(rng, fleet.noise)


def _weather(rng: np.random.Generator, fleet: Fleet) -> Weather:
    return Weather(
        drafts=_even_in_log(rng, fleet.drafts),
        drafts_s=_even_in_log(rng, GUST_S),
        drift_c=float(rng.uniform(*DRIFT_C)),
        drift_s=float(rng.uniform(*DRIFT_S)),
    )


def _gains(rng: np.random.Generator, fleet: Fleet, mass: ThermalMass, at_c: float, ambient_c: float) -> Gains:
    """What tuning has found, and what noise, drafts, another target or a copied configuration make of it."""
    reached_c = ambient_c + TUNED_WITHIN * mass.full_w / mass.loss_w_k
    found = autotuned(mass, min(at_c, reached_c), ambient_c)
    p, i, d = (_even_in_log(rng, fleet.gains) for _ in range(3))
    swing = float(rng.uniform(*SWINGING)) if rng.random() < fleet.swinging else 1.0
    return Gains(found.p * p * swing, found.i * i * swing, found.d * d * swing)


def _limit(rng: np.random.Generator, fleet: Fleet, mass: ThermalMass) -> float:
    """``max_power`` of a hot end whose owner does not trust it: enough to print hot, and some more."""
    if rng.random() >= fleet.limited:
        return 1.0
    needed = (mass.loss_w_k + 2.0 * FLOWING_W_K) * (HOTTEST_C - AMBIENT_C) / mass.full_w
    return min(max(needed * float(rng.uniform(1.2, 1.6)), 0.5), 1.0)
