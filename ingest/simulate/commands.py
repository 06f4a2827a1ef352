"""What each G-code does to the simulated printer and what it answers. Time is the printer's own.

Left out: several hot ends, chambers and the EEPROM. While the printer's own job runs, moves do nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ingest.simulate import card_commands, pausing, replies
from ingest.simulate.machine import LONGEST_REPORT_S, Machine
from ingest.simulate.waiting import Dwell, Room, Standstill
from ingest.simulate.wire import Command

AUTOSTART_C = 85.0  # EXTRUDE_MINTEMP / 2: M109 above it starts the print timer (PRINTJOB_TIMER_AUTOSTART)

_ONLY_TAKEN = (
    "G21 G90 G91 G92 M17 M29 M73 M82 M83 M108 M110 M117 M118 M201 M203 M204 M205 M211 M301 M304 "
    "M413 M420 M500 M501 M502 M900 T0"
)
ACCEPTED = frozenset(_ONLY_TAKEN.split())
"""Commands that get their ok and change nothing but, for some, how the planner takes the next moves."""


def carry_out(machine: Machine, text: str, command: Command | None) -> list[str]:
    """Carry out one command; its lines but for the ok. It may leave something to wait for."""
    if command is None or command.code not in HANDLERS.keys() | ACCEPTED:
        return [replies.unknown(text)]
    if not machine.printer.printing:
        machine.printer.planner.take(text)
    handler = HANDLERS.get(command.code)
    lines = handler(machine, command) if handler else []
    if machine.wait and machine.wait.done(machine.printer.now_s):
        machine.wait = None
    return lines


Handler: TypeAlias = Callable[[Machine, Command], list[str]]


def _heat_hotend(machine: Machine, command: Command) -> list[str]:
    machine.heat(machine.printer.hotend, command)
    return []


def _heat_bed(machine: Machine, command: Command) -> list[str]:
    machine.heat(machine.printer.bed, command)
    return []


def _wait_hotend(machine: Machine, command: Command) -> list[str]:
    machine.heat_and_wait(machine.printer.hotend, command)
    if machine.printer.hotend.target_c > AUTOSTART_C:
        machine.timer.start(machine.printer.now_s)
    return []


def _wait_bed(machine: Machine, command: Command) -> list[str]:
    machine.heat_and_wait(machine.printer.bed, command)
    return []


def _dwell(machine: Machine, command: Command) -> list[str]:
    seconds = command.number("S", command.number("P", 0.0) / 1000.0)
    machine.wait = Dwell(machine.printer.planner, seconds)
    return []


def _fan_on(machine: Machine, command: Command) -> list[str]:
    machine.printer.fan = command.fan()
    return []


def _fan_off(machine: Machine, _command: Command) -> list[str]:
    machine.printer.fan = 0.0
    return []


def _speed(machine: Machine, command: Command) -> list[str]:
    if "S" not in command.words:
        return [f"FR:{100.0 * machine.printer.feed_factor:.0f}%"]
    machine.printer.feed_factor = command.number("S", 100.0) / 100.0
    return []


def _flow(machine: Machine, command: Command) -> list[str]:
    if "S" not in command.words:
        return [f"echo:E0 Flow: {100.0 * machine.printer.flow_factor:.0f}%"]
    machine.printer.flow_factor = command.number("S", 100.0) / 100.0
    return []


def _move(machine: Machine, _command: Command) -> list[str]:
    machine.wait = Room(machine.printer.planner)
    return []


def _home(machine: Machine, _command: Command) -> list[str]:
    if not machine.printer.printing:
        machine.printer.planner.home()
    machine.wait = Standstill(machine.printer.planner)
    return []


def _finish_moves(machine: Machine, _command: Command) -> list[str]:
    machine.wait = Standstill(machine.printer.planner)
    return []


def _motors_off(machine: Machine, command: Command) -> list[str]:
    return [] if "S" in command.words else _finish_moves(machine, command)  # S: only after so much idleness


def _report_temperatures(machine: Machine, command: Command) -> list[str]:
    machine.temperature_reports.every(command.number("S", 0.0), machine.printer.now_s)
    return []


def _report_position(machine: Machine, command: Command) -> list[str]:
    machine.position_reports.every(command.number("S", 0.0), machine.printer.now_s)
    return []


def _keepalive(machine: Machine, command: Command) -> list[str]:
    if "S" not in command.words:
        return [f"echo:M113 S{machine.busy_every_s:g}"]
    machine.busy_every_s = min(max(command.number("S", 0.0), 0.0), LONGEST_REPORT_S)
    return []


def _temperatures(machine: Machine, _command: Command) -> list[str]:
    """The one answer that stands behind its ok."""
    return [replies.OK + replies.temperatures(machine.printer)]


def _position(machine: Machine, _command: Command) -> list[str]:
    return [replies.position(machine.position())]


def _firmware_info(_machine: Machine, _command: Command) -> list[str]:
    return replies.firmware_info()


def _print_time(machine: Machine, _command: Command) -> list[str]:
    return [replies.print_time(machine.timer.seconds(machine.printer.now_s))]


def _start_timer(machine: Machine, _command: Command) -> list[str]:
    machine.timer.start(machine.printer.now_s)
    return []


def _pause_timer(machine: Machine, _command: Command) -> list[str]:
    machine.timer.pause(machine.printer.now_s)
    return []


def _stop_timer(machine: Machine, _command: Command) -> list[str]:
    machine.timer.stop(machine.printer.now_s)
    return []


HANDLERS: dict[str, Handler] = {
    "G0": _move,
    "G1": _move,
    "G2": _move,
    "G3": _move,
    "G4": _dwell,
    "G28": _home,
    "M18": _motors_off,
    "M31": _print_time,
    "M75": _start_timer,
    "M76": _pause_timer,
    "M77": _stop_timer,
    "M84": _motors_off,
    "M104": _heat_hotend,
    "M105": _temperatures,
    "M106": _fan_on,
    "M107": _fan_off,
    "M109": _wait_hotend,
    "M113": _keepalive,
    "M114": _position,
    "M115": _firmware_info,
    "M140": _heat_bed,
    "M154": _report_position,
    "M155": _report_temperatures,
    "M190": _wait_bed,
    "M220": _speed,
    "M221": _flow,
    "M400": _finish_moves,
    **card_commands.HANDLERS,
    **pausing.HANDLERS,
}
