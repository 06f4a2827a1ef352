"""The simulated board's firmware: Marlin's dialogue with a host, and its own reports and halts.

Pure: ``handle`` takes a line and gives lines, ``tick`` takes the time and gives lines; the pty is elsewhere.
The printer's own job runs as if a host streamed it, but that host's lines and their oks are not on this wire;
only what they cause is (a storm of line errors). Moves that a host streams or a card holds are planned ahead;
the ok of one that finds the queue full is held back until a control step has made room.
Left out: the receive buffer that Marlin empties when it asks for a line again and the limits of its command
buffer, ADVANCED_OK, and the seconds that a real boot takes.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ingest.simulate import replies
from ingest.simulate.card import Card
from ingest.simulate.commands import carry_out
from ingest.simulate.faults import FaultKind
from ingest.simulate.machine import Machine
from ingest.simulate.printer import STEP_S, Printer
from ingest.simulate.wire import HostLine, read_command, read_line

WAIT_REPORT_EVERY_S = 1.0  # reports of M109 and M190
STORM_LINES_S = 2.0  # damaged lines per second in the worst storm
STORM_SHARE = 0.5  # share of a host's lines that the worst storm damages
JOB_LINES_S = 25.0  # lines per second that a host streams for the job: their numbers go on unseen
CARD_LINES_STEP = 50  # that the board reads from the card in one control step: 250 a second


class Firmware:
    """Marlin on one printer. ``halted_s`` and ``halt_reason`` tell of its own halt."""

    def __init__(self, printer: Printer, rng: np.random.Generator, card: Card | None = None) -> None:
        self.printer = printer
        self.halted_s: float | None = None
        self.halt_reason = ""
        self._machine = Machine(printer, card or Card())
        self._rng = rng
        self._last_line = 0
        self._queue: deque[tuple[str, bool]] = deque()  # commands, and whether they get an ok
        self._after_wait: list[str] = []  # what is said when the wait is over
        self._busy_s = self._report_s = 0.0
        self._resets_done = 0

    def boot(self, cause: str = "PowerUp") -> list[str]:
        """Start anew: no targets, no job, no reports, not halted. Gives the banner."""
        self.printer.stop()
        self.printer.restore_power()
        self.halted_s, self.halt_reason = None, ""
        self._last_line = 0
        self._queue.clear()
        self._machine.reset()
        return replies.banner(cause)

    def handle(self, line: str) -> list[str]:
        """Take one line from the host; the answers that go out at once. None come from a halted board."""
        if self.halted_s is not None or self._silent():
            return []
        parsed = read_line(line)
        if not parsed.command:
            return []
        damaged = self._damage(parsed)
        if damaged:
            return replies.line_error(damaged, self._last_line)
        if parsed.number is not None:
            self._last_line = parsed.number
        return self._accept(parsed.command)

    def print_from_card(self, name: str) -> list[str]:
        """Somebody chooses a file at the printer's screen; what hosts hear of it, without an ok."""
        return [line for text in (f"M23 {name}", "M24") for line in self._enqueue(text, gets_ok=False)]

    def tick(self, now_s: float) -> list[str]:
        """What the firmware says by itself at ``now_s``, with the printer advanced until then."""
        lines = [*self._reset_by_fault(now_s), *self._live(now_s)]
        return [] if self._silent() else lines

    def _live(self, now_s: float) -> list[str]:
        if self.halted_s is not None:
            return []
        fatal = self._protect(now_s)
        if fatal:
            return fatal
        return [*self._wait(now_s), *self._read_card(), *self._reports(now_s), *self._storm(now_s)]

    def _damage(self, line: HostLine) -> str | None:
        """What is wrong with a line, in Marlin's words; None where nothing is."""
        if line.number is None:
            return None
        if line.number != self._last_line + 1 and not _sets_number(line.command):
            return "Line Number is not Last Line Number+1"
        if line.checksum is None:
            return "No Checksum with line number"
        storm = self.printer.plan.severity(FaultKind.LINE_ERRORS, self.printer.now_s)
        if line.checksum != line.expected_checksum or self._rng.random() < storm * STORM_SHARE:
            return "checksum mismatch"
        return None

    def _accept(self, text: str) -> list[str]:
        command = read_command(text)
        if command and command.code == "M112":  # the emergency parser does not wait
            return self._kill("M112", [replies.HALTED])
        breaks_off = command is not None and command.code == "M108" and self._is_heating()
        lines = self._enqueue(text, gets_ok=True)
        return self._go_on() if breaks_off else lines

    def _enqueue(self, text: str, *, gets_ok: bool) -> list[str]:
        if self._machine.wait is None:
            return self._run(text, gets_ok=gets_ok)
        self._queue.append((text, gets_ok))
        return []

    def _run(self, text: str, *, gets_ok: bool) -> list[str]:
        command = read_command(text)
        code = command.code if command else ""
        if command and code == "M110":
            self._last_line = int(command.number("N", self._last_line))
        lines = carry_out(self._machine, text, command)
        ok = [replies.OK] if gets_ok and code != "M105" else []
        if self._machine.wait is None:
            return lines + ok
        now_s, self._after_wait = self.printer.now_s, ok
        self._busy_s, self._report_s = now_s + self._machine.busy_every_s, now_s + WAIT_REPORT_EVERY_S
        return lines

    def _is_heating(self) -> bool:
        wait = self._machine.wait
        return wait is not None and wait.suffix(self.printer.now_s) is not None

    def _wait(self, now_s: float) -> list[str]:
        wait = self._machine.wait
        if wait is None:
            return []
        if wait.done(now_s):
            return self._go_on()
        lines = []
        suffix = wait.suffix(now_s)
        if suffix is not None and now_s >= self._report_s:
            self._report_s += WAIT_REPORT_EVERY_S
            lines.append(replies.temperatures(self.printer) + suffix)
        if self._machine.busy_every_s and now_s >= self._busy_s:
            self._busy_s += self._machine.busy_every_s
            lines.append(replies.BUSY)
        return lines

    def _go_on(self) -> list[str]:
        """The wait is over: its ok, if it owes one, then what has queued up until the next wait."""
        self._machine.wait = None
        lines, self._after_wait = self._after_wait, []
        while self._queue and self._machine.wait is None:
            text, gets_ok = self._queue.popleft()
            lines += self._run(text, gets_ok=gets_ok)
        return lines

    def _read_card(self) -> list[str]:
        """Carry out commands from the card until one waits; none of them gets an ok."""
        lines: list[str] = []
        for _ in range(CARD_LINES_STEP):
            if self._machine.wait or not self._machine.card.is_printing:
                break
            text = self._machine.card.next_line()
            if text is None:
                text = "M1001" if self.printer.planner.is_idle else "M400"
            if bare := read_line(text).command:
                lines += self._run(bare, gets_ok=False)
        return lines

    def _reports(self, now_s: float) -> list[str]:
        machine, lines = self._machine, []
        if machine.temperature_reports.due(now_s) and not self._is_heating():
            lines.append(replies.temperatures(self.printer))
        if machine.position_reports.due(now_s):
            lines.append(replies.position(machine.position()))
        if machine.card_reports.due(now_s):
            lines.append(machine.card.status())
        return lines

    def _protect(self, now_s: float) -> list[str]:
        for heater in (self.printer.hotend, self.printer.bed):
            reason = self._machine.guards[heater.name].check(now_s, heater.reading_c, heater.target_c)
            if reason:
                return self._kill(reason, replies.stopped(reason, heater.name))
        return []

    def _kill(self, reason: str, lines: list[str]) -> list[str]:
        self.halted_s, self.halt_reason = self.printer.now_s, reason
        self.printer.cut_power()
        self._machine.card.close()
        self._queue.clear()
        return lines

    def _storm(self, now_s: float) -> list[str]:
        """Damaged lines of the job's own host."""
        storm = self.printer.plan.severity(FaultKind.LINE_ERRORS, now_s)
        if not self.printer.printing or self._rng.random() >= storm * STORM_LINES_S * STEP_S:
            return []
        return replies.line_error("checksum mismatch", int(self.printer.print_s * JOB_LINES_S))

    def _reset_by_fault(self, now_s: float) -> list[str]:
        begun = [f for f in self.printer.plan.faults if f.kind is FaultKind.RESET and f.at_s <= now_s]
        if len(begun) == self._resets_done:
            return []
        self._resets_done = len(begun)
        return self.boot("Watchdog Reset")

    def _silent(self) -> bool:
        return self.printer.plan.active(FaultKind.SILENCE, self.printer.now_s) is not None


def _sets_number(command: str) -> bool:
    return command.startswith("M110")
