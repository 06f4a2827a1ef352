"""What the firmware remembers between commands: reports, guards of targets, the card, what it waits for."""

from __future__ import annotations

from ingest.simulate.card import Card
from ingest.simulate.heater import Heater
from ingest.simulate.printer import Printer
from ingest.simulate.protection import BED_LIMITS, HOTEND_LIMITS, Protection
from ingest.simulate.stopwatch import Stopwatch
from ingest.simulate.toolpath import Position
from ingest.simulate.waiting import HeatWait, Wait
from ingest.simulate.wire import Command

LONGEST_REPORT_S = 60.0  # Marlin's limit on the interval of automatic reports
BUSY_EVERY_S = 2.0  # DEFAULT_KEEPALIVE_INTERVAL


class AutoReport:
    """M155, M154 or M27 S: a report every so many seconds, counted from when it was asked for."""

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


class Machine:
    """The state that commands work on. ``wait`` is what the last one waits for, None when it is done."""

    def __init__(self, printer: Printer, card: Card) -> None:
        self.printer, self.card = printer, card
        self.guards: dict[str, Protection] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, as a boot does."""
        self.temperature_reports = AutoReport()
        self.position_reports = AutoReport()
        self.card_reports = AutoReport()
        self.busy_every_s = BUSY_EVERY_S  # 0: the firmware never says that it is busy
        self.timer = Stopwatch()
        self.wait: Wait | None = None
        self.card.close()
        self.printer.planner.forget()
        self.guards = {"E0": Protection(HOTEND_LIMITS), "bed": Protection(BED_LIMITS)}
        for heater in (self.printer.hotend, self.printer.bed):
            self._guard(heater)

    def heat(self, heater: Heater, command: Command) -> None:
        """Set a target from the command's S or R."""
        heater.target_c = command.number("S", command.number("R", heater.target_c))
        self._guard(heater)

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
            self._guard(heater)

    def position(self) -> Position:
        """Where the head will be after all that is planned; of the printer's own job where it is."""
        return self.printer.position() if self.printer.printing else self.printer.planner.projected

    def _guard(self, heater: Heater) -> None:
        self.guards[heater.name].retarget(self.printer.now_s, heater.reading_c, heater.target_c)
