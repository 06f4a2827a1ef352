"""The simulated board's firmware: Marlin's dialogue with a host, and its own reports and halts.

Pure: ``handle`` takes a line and gives lines, ``tick`` takes the time and gives lines; the pty is elsewhere.
The printer's own job (``job``) runs as if a host streamed it, but that host's lines and their oks are not on
this wire; only what they cause is (waits and pauses, a storm of line errors). Moves that a host streams or a
card holds are planned ahead; the ok of one that finds the queue full is held back until a control step has
made room. Left out: the receive buffer that Marlin empties when it asks for a line again, the limits of its
command buffer, and the seconds that a real boot takes.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, TypeAlias

import numpy as np

from ingest.simulate import replies
from ingest.simulate.card import Card
from ingest.simulate.commands import carry_out
from ingest.simulate.faults import FaultKind
from ingest.simulate.job import JobRunner
from ingest.simulate.machine import Machine
from ingest.simulate.printer import Printer
from ingest.simulate.spec import STEP_S
from ingest.simulate.wire import HostLine, NoisyWire, read_command, read_line

WAIT_REPORT_EVERY_S = 1.0  # reports of M109 and M190
STORM_LINES_S = 2.0  # damaged lines per second in the worst storm
STORM_SHARE = 0.5  # share of a host's lines that the worst storm damages
JOB_LINES_S = 25.0  # lines per second that a host streams for the job: their numbers go on unseen
CARD_LINES_STEP = 50  # that the board reads from the card in one control step: 250 a second
BUFSIZE = 4  # commands that wait in Marlin's queue
PRESSING = frozenset(("M24", "M108"))  # stand for the button; Marlin's parser hears but M108 in a wait
POWER_CUT = "@power_cut"  # not Marlin's: the supply fails for so many seconds, too briefly for a reset

Said: TypeAlias = tuple[float, str]
"""When a line is said, s, and the line."""


class Queued(NamedTuple):
    """A command, its line number where it has one, and whether it gets an ok."""

    text: str
    number: int | None
    gets_ok: bool


class Firmware:
    """Marlin on one printer. ``halted_s`` and ``halt_reason`` tell of its own halt.

    ``advanced_ok``: oks tell the line's number and what room there is, as with ADVANCED_OK.
    """

    def __init__(
        self,
        printer: Printer,
        rng: np.random.Generator,
        card: Card | None = None,
        *,
        advanced_ok: bool = False,
    ) -> None:
        self.printer = printer
        self.halted_s: float | None = None
        self.halt_reason = ""
        for_machine, for_wire = rng.spawn(2)
        self._wire = NoisyWire(for_wire)
        self._machine = Machine(printer, card or Card(), for_machine)
        self._job = JobRunner(self._machine, self._run_unheard)
        self._rng = rng
        self._advanced_ok = advanced_ok
        self._last_line = 0
        self._queue: deque[Queued] = deque()
        self._waiting: Queued | None = None  # the command that waits
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
        self._job = JobRunner(self._machine, self._run_unheard)
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
            return self._heard(replies.line_error(damaged, self._last_line))
        if parsed.number is not None:
            self._last_line = parsed.number
        return self._heard(self._accept(parsed))

    def happen(self, order: str) -> list[str]:
        """What somebody at the printer does, or what befalls it (``@power_cut 2.0``); the answers."""
        name, _, seconds = order.partition(" ")
        if name != POWER_CUT:
            return self.handle(order)
        self.printer.unpowered_until_s = self.printer.now_s + float(seconds)
        return []

    def print_from_card(self, name: str) -> list[str]:
        """Somebody chooses a file at the printer's screen; what hosts hear of it, without an ok."""
        commands = (Queued(text, None, gets_ok=False) for text in (f"M23 {name}", "M24"))
        return [line for command in commands for line in self._enqueue(command)]

    def tick(self, now_s: float) -> list[str]:
        """What the firmware says by itself at ``now_s``, with the printer advanced until then."""
        return [line for _, line in self.said(now_s)]

    def said(self, now_s: float) -> list[Said]:
        """The same with the time of each line, in order: reports have their own within the control step."""
        lines = [*((now_s, line) for line in self._reset_by_fault(now_s)), *self._live(now_s)]
        if self._silent():
            return []
        lines.sort(key=lambda said: said[0])
        return self._sent(lines)

    def _heard(self, lines: list[str]) -> list[str]:
        """What reaches the host of an answer."""
        return [line for _, line in self._sent([(self.printer.now_s, line) for line in lines])]

    def _sent(self, lines: list[Said]) -> list[Said]:
        return self._wire.hear(lines, self.printer.plan.severity(FaultKind.GARBLED, self.printer.now_s))

    def _live(self, now_s: float) -> list[Said]:
        if self.halted_s is not None:
            return []
        lines = self._protect(now_s)
        if not lines:
            lines = [*self._wait(now_s), *self._job.tick(), *self._read_card(), *self._storm(now_s)]
        reports = self._reports(now_s) if self.halted_s is None else []
        return [*((now_s, line) for line in lines), *reports]

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

    def _accept(self, line: HostLine) -> list[str]:
        command = read_command(line.command)
        code = command.code if command else ""
        if code == "M112":  # the emergency parser does not wait
            return self._kill("M112", [replies.HALTED])
        breaks_off = code == "M108" and self._is_heating()
        if code in PRESSING and self._machine.wait:
            self._machine.wait.press()
        lines = self._enqueue(Queued(line.command, line.number, gets_ok=True))
        return self._go_on() if breaks_off else lines

    def _enqueue(self, command: Queued) -> list[str]:
        if self._machine.wait is None:
            return self._run(command)
        self._queue.append(command)
        return []

    def _run_unheard(self, text: str) -> list[str]:
        """Run a command of the job or the card: without an ok."""
        return self._run(Queued(read_line(text).command, None, gets_ok=False))

    def _run(self, queued: Queued) -> list[str]:
        command = read_command(queued.text)
        code = command.code if command else ""
        if command and code == "M110":
            self._last_line = int(command.number("N", self._last_line))
        lines = carry_out(self._machine, queued.text, command)
        if self._machine.wait is None:
            return lines if code == "M105" else lines + self._ok(queued)
        now_s, self._waiting = self.printer.now_s, queued
        self._busy_s, self._report_s = now_s + self._machine.busy_every_s, now_s + WAIT_REPORT_EVERY_S
        return lines

    def _ok(self, done: Queued) -> list[str]:
        if not done.gets_ok:
            return []
        if not self._advanced_ok:
            return [replies.OK]
        room = max(BUFSIZE - 1 - len(self._queue), 0)
        return [replies.ok(done.number, self.printer.planner.moves_free, room)]

    def _is_heating(self) -> bool:
        wait = self._machine.wait
        return wait is not None and wait.suffix(self.printer.now_s) is not None

    def _wait(self, now_s: float) -> list[str]:
        wait = self._machine.wait
        if wait is None:
            return []
        is_over = wait.done(now_s)
        lines = wait.news()
        if is_over:
            return lines + self._go_on()
        suffix = wait.suffix(now_s)
        if suffix is not None and now_s >= self._report_s:
            self._report_s += WAIT_REPORT_EVERY_S
            lines.append(replies.temperatures(self.printer) + suffix)
        if self._machine.busy_every_s and now_s >= self._busy_s:
            self._busy_s += self._machine.busy_every_s
            lines.append(replies.busy(wait.busy))
        return lines

    def _go_on(self) -> list[str]:
        """The wait is over: its ok, if it owes one, then what has queued up until the next wait."""
        self._machine.wait = None
        lines = self._ok(self._waiting) if self._waiting else []
        self._waiting = None
        while self._queue and self._machine.wait is None:
            lines += self._run(self._queue.popleft())
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
            if read_line(text).command:
                lines += self._run_unheard(text)
        return lines

    def _reports(self, now_s: float) -> list[Said]:
        machine, lines = self._machine, []
        if (at_s := machine.temperature_reports.due(now_s)) is not None:
            lines.append((at_s, replies.temperatures(self.printer)))
        if (at_s := machine.position_reports.due(now_s)) is not None:
            lines.append((at_s, replies.position(machine.position())))
        if (at_s := machine.card_reports.due(now_s)) is not None:
            lines.append((at_s, machine.card.status()))
        return lines

    def _protect(self, now_s: float) -> list[str]:
        for heater in (self.printer.hotend, self.printer.bed):
            wanted_c = heater.target_c if heater.enabled else 0.0  # one that was let cool need not be warm
            reason = self._machine.guards[heater.name].check(now_s, heater.reading_c, wanted_c)
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
