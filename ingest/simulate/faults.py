"""What can go wrong with a simulated printer, from when on, and what the watch should call it.

The names of failure kinds are plain strings here: ingest is the lowest layer and imports no detector.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

import msgspec
import numpy as np

from ingest.simulate.heater import HEALTHY, Effect

WEAKEST_SHARE = 0.2
"""Share of its power that a weak heater of severity 1 still gives: well below what holding 215 °C needs."""


class FaultKind(StrEnum):
    """The faults that can be injected: mechanisms, several of which lead to the same kind of failure."""

    SPAGHETTI = "spaghetti"  # what is laid finds no hold any more: strands in the air, dragged about
    DETACHMENT = "detachment"  # a part comes off the bed and is pushed about, or taken along by the nozzle
    WARPING = "warping"  # corners come up
    LAYER_SHIFT = "layer_shift"  # an axis skips steps at once
    BELT_SLIP = "belt_slip"  # a belt slips a little again and again
    CLOG = "clog"  # the nozzle lets less and less through
    HEAT_CREEP = "heat_creep"  # filament softens above the hot end: the flow comes and goes, and dwindles
    FULL_CLOG = "full_clog"  # nothing comes out any more while the extruder turns
    RUN_OUT = "run_out"  # the filament has ended
    GRINDING = "grinding"  # the extruder's gear has eaten into the filament: jerks, then nothing
    STRINGING = "stringing"  # oozing: every travel draws a hair
    BLOB = "blob"  # a lump grows around the nozzle
    OPEN_HEATER = "open_heater"  # the hot end's cartridge or its wire is broken: no power reaches it
    WEAK_HEATER = "weak_heater"  # a fraction of the power reaches it
    STUCK_HEATER = "stuck_heater"  # a shorted MOSFET: full power whatever the firmware says
    OPEN_BED = "open_bed"  # the bed's heater is broken
    LOOSE_THERMISTOR = "loose_thermistor"  # readings jump and fall
    OPEN_THERMISTOR = "open_thermistor"  # the wire is broken: Marlin's table ends there, at -15 °C
    SLIPPED_THERMISTOR = "slipped_thermistor"  # it comes out of its hole: reads low, the block gets hotter
    LINE_ERRORS = "line_errors"  # lines arrive damaged: a storm of resends
    RESET = "reset"  # the firmware restarts in the middle of the print
    STARVATION = "starvation"  # the host is too slow: the head stands again and again, and the part melts
    SILENCE = "silence"  # the serial line says nothing and hears nothing
    GARBLED = "garbled"  # the line's noise reaches what the firmware says
    CAMERA_FROZEN = "camera_frozen"  # the same picture again and again
    CAMERA_BLACK = "camera_black"  # covered, or the light is off
    CAMERA_SILENT = "camera_silent"  # no picture comes any more
    CAMERA_MOVED = "camera_moved"  # knocked away: it looks elsewhere from now on
    CAMERA_BLURRED = "camera_blurred"  # out of focus, or grease on the lens


_KINDS = tuple(FaultKind)

TRUTH: dict[FaultKind, str] = {
    FaultKind.SPAGHETTI: "spaghetti",
    FaultKind.DETACHMENT: "detachment",
    FaultKind.WARPING: "warping",
    FaultKind.LAYER_SHIFT: "layer_shift",
    FaultKind.BELT_SLIP: "layer_shift",
    FaultKind.CLOG: "under_extrusion",
    FaultKind.HEAT_CREEP: "under_extrusion",
    FaultKind.FULL_CLOG: "no_extrusion",
    FaultKind.RUN_OUT: "no_extrusion",
    FaultKind.GRINDING: "no_extrusion",
    FaultKind.STRINGING: "stringing",
    FaultKind.BLOB: "blob",
    FaultKind.OPEN_HEATER: "heater_fault",
    FaultKind.WEAK_HEATER: "heater_fault",
    FaultKind.STUCK_HEATER: "heater_fault",
    FaultKind.OPEN_BED: "heater_fault",
    FaultKind.LOOSE_THERMISTOR: "sensor_fault",
    FaultKind.OPEN_THERMISTOR: "sensor_fault",
    FaultKind.SLIPPED_THERMISTOR: "sensor_fault",
    FaultKind.LINE_ERRORS: "stall",
    FaultKind.RESET: "stall",
    FaultKind.STARVATION: "stall",
    FaultKind.SILENCE: "telemetry_fault",
    FaultKind.GARBLED: "telemetry_fault",
    FaultKind.CAMERA_FROZEN: "camera_fault",
    FaultKind.CAMERA_BLACK: "camera_fault",
    FaultKind.CAMERA_SILENT: "camera_fault",
    FaultKind.CAMERA_MOVED: "camera_fault",
    FaultKind.CAMERA_BLURRED: "camera_fault",
}
"""The kind of failure that each fault is."""

SEEN_ONLY = frozenset(
    {
        "spaghetti",
        "detachment",
        "warping",
        "layer_shift",
        "under_extrusion",
        "no_extrusion",
        "stringing",
        "blob",
    }
)
"""Kinds of failure that only a picture shows, or shows best."""

BLINDING = frozenset({"camera_fault", "telemetry_fault"})
"""Kinds of failure that befall the watch and not the print."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of one printer, from ``at_s`` (its onset) until ``until_s`` after the simulation's start.

    ``severity`` runs from 0 (hardly there) to 1 (as bad as it gets); it is reached ``growth_s`` after the
    onset. ``part`` is the object on the bed that it befalls; ``seed`` draws how it goes.
    """

    kind: FaultKind
    at_s: float
    until_s: float = math.inf
    severity: float = 1.0
    growth_s: float = 0.0
    part: int = 0
    seed: int = 0

    @property
    def name(self) -> str:
        """The fault's own name, for the truth file."""
        return self.kind.value

    @property
    def expected(self) -> str:
        """The failure kind that the detector should tell."""
        return TRUTH[self.kind]

    def severity_at(self, at_s: float) -> float:
        """How bad it is at a time: 0 before and after, growing to ``severity`` from the onset on."""
        if not self.at_s <= at_s < self.until_s:
            return 0.0
        grown = min((at_s - self.at_s) / self.growth_s, 1.0) if self.growth_s > 0.0 else 1.0
        return self.severity * grown

    def rng(self) -> np.random.Generator:
        """What the fault's own way is drawn from: the same for the same kind and seed."""
        return np.random.default_rng([self.seed, _KINDS.index(self.kind)])


class FaultPlan:
    """The faults of one printer, asked by time."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.at_s))

    def active(self, kind: FaultKind, at_s: float) -> Fault | None:
        """The fault of this kind that is on at a time, None where there is none."""
        for fault in self.faults:
            if fault.kind is kind and fault.at_s <= at_s < fault.until_s:
                return fault
        return None

    def severity(self, kind: FaultKind, at_s: float) -> float:
        """Severity of the kind's active fault by now, 0 where there is none."""
        fault = self.active(kind, at_s)
        return fault.severity_at(at_s) if fault else 0.0

    def on_hotend(self, at_s: float) -> Effect:
        """What the faults do to the hot end's heater and thermistor at a time."""
        weak = self.severity(FaultKind.WEAK_HEATER, at_s)
        broken = self.active(FaultKind.OPEN_HEATER, at_s) is not None
        return Effect(
            power_share=0.0 if broken else 1.0 - weak * (1.0 - WEAKEST_SHARE),
            stuck_on=self.active(FaultKind.STUCK_HEATER, at_s) is not None,
            looseness=self.severity(FaultKind.LOOSE_THERMISTOR, at_s),
            sensor_open=self.active(FaultKind.OPEN_THERMISTOR, at_s) is not None,
            slipped=self.severity(FaultKind.SLIPPED_THERMISTOR, at_s),
        )

    def on_bed(self, at_s: float) -> Effect:
        """What the faults do to the bed's heater at a time."""
        broken = self.active(FaultKind.OPEN_BED, at_s) is not None
        return HEALTHY._replace(power_share=0.0) if broken else HEALTHY
