"""The simulated printer's body: heaters, fan and motion under one time, faults included.

Time moves in fixed control steps, so that the same seed gives the same values however the caller slices it.
What the job or a host asks for goes through the extruder, which may deliver less, and through the mishaps,
which decide where it comes to lie. Left out: humidity, supply voltage but for cuts, cooling by travel moves,
and forces on the head: nothing makes it stall.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import numpy as np
from msgspec.structs import replace

from ingest.simulate.deposit import Deposit
from ingest.simulate.extruder import Extruder
from ingest.simulate.faults import Fault, FaultPlan
from ingest.simulate.heater import Bed, Effect, HotEnd
from ingest.simulate.laying import Pieces, at_share, pieces_gone, pieces_of
from ingest.simulate.mishaps import mishaps_of
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.mishaps.natural import Natural
from ingest.simulate.moment import Pose
from ingest.simulate.planner import Planner
from ingest.simulate.plate import Plate
from ingest.simulate.spec import STEP_S, MachineSpec
from ingest.simulate.thermal import HOTEND_LOSS_W_K
from ingest.simulate.toolpath import Position, Toolpath, square_rings
from ingest.telemetry.gcode.motion import HEAT_J_MM_K

WARM_LAYERS = 30  # layers that a print under way has behind it, where it has so many
PLA_C = (215.0, 60.0)  # usual targets: hot end, bed
READY_C = 2.0  # how near to their targets the heaters must be before a cold print begins
GAP_SHARE = 0.5  # below this share of the flow lines have gaps that the next ones may fall through


class Start(Enum):
    """How a printer is found when the simulation begins."""

    PRINTING = "printing"  # hot, with layers behind it: a demo is short
    COLD = "cold"  # heats up, then prints
    IDLE = "idle"  # waits for a host


class Printer:
    """One printer's physical state at ``now_s`` seconds since the simulation's start.

    ``path`` is its job by print time, ``begin_s`` the print time at which a printing one is found. Who holds
    the job (``hold``) may say where the head is meanwhile (``park``); ``colour_begins`` has the line of the
    deposit with which each later filament begins; until ``unpowered_until_s`` the heaters get no power.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        faults: Iterable[Fault] = (),
        start: Start = Start.PRINTING,
        targets_c: tuple[float, float] = PLA_C,
        *,
        path: Toolpath | None = None,
        spec: MachineSpec | None = None,
        begin_s: float | None = None,
    ) -> None:
        self.now_s = 0.0
        self.plan = FaultPlan(faults)
        self.spec = _some_machine(rng) if spec is None else spec
        self.path = square_rings() if path is None else path
        self.hotend, self.bed = HotEnd(self.spec), Bed(self.spec)
        self.fan = 0.0  # duty 0..1
        self.feed_factor = self.flow_factor = 1.0
        self.print_s = 0.0  # time on the path, as at 100 % speed
        self.printing = self.job_waits = self.hold = False
        self.park: Position | None = None
        self.colour_begins: list[int] = []
        self.unpowered_until_s = 0.0
        self.stopped_s: float | None = None  # when the job was cut off
        self.finished_s: float | None = None  # when it was done
        self.planner = Planner()  # moves that a host or a card asks for, while no job of its own runs
        self.filament_mm_s = 0.0  # that went into the hot end in the last step
        self._rng = rng
        plate_rng, natural_rng, self._feed_rng = rng.spawn(3)  # beside what the heaters draw
        self.extruder = Extruder()
        self.plate = Plate(self.path.bed_mm, plate_rng)
        self.mishaps = mishaps_of(self.plan.faults, self.path)
        self._natural = Natural(natural_rng)
        self._stands = False  # whether a mishap keeps the head where it is
        self._steps = 0
        self._owed_s = 0.0
        layers = WARM_LAYERS + float(rng.uniform())
        if start is Start.PRINTING:
            self._go_on(targets_c, _warm_s(self.path, layers) if begin_s is None else begin_s)
        elif start is Start.COLD:
            self.hotend.target_c, self.bed.target_c = targets_c
            self.job_waits = True

    @property
    def deposit(self) -> Deposit:
        """What was laid on the bed."""
        return self.plate.deposit

    @property
    def is_standing(self) -> bool:
        """Whether the job goes on but the head does not."""
        return self.hold or self._stands

    def _go_on(self, targets_c: tuple[float, float], print_s: float) -> None:
        """Be in the middle of a print that has been going on for so long."""
        self.print_s, self.printing, self.fan = print_s, True, 1.0
        if print_s > 0.0:
            pieces, _ = pieces_of(self.path, 0.0, print_s)
            self.plate.take(pieces, print_s)
            self._natural.act(self.plate, pieces)
        self.hotend.settle(targets_c[0], self._air_w_k(self.path.mean_filament_mm_s))
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
        pieces, asked_mm = self._move()
        self._extrude(pieces, asked_mm)
        self._heat()
        if self.printing and self.print_s >= self.path.duration_s:
            self._finish()
        elif self.job_waits and self._hot():
            self.printing, self.job_waits, self.fan = True, False, 1.0

    def _move(self) -> tuple[Pieces | None, float]:
        """Move the head for a step: where it went, and the filament that was asked for, mm."""
        asked_mm = self.planner.advance(STEP_S)
        if not self.printing:
            return (pieces_gone(self.planner.gone) if self.planner.gone else None), asked_mm
        self._stands = not self.hold and self._is_kept()
        if self.hold or self._stands:
            return None, 0.0
        begin_s, self.print_s = self.print_s, self.print_s + STEP_S * self.feed_factor
        pieces, asked_mm = pieces_of(self.path, begin_s, self.print_s)
        return pieces, asked_mm * self.flow_factor

    def _extrude(self, pieces: Pieces | None, asked_mm: float) -> None:
        """Lay what comes out on the way."""
        asked_mm_s = asked_mm / STEP_S
        self.filament_mm_s = self._delivered(asked_mm_s)
        if pieces is None:
            return
        share = self.filament_mm_s / asked_mm_s if asked_mm_s > 0.0 else 0.0
        self.plate.unsound |= asked_mm_s > 0.0 and share < GAP_SHARE
        pieces = at_share(pieces, share * self._flow_share, self._natural.rng)
        if self.plate.axis_shift_mm.any():
            pieces = pieces.moved(self.plate.axis_shift_mm)
        for mishap in self._active():
            pieces = mishap.act(self.plate, pieces, self.now_s)
        self.plate.strands.filament = len(self.colour_begins)
        self.plate.take(pieces, STEP_S)
        self._natural.act(self.plate, pieces)

    @property
    def _flow_share(self) -> float:
        """What M221 makes of a job's own lines; the planner's moves have it in them."""
        return self.flow_factor if self.printing else 1.0

    def _is_kept(self) -> bool:
        """Whether a mishap keeps the head where it is."""
        if not self.mishaps:
            return False
        nozzle = self.position()
        kept = [mishap.stands(self.plate, nozzle, self.now_s) for mishap in self._active()]  # asks each
        return any(kept)

    def _delivered(self, asked_mm_s: float) -> float:
        """Speed at which filament really goes through the nozzle, mm/s."""
        block_c = self.hotend.body.block_c
        return self.extruder.step(STEP_S, asked_mm_s, block_c, self.plan, self.now_s, self._feed_rng)

    def _active(self) -> Iterable[Mishap]:
        return (mishap for mishap in self.mishaps if mishap.fault.at_s <= self.now_s < mishap.fault.until_s)

    def _heat(self) -> None:
        on_hotend, on_bed = self.plan.on_hotend(self.now_s), self.plan.on_bed(self.now_s)
        self.hotend.step(STEP_S, self._rng, self._fed(on_hotend), self._air_w_k(self.filament_mm_s))
        self.bed.step(STEP_S, self._rng, self._fed(on_bed))

    def _fed(self, effect: Effect) -> Effect:
        """The effect with what a cut of the supply adds."""
        return effect._replace(power_share=0.0) if self.now_s <= self.unpowered_until_s else effect

    def _air_w_k(self, filament_mm_s: float) -> float:
        return self.fan * self.spec.fan_w_k + HEAT_J_MM_K * filament_mm_s

    def _hot(self) -> bool:
        return all(abs(heater.reading_c - heater.target_c) < READY_C for heater in (self.hotend, self.bed))

    def position(self, at_s: float | None = None) -> Position:
        """Where the firmware has the nozzle now, or at ``at_s`` a little later where all simply goes on."""
        ahead_s = 0.0 if at_s is None else max(at_s - self.now_s, 0.0)
        if not self.printing:
            return self.planner.position(ahead_s)
        if self.hold and self.park is not None:
            return self.park
        if self.is_standing:
            ahead_s = 0.0
        return self.path.at(self.print_s + ahead_s * self.feed_factor)

    def poses(self, nozzle: Position) -> dict[int, Pose]:
        """Where the parts are that have come off, when the nozzle is really there."""
        there = ((mishap.part, mishap.pose(nozzle)) for mishap in self.mishaps)
        return {part: pose for part, pose in there if pose is not None}

    def _finish(self) -> None:
        """The job is done: heaters and fan off, the head stays where the path ends."""
        self.planner.stop_at(self.position())
        self.hotend.target_c = self.bed.target_c = self.fan = 0.0
        self.printing, self.finished_s = False, self.now_s

    def stop(self) -> None:
        """Leave the job where it is, drop what is planned and ask no more heat, as a reset does."""
        self.hotend.target_c = self.bed.target_c = 0.0
        self.planner.stop_at(self.position())
        if self.printing or self.job_waits:
            self.stopped_s = self.now_s
        self.printing = self.job_waits = self.hold = False
        self.park = None

    def cut_power(self) -> None:
        """What a halted firmware does: no job, no heat. A shorted MOSFET does not care."""
        self.stop()
        self.hotend.enabled = self.bed.enabled = False

    def restore_power(self) -> None:
        """What a reset does after a halt: heaters may be asked for heat again."""
        self.hotend.enabled = self.bed.enabled = True


def _some_machine(rng: np.random.Generator) -> MachineSpec:
    """One like any other, but that hot ends lose more or less heat."""
    usual = MachineSpec()
    loss_w_k = float(rng.uniform(*HOTEND_LOSS_W_K))
    return replace(usual, hotend=replace(usual.hotend, loss_w_k=loss_w_k))


def _warm_s(path: Toolpath, layers: float) -> float:
    """Print time at which so many layers are done, or half of those that the job has."""
    whole = min(int(layers), int(path.layer[-1]) // 2)
    begin_s = path.layer_begin_s(whole)
    return begin_s + layers % 1.0 * (path.layer_begin_s(whole + 1) - begin_s)
