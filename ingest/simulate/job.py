"""The printer's own job, as the board sees it: its commands, its pauses, its end.

The job's host is not on this wire: its lines and their oks are not heard, but what the board says of itself
is. Left out: what a slicer's start code asks (M105, M110, …) and the job's own changes of speed and flow,
which the path has in its times and its filament already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from ingest.simulate.machine import Machine
from ingest.simulate.parking import Trip
from ingest.simulate.toolpath import Order, Position, Toolpath
from ingest.simulate.wire import Command, read_command
from ingest.telemetry.gcode.motion import HEAT_J_MM_K

RESUMES_S = (15.0, 120.0)  # range: until somebody goes on with a job that has paused itself
IN_THE_PATH = frozenset(("G4", "M105", "M110", "M220", "M221"))
"""Commands of the job that the board is not given again."""
TAKES_TIME = {"G28": "G4 S15", "G29": "G4 S40"}
"""Homing and probing: the job's path knows no ways of theirs, so that the head stands meanwhile."""
_MOMENT_S = 1e-6  # what times differ by rounding alone
_LINE_MM = 1e-3  # shorter ones are not laid
_COLOUR = "M600"


class Settings(NamedTuple):
    """What a job's commands have set until some place; None: they have not."""

    hotend_c: float | None = None
    bed_c: float | None = None
    fan: float | None = None  # 0..1


def settings_at(orders: Iterable[Order], print_s: float) -> Settings:
    """What the orders before ``print_s`` leave behind them."""
    settings = Settings()
    for order in orders:
        command = read_command(order.command)
        if order.at_s < print_s and command and command.code in _SETS:
            settings = _SETS[command.code](settings, command)
    return settings


def _sets_hotend(settings: Settings, command: Command) -> Settings:
    return settings._replace(hotend_c=command.target_c(settings.hotend_c or 0.0))


def _sets_bed(settings: Settings, command: Command) -> Settings:
    return settings._replace(bed_c=command.target_c(settings.bed_c or 0.0))


def _sets_fan(settings: Settings, command: Command) -> Settings:
    return settings._replace(fan=command.fan())


def _stops_fan(settings: Settings, _command: Command) -> Settings:
    return settings._replace(fan=0.0)


_SETS: dict[str, Callable[[Settings, Command], Settings]] = {
    "M104": _sets_hotend,
    "M109": _sets_hotend,
    "M140": _sets_bed,
    "M190": _sets_bed,
    "M106": _sets_fan,
    "M107": _stops_fan,
}


class JobRunner:
    """Runs the job of a machine's printer. One object per boot; ``tick`` once per control step.

    ``run`` gives the board a command and returns what it says. At its start a job under way has the targets,
    the fan and the filaments of that place, a cold one whose own commands heat begins with them. The
    runner alone decides on ``printer.hold`` and, in a pause, on ``printer.park``.
    """

    def __init__(self, machine: Machine, run: Callable[[str], list[str]]) -> None:
        self._machine, self._printer, self._run = machine, machine.printer, run
        self._orders = self._printer.path.orders
        self._next = 0  # of the orders
        self._pause: _Pause | None = None
        self._printer.park = None
        self._has_fan = any(order.command.startswith(("M106", "M107")) for order in self._orders)
        if self._printer.printing:
            self._find_under_way()
        elif self._printer.job_waits and self._heats_itself():
            self._begin_cold()
        self._ran = self._printer.printing

    def tick(self) -> list[str]:
        """Carry out what the job has come to, with the printer advanced until now; what is said of it."""
        begun, self._ran = self._printer.printing and not self._ran, self._printer.printing or self._ran
        if begun and self._has_fan:
            self._printer.fan = 0.0  # until the job asks for it
        if not self._printer.printing:
            return self._end() if self._ran else []
        return [*self._carry_out(), *self._stand()]

    def _find_under_way(self) -> None:
        """Be where orders were carried out before, unheard."""
        printer, path = self._printer, self._printer.path
        self._next = sum(order.at_s < printer.print_s for order in self._orders)
        settings = settings_at(self._orders, printer.print_s)
        if self._has_fan:
            printer.fan = settings.fan or 0.0
        if self._next or self._has_fan:
            self._settle(settings)
        changes = (order.at_s for order in self._orders[: self._next] if order.command.startswith(_COLOUR))
        printer.colour_begins += [min(_lines_until(path, at_s), printer.deposit.count) for at_s in changes]
        self._machine.timer.start(printer.now_s - printer.print_s)

    def _settle(self, settings: Settings) -> None:
        printer = self._printer
        hotend_c = printer.hotend.target_c if settings.hotend_c is None else settings.hotend_c
        bed_c = printer.bed.target_c if settings.bed_c is None else settings.bed_c
        to_air_w_k = printer.fan * printer.spec.fan_w_k + HEAT_J_MM_K * printer.path.mean_filament_mm_s
        printer.hotend.settle(hotend_c, to_air_w_k)
        printer.bed.settle(bed_c)
        for heater in (printer.hotend, printer.bed):
            self._machine.guard(heater)

    def _heats_itself(self) -> bool:
        waits = (order for order in self._orders if order.command.startswith(("M109", "M190")))
        return any(order.at_s <= self._printer.print_s for order in waits)

    def _begin_cold(self) -> None:
        """Let the job's own commands heat."""
        self._machine.cool_down()
        self._printer.job_waits, self._printer.printing, self._printer.hold = False, True, True

    def _carry_out(self) -> list[str]:
        lines: list[str] = []
        while self._is_due() and not self._is_held():
            order = self._orders[self._next]
            self._next += 1
            command = read_command(order.command)
            if command and command.code not in IN_THE_PATH:
                lines += self._run(TAKES_TIME.get(command.code, order.command))
                if self._machine.job_paused:
                    self._pause = self._paused(self._machine.draw(RESUMES_S))
        return lines

    def _is_due(self) -> bool:
        due_s = self._printer.print_s + _MOMENT_S
        return self._next < len(self._orders) and self._orders[self._next].at_s <= due_s

    def _is_held(self) -> bool:
        return self._machine.job_paused or self._machine.wait is not None or self._pause is not None

    def _stand(self) -> list[str]:
        """Hold the job where it has to wait."""
        if self._machine.job_paused and self._pause is None:
            self._pause = self._paused(math.inf)
        lines = self._go_on(self._pause) if self._pause else []
        self._printer.hold = self._is_held()
        return lines

    def _go_on(self, pause: _Pause) -> list[str]:
        """Take the head away in a pause, and back at its end."""
        now_s, lines = self._printer.now_s, []
        if self._machine.job_paused and now_s >= pause.until_s:
            lines = self._run("M24")
        is_back = pause.is_back(now_s, is_paused=self._machine.job_paused)
        self._pause = None if is_back else pause
        self._printer.park = None if is_back else pause.at(now_s)
        return lines

    def _paused(self, lasts_s: float) -> _Pause:
        here, now_s = self._printer.position(), self._printer.now_s
        parking = self._machine.parking
        return _Pause(here, parking.over(here) if parking.on_pause else here, now_s, now_s + lasts_s)

    def _end(self) -> list[str]:
        """The job is over, or was cut off: all is off, and the orders behind its last move do nothing."""
        self._ran, self._next, self._pause = False, len(self._orders), None
        self._printer.hold, self._printer.park, self._printer.fan = False, None, 0.0
        self._machine.job_paused = False
        self._machine.cool_down()
        self._machine.timer.stop(self._printer.now_s)
        return []


class _Pause:
    """A pause from ``from_s`` on: the head goes to its place, and back when it is over."""

    def __init__(self, begin: Position, park: Position, from_s: float, until_s: float) -> None:
        self.until_s = until_s
        self._there, self._back = Trip(begin, park), Trip(park, begin)
        self._from_s = from_s
        self._back_from_s: float | None = None

    def is_back(self, now_s: float, *, is_paused: bool) -> bool:
        """Whether the head is back from it; it sets off when it has arrived and the pause is over."""
        arrived_s = self._from_s + self._there.seconds
        if not is_paused and self._back_from_s is None and now_s >= arrived_s:
            self._back_from_s = now_s
        return self._back_from_s is not None and now_s >= self._back_from_s + self._back.seconds

    def at(self, now_s: float) -> Position:
        """Where the head is."""
        if self._back_from_s is None:
            return self._there.at(now_s - self._from_s)
        return self._back.at(now_s - self._back_from_s)


def _lines_until(path: Toolpath, print_s: float) -> int:
    """How many lines a job has laid by a print time, where all went well."""
    last = path.move_at(print_s)
    lengths_mm = np.sqrt((np.diff(path.points[: last + 1], axis=0) ** 2).sum(axis=1))
    return int(np.count_nonzero((path.melted_mm_s[:last] > 0.0) & (lengths_mm > _LINE_MM)))
