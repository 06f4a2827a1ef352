"""What each G-code does to the simulated printer and what it answers. Time is the printer's own.

Left out: moves take no time (see printer.py) and are absolute even after G91 and M83; several hot ends,
chambers, the EEPROM and everything with an SD card.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ingest.simulate import replies
from ingest.simulate.heater import Heater
from ingest.simulate.printer import Printer
from ingest.simulate.protection import BED_LIMITS, HOTEND_LIMITS, Protection
from ingest.simulate.waiting import Dwell, HeatWait, Wait
from ingest.simulate.wire import Command

LONGEST_REPORT_S = 60.0  # Marlin's limit on the interval of automatic reports
FAN_MAX = 255.0

_CHANGE_NOTHING = (
    "G21 G90 G91 M17 M18 M73 M82 M83 M84 M108 M110 M117 M118 M201 M203 M204 M205 M211 M301 M304 "
    "M400 M413 M420 M500 M501 M502 M900 T0"
)
ACCEPTED = frozenset(_CHANGE_NOTHING.split())
"""Commands that get their ok and change nothing that the simulation knows."""


class AutoReport:
    """M155 or M154: a report every so many seconds, counted from when it was asked for."""

    def __init__(self) -> None:
        self._every_s = 0.0
        self._next_s = 0.0

    def every(self, interval_s: float, now_s: float) -> None:
        """Report every ``interval_s`` from now on; 0 ends it."""
        self._every_s = min(max(interval_s, 0.0), LONGEST_REPORT_S)
        self._next_s = now_s + self._every_s

    def due(self, now_s: float) -> bool:
        """Whether a report is to be sent now; says so once per interval."""
        if not self._every_s or now_s < self._next_s - 1e-6:
            return False
        self._next_s += self._every_s
        return True


class Interpreter:
    """Carries out commands. ``wait`` is what the last one waits for, None when it is done."""

    def __init__(self, printer: Printer) -> None:
        self.printer = printer
        self.temperature_reports = AutoReport()
        self.position_reports = AutoReport()
        self.wait: Wait | None = None
        self.guards: dict[str, Protection] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, as a boot does."""
        self.temperature_reports = AutoReport()
        self.position_reports = AutoReport()
        self.wait = None
        self.guards = {"E0": Protection(HOTEND_LIMITS), "bed": Protection(BED_LIMITS)}
        for heater in (self.printer.hotend, self.printer.bed):
            self._guard(heater)

    def run(self, text: str, command: Command | None) -> list[str]:
        """Carry out one command; its lines, without an ok where it waits for something."""
        if command and command.code == "M105":  # the one answer that stands behind its ok
            return [replies.OK + replies.temperatures(self.printer)]
        if command is None or command.code not in HANDLERS.keys() | ACCEPTED:
            return [replies.unknown(text), replies.OK]
        handler = HANDLERS.get(command.code)
        lines = handler(self, command) if handler else []
        return lines if self.wait else [*lines, replies.OK]

    def heat(self, heater: Heater, command: Command) -> None:
        """Set a target from the command's S or R."""
        heater.target_c = command.number("S", command.number("R", heater.target_c))
        self._guard(heater)

    def heat_and_wait(self, heater: Heater, command: Command) -> None:
        """The same, and wait: with S for heating only, with R for cooling too."""
        self.heat(heater, command)
        cooling = heater.target_c < heater.reading_c
        if not cooling or command.words.get("R") is not None:
            self.wait = HeatWait(heater, self.printer.now_s)

    def _guard(self, heater: Heater) -> None:
        self.guards[heater.name].retarget(self.printer.now_s, heater.reading_c, heater.target_c)


Handler: TypeAlias = Callable[[Interpreter, Command], list[str]]


def _heat_hotend(machine: Interpreter, command: Command) -> list[str]:
    machine.heat(machine.printer.hotend, command)
    return []


def _heat_bed(machine: Interpreter, command: Command) -> list[str]:
    machine.heat(machine.printer.bed, command)
    return []


def _wait_hotend(machine: Interpreter, command: Command) -> list[str]:
    machine.heat_and_wait(machine.printer.hotend, command)
    return []


def _wait_bed(machine: Interpreter, command: Command) -> list[str]:
    machine.heat_and_wait(machine.printer.bed, command)
    return []


def _dwell(machine: Interpreter, command: Command) -> list[str]:
    seconds = command.number("S", command.number("P", 0.0) / 1000.0)
    if seconds > 0.0:
        machine.wait = Dwell(machine.printer.now_s + seconds, machine.printer.now_s)
    return []


def _fan_on(machine: Interpreter, command: Command) -> list[str]:
    machine.printer.fan = min(max(command.number("S", FAN_MAX) / FAN_MAX, 0.0), 1.0)
    return []


def _fan_off(machine: Interpreter, _command: Command) -> list[str]:
    machine.printer.fan = 0.0
    return []


def _speed(machine: Interpreter, command: Command) -> list[str]:
    machine.printer.feed_factor = command.number("S", 100.0 * machine.printer.feed_factor) / 100.0
    return []


def _flow(machine: Interpreter, command: Command) -> list[str]:
    machine.printer.flow_factor = command.number("S", 100.0 * machine.printer.flow_factor) / 100.0
    return []


def _move(machine: Interpreter, command: Command) -> list[str]:
    axes = {f"{letter.lower()}_mm": value for letter, value in command.words.items() if letter in "XYZE"}
    machine.printer.move(**{axis: value for axis, value in axes.items() if value is not None})
    return []


def _home(machine: Interpreter, command: Command) -> list[str]:
    axes = [axis for axis in "XYZ" if axis in command.words] or list("XYZ")
    machine.printer.move(**{f"{axis.lower()}_mm": 0.0 for axis in axes})
    return []


def _report_temperatures(machine: Interpreter, command: Command) -> list[str]:
    machine.temperature_reports.every(command.number("S", 0.0), machine.printer.now_s)
    return []


def _report_position(machine: Interpreter, command: Command) -> list[str]:
    machine.position_reports.every(command.number("S", 0.0), machine.printer.now_s)
    return []


def _position(machine: Interpreter, _command: Command) -> list[str]:
    return [replies.position(machine.printer.position())]


def _firmware_info(_machine: Interpreter, _command: Command) -> list[str]:
    return replies.firmware_info()


def _no_card(_machine: Interpreter, _command: Command) -> list[str]:
    return [replies.NO_CARD]


def _not_sd_printing(_machine: Interpreter, _command: Command) -> list[str]:
    return [replies.NOT_SD_PRINTING]


HANDLERS: dict[str, Handler] = {
    "G0": _move,
    "G1": _move,
    "G4": _dwell,
    "G28": _home,
    "G92": _move,
    "M20": _no_card,
    "M21": _no_card,
    "M23": _no_card,
    "M24": _no_card,
    "M27": _not_sd_printing,
    "M104": _heat_hotend,
    "M106": _fan_on,
    "M107": _fan_off,
    "M109": _wait_hotend,
    "M114": _position,
    "M115": _firmware_info,
    "M140": _heat_bed,
    "M154": _report_position,
    "M155": _report_temperatures,
    "M190": _wait_bed,
    "M220": _speed,
    "M221": _flow,
}
