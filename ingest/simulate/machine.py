"""What the firmware remembers between commands: reports, guards of targets, the card, what it waits for."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.card import Card
from ingest.simulate.heater import Heater
from ingest.simulate.parking import draw_parking
from ingest.simulate.printer import Printer
from ingest.simulate.protection import BED_LIMITS, HOTEND_LIMITS, Protection
from ingest.simulate.stopwatch import Stopwatch
from ingest.simulate.toolpath import Position
from ingest.simulate.waiting import HeatWait, Wait
from ingest.simulate.wire import Command

LONGEST_REPORT_S = 60.0  # Marlin's limit on the interval of automatic reports
BUSY_EVERY_S = 2.0  # DEFAULT_KEEPALIVE_INTERVAL
STUCK_SHARE = 0.001  # of the reports: the board or its host was busy with something else
STUCK_S = (0.5, 2.0)  # range of how long
_MOMENT_S = 1e-6  # what times differ by rounding alone


class Lateness:
    """By how much a board's reports come late. ``jitter_s`` 0: never.

    A serial log with times (34 reports of M155 S2, and 33 lines of busy) has intervals of 2.000 s with a
    standard deviation of 0.6 ms; of 31,700 lines of Klipper's statistics, due every second, some 1 in 1000
    came half a second late or more.
    """

    def __init__(self, jitter_s: float, rng: np.random.Generator) -> None:
        self._jitter_s, self._rng = jitter_s, rng

    def draw(self) -> float:
        """The next report's, s."""
        if self._jitter_s <= 0.0:
            return 0.0
        late_s = abs(float(self._rng.normal(0.0, self._jitter_s)))
        return late_s + (float(self._rng.uniform(*STUCK_S)) if self._rng.random() < STUCK_SHARE else 0.0)


class AutoReport:
    """M155, M154 or M27 S: a report every so many seconds, counted from the last one as Marlin does."""

    def __init__(self, lateness: Lateness) -> None:
        self._lateness = lateness
        self._every_s = 0.0
        self._next_s = math.inf

    def every(self, interval_s: float, now_s: float) -> None:
        """Report every ``interval_s`` from now on; 0 ends it."""
        self._every_s = min(max(interval_s, 0.0), LONGEST_REPORT_S)
        self._plan(now_s)

    def due(self, now_s: float) -> float | None:
        """When a report was to be sent that is due by now, None where none is; says so once for each."""
        if now_s < self._next_s - _MOMENT_S:
            return None
        at_s = min(self._next_s, now_s)
        self._plan(at_s)
        return at_s

    def _plan(self, from_s: float) -> None:
        self._next_s = from_s + self._every_s + self._lateness.draw() if self._every_s else math.inf


class Machine:
    """The state that commands work on. ``wait`` is what the last one waits for, None when it is done.

    ``job_paused``: the printer's own job stands until somebody goes on with it (M25, M24). ``rng`` draws what
    people do, how this machine pauses, and how late its reports come.
    """

    def __init__(self, printer: Printer, card: Card, rng: np.random.Generator) -> None:
        self.printer, self.card = printer, card
        self._people, for_reports = rng.spawn(2)
        self._lateness = Lateness(printer.spec.report_jitter_s, for_reports)
        self.parking = draw_parking(self._people, printer.path.bed_mm)
        self.guards: dict[str, Protection] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, as a boot does."""
        self.temperature_reports = AutoReport(self._lateness)
        self.position_reports = AutoReport(self._lateness)
        self.card_reports = AutoReport(self._lateness)
        self.busy_every_s = BUSY_EVERY_S  # 0: the firmware never says that it is busy
        self.timer = Stopwatch()
        self.wait: Wait | None = None
        self.job_paused = False
        self.card.close()
        self.printer.planner.forget()
        self.guards = {"E0": Protection(HOTEND_LIMITS), "bed": Protection(BED_LIMITS)}
        for heater in (self.printer.hotend, self.printer.bed):
            self.guard(heater)

    def heat(self, heater: Heater, command: Command) -> None:
        """Set a target from the command's S or R."""
        heater.target_c = command.target_c(heater.target_c)
        self.guard(heater)

    def heat_and_wait(self, heater: Heater, command: Command) -> None:
        """The same, and wait: with S for heating only, with R for cooling too."""
        self.heat(heater, command)
        cooling = heater.target_c < heater.reading_c
        if not cooling or command.words.get("R") is not None:
            self.wait = HeatWait(heater)

    def cool_down(self) -> None:
        """Ask no more heat."""
        for heater in (self.printer.hotend, self.printer.bed):
            heater.target_c = 0.0
            self.guard(heater)

    def position(self) -> Position:
        """Where the head will be after all that is planned; of the printer's own job where it is."""
        return self.printer.position() if self.printer.printing else self.printer.planner.projected

    def draw(self, range_s: tuple[float, float]) -> float:
        """How long somebody or something takes, s."""
        return float(self._people.uniform(*range_s))

    def guard(self, heater: Heater) -> None:
        """Watch a heater from now on for the target that it has."""
        self.guards[heater.name].retarget(self.printer.now_s, heater.reading_c, heater.target_c)
