"""Commands that stop for somebody: M0, M1 and M600, as Marlin 2.1 with ADVANCED_PAUSE_FEATURE does it.

After ``pause.cpp``: park, unload, wait for somebody, warm up again where the hot end was let cool, load,
purge, go back. The head is moved and the filament's colour changes for the printer's own job alone; a host's
print only waits. Left out: the heat that purged filament takes, prompts (HOST_PROMPT_SUPPORT) and several
presses of the button: who reheats the hot end continues by the same press.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ingest.simulate.machine import Machine
from ingest.simulate.parking import Trip
from ingest.simulate.toolpath import Position
from ingest.simulate.waiting import FOR_USER, PROCESSING, UserWait, Wait
from ingest.simulate.wire import Command

ANSWERS_S = (5.0, 60.0)  # range: until somebody answers an M0
CHANGES_S = (40.0, 180.0)  # range: until somebody has put another filament in
UNLOAD_S = 12.0  # FILAMENT_CHANGE_UNLOAD_LENGTH of 100 mm at 10 mm/s, and its acceleration
LOADS_S = (15.0, 30.0)  # range: slow and fast loading, and purging of some 50 mm at 3 mm/s

INSERT = "echo:Insert filament and press button"
PRESS_TO_HEAT = "echo:Press button to heat nozzle"
WARM_K = 3.0  # TEMP_HYSTERESIS: this near to the target it may extrude again


class FilamentChange(Wait):
    """M600. While it lasts the hot end may be let cool; the protection takes no offence at that."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self._printer = machine, machine.printer
        self._is_own = machine.printer.printing  # the printer's own job
        self._now_s = machine.printer.now_s
        self._pressed = self._over = False
        self._lines: list[str] = []
        self._steps = self._go()

    def done(self, now_s: float) -> bool:
        self._now_s = now_s
        self._over = self._over or next(self._steps, True) is not None
        return self._over

    def news(self) -> list[str]:
        lines, self._lines = self._lines, []
        return lines

    def press(self) -> None:
        self._pressed = True

    def _go(self) -> Iterator[None]:
        machine, begin = self._machine, self._printer.position()
        yield from self._until(lambda: self._printer.planner.is_idle or self._is_own)
        yield from self._travel(begin, machine.parking.over(begin))
        yield from self._spend(UNLOAD_S)
        yield from self._wait_for_somebody()
        yield from self._warm_up()
        yield from self._spend(machine.draw(LOADS_S))
        if self._is_own:
            self._printer.colour_begins.append(self._printer.deposit.count)
        yield from self._travel(machine.parking.over(begin), begin)
        if self._is_own:
            self._printer.park = None
        machine.timer.start(self._now_s)
        self._lines += machine.card.host_action("resumed")

    def _wait_for_somebody(self) -> Iterator[None]:
        self.busy, self._pressed = FOR_USER, False
        self._lines.append(INSERT)
        cools_s = self._now_s + self._machine.parking.timeout_s
        until_s = self._now_s + self._machine.draw(CHANGES_S)
        yield from self._until(lambda: self._pressed or self._now_s >= min(until_s, cools_s))
        if not self._pressed and until_s > cools_s:
            self._printer.hotend.enabled = False
            self._lines.append(PRESS_TO_HEAT)
            yield from self._until(lambda: self._pressed or self._now_s >= until_s)
        self.busy = PROCESSING

    def _warm_up(self) -> Iterator[None]:
        hotend = self._printer.hotend
        if not hotend.enabled:
            hotend.enabled = True
            self._machine.guard(hotend)
        yield from self._until(lambda: hotend.reading_c >= hotend.target_c - WARM_K)

    def _travel(self, begin: Position, end: Position) -> Iterator[None]:
        if not self._is_own:
            return
        trip, from_s = Trip(begin, end), self._now_s
        while self._now_s < from_s + trip.seconds:
            self._printer.park = trip.at(self._now_s - from_s)
            yield
        self._printer.park = end

    def _spend(self, seconds: float) -> Iterator[None]:
        until_s = self._now_s + seconds
        yield from self._until(lambda: self._now_s >= until_s)

    def _until(self, is_so: Callable[[], bool]) -> Iterator[None]:
        while not is_so():
            yield


def _change_filament(machine: Machine, _command: Command) -> list[str]:
    machine.timer.pause(machine.printer.now_s)
    machine.wait = FilamentChange(machine)
    return machine.card.host_action("paused")


def _stop_for_user(machine: Machine, command: Command) -> list[str]:
    """``M0``, ``M0 S10`` (ten seconds at most), ``M1 some words for the screen``."""
    longest_s = command.number("S", command.number("P", 0.0) / 1000.0)
    answers_s = machine.draw(ANSWERS_S)
    machine.wait = UserWait(machine.printer.planner, min(answers_s, longest_s or answers_s))
    return []


HANDLERS: dict[str, Callable[[Machine, Command], list[str]]] = {
    "M0": _stop_for_user,
    "M1": _stop_for_user,
    "M600": _change_filament,
}
