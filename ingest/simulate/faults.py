"""What can go wrong with a simulated printer, from when on, and what the watch should call it.

The names of failure kinds are plain strings here: ingest is the lowest layer and imports no detector.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from ingest.simulate.heater import HEALTHY, Effect

WEAKEST_SHARE = 0.2
"""Share of its power that a weak heater of severity 1 still gives: well below what holding 215 °C needs."""


class FaultKind(StrEnum):
    """The faults that can be injected."""

    OPEN_HEATER = "open_heater"  # the hot end's cartridge or its wire is broken: no power reaches it
    WEAK_HEATER = "weak_heater"  # a fraction of the power reaches it
    STUCK_HEATER = "stuck_heater"  # a shorted MOSFET: full power whatever the firmware says
    LOOSE_THERMISTOR = "loose_thermistor"  # readings jump and fall
    OPEN_THERMISTOR = "open_thermistor"  # the wire is broken: Marlin's table ends there, at -15 °C
    OPEN_BED = "open_bed"  # the bed's heater is broken
    LINE_ERRORS = "line_errors"  # lines arrive damaged: a storm of resends
    RESET = "reset"  # the firmware restarts in the middle of the print
    SILENCE = "silence"  # the serial line says nothing and hears nothing
    SPAGHETTI = "spaghetti"  # the part has come off and strands pile up
    CAMERA_FROZEN = "camera_frozen"  # the same picture again and again
    CAMERA_BLACK = "camera_black"  # covered, or the light is off
    CAMERA_SILENT = "camera_silent"  # no picture comes any more


EXPECTED: dict[FaultKind, str] = {
    FaultKind.OPEN_HEATER: "heater_fault",
    FaultKind.WEAK_HEATER: "heater_fault",
    FaultKind.STUCK_HEATER: "heater_fault",
    FaultKind.LOOSE_THERMISTOR: "sensor_fault",
    FaultKind.OPEN_THERMISTOR: "sensor_fault",
    FaultKind.OPEN_BED: "heater_fault",
    FaultKind.LINE_ERRORS: "stall",
    FaultKind.RESET: "stall",
    FaultKind.SILENCE: "telemetry_fault",
    FaultKind.SPAGHETTI: "unusual",
    FaultKind.CAMERA_FROZEN: "camera_fault",
    FaultKind.CAMERA_BLACK: "camera_fault",
    FaultKind.CAMERA_SILENT: "camera_fault",
}
"""The detector's kind for each fault."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of one printer, from ``at_s`` (its onset) until ``until_s`` after the simulation's start.

    ``severity`` runs from 0 (hardly there) to 1 (as bad as it gets).
    """

    kind: FaultKind
    at_s: float
    until_s: float = math.inf
    severity: float = 1.0

    @property
    def name(self) -> str:
        """The fault's own name, for the truth file."""
        return self.kind.value

    @property
    def expected(self) -> str:
        """The failure kind that the detector should tell."""
        return EXPECTED[self.kind]


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
        """Severity of the kind's active fault, 0 where there is none."""
        fault = self.active(kind, at_s)
        return fault.severity if fault else 0.0

    def on_hotend(self, at_s: float) -> Effect:
        """What the faults do to the hot end's heater and thermistor at a time."""
        weak = self.severity(FaultKind.WEAK_HEATER, at_s)
        broken = self.active(FaultKind.OPEN_HEATER, at_s) is not None
        return Effect(
            power_share=0.0 if broken else 1.0 - weak * (1.0 - WEAKEST_SHARE),
            stuck_on=self.active(FaultKind.STUCK_HEATER, at_s) is not None,
            looseness=self.severity(FaultKind.LOOSE_THERMISTOR, at_s),
            sensor_open=self.active(FaultKind.OPEN_THERMISTOR, at_s) is not None,
        )

    def on_bed(self, at_s: float) -> Effect:
        """What the faults do to the bed's heater at a time."""
        broken = self.active(FaultKind.OPEN_BED, at_s) is not None
        return HEALTHY._replace(power_share=0.0) if broken else HEALTHY
