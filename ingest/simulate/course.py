"""When a simulated print's job runs, as far as that is known beforehand: at 100 % speed, without pauses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ingest.simulate.printer import Start
from ingest.simulate.spec import MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.thermal import ThermalMass
from ingest.simulate.toolpath import NO_PART, Toolpath

SOUND_STARTS = (0.25, 0.60, 0.15)  # shares of prints: cold, in the middle, near the end
FAILING_STARTS = (0.12, 0.78, 0.10)
LEAST_COLD_S = 480.0  # a shorter recording of a cold start would see little but heating
EARLIEST_SHARE = 0.04  # of the job: where a recording in its middle may begin
NEAR_THE_END = (0.35, 0.8)  # share of the recording that is left of the job
LEAST_K_S = (0.5, 0.1)  # hot end, bed: how fast full power must still warm at the target
HOMING_S = 25.0  # homing and purging before the job's first moves


class Course(NamedTuple):
    """A job in a recording of ``seconds``: from ``begin_s`` of print time on, first move ``first_s`` after
    the simulation's start."""

    path: Toolpath
    seconds: float
    start: Start
    begin_s: float
    first_s: float

    @property
    def last_s(self) -> float:
        """When the job ends, or the recording."""
        return min(self.seconds, self.first_s + self.path.duration_s - self.begin_s)

    def print_s(self, at_s: float) -> float:
        """Print time at a time of the simulation."""
        return self.begin_s + max(at_s - self.first_s, 0.0)

    def height_mm(self, at_s: float) -> float:
        """How high the print is at a time."""
        move = self.path.move_at(self.print_s(at_s))
        layer = self.path.layer[move]
        begun = np.searchsorted(self.path.layer, layer)
        extruding = np.flatnonzero(self.path.melted_mm_s[begun : move + 1] > 0.0)
        return float(self.path.points[begun + extruding[-1] + 1, 2]) if len(extruding) else 0.0

    def moves(self, from_s: float, to_s: float) -> slice:
        """The moves that go on between two times, those at both ends among them."""
        return slice(self.path.move_at(self.print_s(from_s)), self.path.move_at(self.print_s(to_s)) + 1)

    def parts(self, from_s: float, to_s: float) -> list[int]:
        """The objects that are printed between two times."""
        moves = self.moves(from_s, to_s)
        printed = self.path.part[moves][self.path.melted_mm_s[moves] > 0.0]
        return [int(part) for part in np.unique(printed) if part != NO_PART]


def draw_course(
    rng: np.random.Generator,
    split: Split,
    path: Toolpath,
    seconds: float,
    spec: MachineSpec,
    targets_c: tuple[float, float],
    *,
    failing: bool,
) -> Course:
    """Where in its job a recording begins: cold, in the middle, or shortly before the end."""
    shares = FAILING_STARTS if failing else SOUND_STARTS
    cold, middle, _ = np.cumsum(shares)
    lot = float(rng.random())
    if lot < cold and seconds >= LEAST_COLD_S:
        return Course(path, seconds, Start.COLD, 0.0, heating_s(spec, targets_c))
    earliest_s = EARLIEST_SHARE * path.duration_s
    left_s = seconds * (float(rng.uniform(*NEAR_THE_END)) if lot >= middle else 1.0)
    latest_s = max(path.duration_s - left_s, earliest_s)
    begin_s = latest_s if lot >= middle else float(rng.uniform(earliest_s, latest_s))
    return Course(path, seconds, Start.PRINTING, begin_s, 0.0)


def heating_s(spec: MachineSpec, targets_c: tuple[float, float]) -> float:
    """How long a cold machine takes until its first move: the bed, then the hot end, then homing."""
    hotend_c, bed_c = targets_c
    bed_s = _warming_s(spec.bed, bed_c, spec.ambient_c)
    return bed_s + _warming_s(spec.hotend, hotend_c, spec.ambient_c) + HOMING_S


def suits(spec: MachineSpec, targets_c: tuple[float, float]) -> bool:
    """Whether a machine has the power for these targets: nobody prints with one that its firmware halts."""
    heaters = ((spec.hotend, spec.hotend_max_power), (spec.bed, spec.bed_max_power))
    return all(
        most * mass.full_w - mass.loss_w_k * (target_c - spec.ambient_c) > least_k_s * _capacity_j_k(mass)
        for (mass, most), target_c, least_k_s in zip(heaters, targets_c, LEAST_K_S, strict=True)
    )


def _capacity_j_k(mass: ThermalMass) -> float:
    return mass.heater_j_k + mass.block_j_k


def _warming_s(mass: ThermalMass, target_c: float, ambient_c: float) -> float:
    warmer_k = max(target_c - ambient_c, 0.0)
    net_w = mass.full_w - 0.5 * mass.loss_w_k * warmer_k
    return warmer_k * _capacity_j_k(mass) / max(net_w, 0.2 * mass.full_w)
