"""Simulated heaters alone, without the rest of a printer: rows as Klipper's log has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from bench.heater_logs import Floats, Holding, Log, WarmUp, warm_ups
from ingest.simulate.heater import HEALTHY, Bed, HotEnd
from ingest.simulate.machine import Lateness
from ingest.simulate.machines import sample_machine
from ingest.simulate.spec import Board, MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Toolpath
from ingest.telemetry.gcode.motion import HEAT_J_MM_K

STEP_S = 0.2
STEPS = 5  # a row per second
WARM_S = 120  # before rows count: the settled start is forgotten
HOLD_S = 600
CLIMB_S = 400  # for a warm-up
TARGETS_C = ((170.0, 240.0), (50.0, 75.0))
FAN_DUTIES = (1.0, 1.0, 0.5)
ROUNDED = 1  # decimals of temperatures and times in Klipper's log


Wanted: TypeAlias = Callable[[MachineSpec], bool]


class Simulated(NamedTuple):
    """What one simulated machine did: its rows, and the filament that went in, mm/s per row."""

    split: Split
    holding: Holding
    flow_mm_s: Floats
    warm_ups: list[WarmUp]
    intervals_s: Floats  # between reports


class Conditions(NamedTuple):
    """Under what a machine is watched. No path: it is hot and idle."""

    targets_c: tuple[float, float]
    path: Toolpath | None
    begin_s: float  # print time of the first row
    fan: float  # duty


def simulate(
    seed: int, split: Split, path: Toolpath | None, wanted: Wanted = lambda spec: spec.board is Board.KLIPPER
) -> Simulated:
    """Ten minutes of a machine that is wanted, of Klipper's if nothing is told, and a warm-up of it."""
    rng = np.random.default_rng([seed, list(Split).index(split)])
    spec = machine(rng, split, wanted)
    hot_c, bed_c = (float(round(rng.uniform(*limits) / 5.0) * 5.0) for limits in TARGETS_C)
    spare_s = max(path.duration_s - HOLD_S - WARM_S, 1.0) if path else 1.0
    fan = float(rng.choice(FAN_DUTIES)) if path else 0.0
    conditions = Conditions((hot_c, bed_c), path, float(rng.uniform(0.0, spare_s)), fan)
    holding, flow = hold(spec, conditions, rng)
    return Simulated(split, holding, flow, warm_ups(climb(spec, hot_c, rng)), intervals(spec, rng))


def machine(rng: np.random.Generator, split: Split, wanted: Wanted) -> MachineSpec:
    """A machine of a split as it is wanted."""
    while not wanted(spec := sample_machine(rng, split)):
        pass
    return spec


def hold(spec: MachineSpec, conditions: Conditions, rng: np.random.Generator) -> tuple[Holding, Floats]:
    """What a machine's log says while it holds its targets, and the flow beneath it."""
    hot_c, bed_c = conditions.targets_c
    hotend, bed = HotEnd(spec), Bed(spec)
    hotend.settle(hot_c, conditions.fan * spec.fan_w_k)
    bed.settle(bed_c)
    rows = [_second(second, spec, conditions, hotend, bed, rng) for second in range(WARM_S + HOLD_S)]
    hot, duty, plate, plate_duty, flow = np.array(rows[WARM_S:]).T
    error_k, plate_k = np.round(hot, ROUNDED) - hot_c, np.round(plate, ROUNDED) - bed_c
    return Holding(conditions.path is not None, hot_c, error_k, duty, plate_k, plate_duty), flow


def _second(
    second: int,
    spec: MachineSpec,
    conditions: Conditions,
    hotend: HotEnd,
    bed: Bed,
    rng: np.random.Generator,
) -> tuple[float, ...]:
    melted_mm = 0.0
    for step in range(STEPS):
        mm_s = _flow_mm_s(conditions, second + step * STEP_S)
        extra_w_k = conditions.fan * spec.fan_w_k + HEAT_J_MM_K * mm_s
        hotend.step(STEP_S, rng, HEALTHY, extra_w_k)
        bed.step(STEP_S, rng)
        melted_mm += mm_s * STEP_S
    return hotend.measured_c, hotend.duty, bed.measured_c, bed.duty, melted_mm


def _flow_mm_s(conditions: Conditions, at_s: float) -> float:
    path = conditions.path
    return path.filament_mm_s((conditions.begin_s + at_s) % path.duration_s) if path else 0.0


def climb(spec: MachineSpec, target_c: float, rng: np.random.Generator) -> Log:
    """A log of a hot end that is warmed up from cold, its bed off."""
    hotend, rows = HotEnd(spec), []
    hotend.target_c = target_c
    for second in range(CLIMB_S):
        for _ in range(STEPS):
            hotend.step(STEP_S, rng)
        rows.append((second, target_c, round(hotend.measured_c, ROUNDED), hotend.duty, 0.0, 0.0, 0.0, 0.0))
    return Log(*np.array(rows, np.float64).T)


def intervals(spec: MachineSpec, rng: np.random.Generator) -> Floats:
    """Times between reports, in the log's tenths: each is due a second after the last was really written."""
    lateness = Lateness(spec.report_jitter_s, rng)
    steps_s = [1.0 + lateness.draw() for _ in range(HOLD_S)]
    return np.diff(np.round(float(rng.uniform()) + np.cumsum(steps_s), ROUNDED))
