"""What PrusaLink's status says of a printer and its print. Pure.

Written from PrusaLink's OpenAPI description, schemas StatusPrinter, StatusJob and Job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ingest.records import Action, EventKind
from ingest.telemetry.values import number, words

Answer = Mapping[str, object]
Told = tuple[EventKind, str]

BUSY, PRINTING, PAUSED, ATTENTION = "BUSY", "PRINTING", "PAUSED", "ATTENTION"
STOPPED, ERROR = "STOPPED", "ERROR"
STATES = frozenset({"IDLE", BUSY, PRINTING, PAUSED, "FINISHED", STOPPED, ERROR, ATTENTION, "READY"})
RUNNING = frozenset({PRINTING, PAUSED, ATTENTION})
WAITING = frozenset({PAUSED, ATTENTION})
MISSPELT = {"ATTTENTION": ATTENTION}
"""The description writes it so, printers do not."""

PERCENT = 100.0
CHANNELS: Mapping[str, tuple[str, float]] = {
    "temp_nozzle": ("hotend_c", 1.0),
    "target_nozzle": ("hotend_target_c", 1.0),
    "temp_bed": ("bed_c", 1.0),
    "target_bed": ("bed_target_c", 1.0),
    "axis_x": ("x_mm", 1.0),
    "axis_y": ("y_mm", 1.0),
    "axis_z": ("z_mm", 1.0),
    "speed": ("feed_factor", PERCENT),
    "flow": ("flow_factor", PERCENT),
}
"""Channel and parts of its unit by field of StatusPrinter. The fans are left out: their rpm are no share of
the full speed, which nobody tells. ``axis_x`` and ``axis_y`` come only while nothing moves."""


def part(answer: Answer, name: str) -> Answer:
    """An object within an answer, empty where there is none."""
    found = answer.get(name)
    return found if isinstance(found, dict) else {}


def readings(status: Answer) -> Iterator[tuple[str, float]]:
    """(channel, value) of everything that a status measures."""
    printer = part(status, "printer")
    for field, (channel, parts) in CHANNELS.items():
        value = number(printer.get(field))
        if value is not None:
            yield channel, value / parts
    progress = number(part(status, "job").get("progress"))
    if progress is not None:
        yield "progress", min(max(progress / PERCENT, 0.0), 1.0)


class PrintState:
    """A printer's state and its print, followed over losses of the connection.

    ``job`` is the number that PrusaLink gave the print, None where there is none. ``unknown`` counts states
    that the description does not name; they change nothing.
    """

    def __init__(self) -> None:
        self.job: int | None = None
        self.unknown = 0
        self._state = ""
        self._name = ""
        self._runs = self._waits = False

    def begins(self, status: Answer) -> bool:
        """Whether a print is new in this status, so that its name is to be asked for before ``take``."""
        state, job = self._read(status)
        another = None not in (job, self.job) and job != self.job
        return state in RUNNING and (not self._runs or another)

    def take(self, status: Answer, name: str = "") -> Iterator[Told]:
        """What a status tells besides measurements; ``name`` is that of a print that begins."""
        state, job = self._read(status)
        if state not in STATES:
            self.unknown += 1
            return
        begins, before = self.begins(status), self._state
        self._state = state
        if state == BUSY:
            return  # on its way from one state to the next
        reason = _reason(status)
        if state == ERROR and before != ERROR:
            yield EventKind.ERROR, reason or "PrusaLink: ERROR"
        if begins or state not in RUNNING:
            yield from self._end(state, reason)
        if begins:
            self._runs, self._name = True, name
            yield EventKind.JOB_STARTED, name
        self.job = self.job if job is None else job
        yield from self._wait(state, reason)

    def refusal(self, action: Action) -> str | None:
        """Why an action makes no sense now; None where it does."""
        sensible = {Action.PAUSE: {PRINTING}, Action.RESUME: {PAUSED}, Action.CANCEL: RUNNING}[action]
        if self._state in sensible and self.job is not None:
            return None
        expected = " or ".join(sorted(sensible))
        return f"found the printer {self._state or 'in an unknown state'}, expected it to be {expected}"

    def confirmation(self, action: Action) -> str | None:
        """The printer's own words that an action has been carried out; None as long as it has not."""
        wanted = {
            Action.PAUSE: WAITING,
            Action.RESUME: {PRINTING},
            Action.CANCEL: STATES - RUNNING - {BUSY},
        }[action]
        return f"state: {self._state} {self._name}".rstrip() if self._state in wanted else None

    def _read(self, status: Answer) -> tuple[str, int | None]:
        state = words(part(status, "printer").get("state"))
        job = part(status, "job").get("id")
        return MISSPELT.get(state, state), job if isinstance(job, int) else None

    def _wait(self, state: str, reason: str) -> Iterator[Told]:
        """The print stands still, for a person or because one said so, or goes on."""
        waits = self._runs and state in WAITING
        if waits and not self._waits:
            yield EventKind.PAUSED, f"state: {state} {reason}".rstrip()
        elif self._waits and state == PRINTING:
            yield EventKind.RESUMED, f"state: {state}"
        self._waits = waits

    def _end(self, state: str, reason: str) -> Iterator[Told]:
        if not self._runs:
            return
        if state == STOPPED:
            yield EventKind.CANCELLED, f"state: {state}"
        how = "replaced by another" if state in RUNNING else state.lower()
        yield EventKind.JOB_ENDED, f"{how}: {reason}" if state == ERROR and reason else how
        self._runs = self._waits = False
        self.job = None


def _reason(status: Answer) -> str:
    """What the printer says about its state, "" where all is well."""
    told = part(part(status, "printer"), "status_printer")
    return "" if told.get("ok") is True else words(told.get("message"))
