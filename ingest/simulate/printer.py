"""The simulated printer's body: heaters, fan and motion under one time, faults included.

Time moves in fixed control steps, so that the same seed gives the same values however the caller slices it.
Left out: mechanics beyond a known path (no skipped steps, no jams), humidity, drafts, supply voltage, and the
slow cooling by travel moves. The filament always arrives: clogs and run-outs are not simulated yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import numpy as np

from ingest.simulate.faults import Fault, FaultPlan
from ingest.simulate.heater import Bed, HotEnd
from ingest.simulate.planner import Planner
from ingest.simulate.thermal import HOTEND_LOSS_W_K, PART_FAN_W_K
from ingest.simulate.toolpath import Position, Toolpath
from ingest.telemetry.gcode.motion import HEAT_J_MM_K

STEP_S = 0.2  # control step; an 8-bit Marlin with two heaters takes 0.16 to 0.2 s
WARM_LAYERS = 30  # layers that a print under way has behind it
PLA_C = (215.0, 60.0)  # usual targets: hot end, bed
READY_C = 2.0  # how near to their targets the heaters must be before a cold print begins


class Start(Enum):
    """How a printer is found when the simulation begins."""

    PRINTING = "printing"  # hot, with layers behind it: a demo is short
    COLD = "cold"  # heats up, then prints
    IDLE = "idle"  # waits for a host


class Printer:
    """One printer's physical state at ``now_s`` seconds since the simulation's start."""

    def __init__(
        self,
        rng: np.random.Generator,
        faults: Iterable[Fault] = (),
        start: Start = Start.PRINTING,
        targets_c: tuple[float, float] = PLA_C,
    ) -> None:
        self.now_s = 0.0
        self.plan = FaultPlan(faults)
        self.hotend = HotEnd(float(rng.uniform(*HOTEND_LOSS_W_K)))
        self.bed = Bed()
        self.fan = 0.0  # duty 0..1
        self.feed_factor = self.flow_factor = 1.0
        self.print_s = 0.0  # time on the path, as at 100 % speed
        self.printing = self.job_waits = False
        self.stopped_s: float | None = None  # when the job was cut off
        self.planner = Planner()  # moves that a host or a card asks for, while no job of its own runs
        self._planned_mm_s = 0.0  # filament that they melt
        self._path = Toolpath()
        self._rng = rng
        self._steps = 0
        self._owed_s = 0.0
        layers = WARM_LAYERS + float(rng.uniform())
        if start is Start.PRINTING:
            self._go_on(targets_c, layers * self._path.layer_s)
        elif start is Start.COLD:
            self.hotend.target_c, self.bed.target_c = targets_c
            self.job_waits = True

    def _go_on(self, targets_c: tuple[float, float], print_s: float) -> None:
        """Be in the middle of a print that has been going on for so long."""
        self.print_s, self.printing, self.fan = print_s, True, 1.0
        self.hotend.settle(targets_c[0], self._air_w_k(self._path.mean_filament_mm_s))
        self.bed.settle(targets_c[1])

    def advance(self, dt_s: float) -> None:
        """Go on by ``dt_s``. What does not fill a control step is kept for the next call."""
        self._owed_s += dt_s
        while self._owed_s >= STEP_S - 1e-9:
            self._owed_s -= STEP_S
            self._step()

    def _step(self) -> None:
        self._steps += 1
        self.now_s = round(self._steps * STEP_S, 6)
        self._planned_mm_s = self.planner.advance(STEP_S) / STEP_S
        air_w_k = self._air_w_k(self.filament_mm_s)
        self.hotend.step(STEP_S, self._rng, self.plan.on_hotend(self.now_s), air_w_k)
        self.bed.step(STEP_S, self._rng, self.plan.on_bed(self.now_s))
        if self.printing:
            self.print_s += STEP_S * self.feed_factor
        elif self.job_waits and self._hot():
            self.printing, self.job_waits, self.fan = True, False, 1.0

    def _air_w_k(self, filament_mm_s: float) -> float:
        return self.fan * PART_FAN_W_K + HEAT_J_MM_K * filament_mm_s

    def _hot(self) -> bool:
        return all(abs(heater.reading_c - heater.target_c) < READY_C for heater in (self.hotend, self.bed))

    @property
    def filament_mm_s(self) -> float:
        """Speed at which filament goes into the hot end now, mm/s."""
        if not self.printing:
            return self._planned_mm_s
        return self._path.filament_mm_s(self.print_s) * self.feed_factor * self.flow_factor

    def position(self, at_s: float | None = None) -> Position:
        """Where the nozzle is now, or at ``at_s`` a little later where all simply goes on until then."""
        ahead_s = 0.0 if at_s is None else max(at_s - self.now_s, 0.0)
        if not self.printing:
            return self.planner.position(ahead_s)
        return self._path.at(self.print_s + ahead_s * self.feed_factor)

    def stop(self) -> None:
        """Leave the job where it is, drop what is planned and ask no more heat, as a reset does."""
        self.hotend.target_c = self.bed.target_c = 0.0
        self.planner.stop_at(self.position())
        if self.printing or self.job_waits:
            self.stopped_s = self.now_s
        self.printing = self.job_waits = False

    def cut_power(self) -> None:
        """What a halted firmware does: no job, no heat. A shorted MOSFET does not care."""
        self.stop()
        self.hotend.enabled = self.bed.enabled = False

    def restore_power(self) -> None:
        """What a reset does after a halt: heaters may be asked for heat again."""
        self.hotend.enabled = self.bed.enabled = True
