"""Which print a printer is at, from what a serial line tells with certainty. Pure.

From the card: "File opened" and then M24, or "File opened" that no host asked for (somebody chose the file at
the printer's screen), or "SD printing byte" for a print that runs already. It is over with "Done printing
file", with M524, or with "Not SD printing" while it is not paused.

Streamed by a host, which tells no name: it begins when, after homing, filament is laid along a path with a
hot end that is to be hot. It is over when the hot end and the motors are switched off, when the host homes
again after it had let the hot end cool (the next one begins), or when the host leaves. M75 and M77 say so
outright.

Either is over when the printer halts or restarts, or says ``//action:cancel``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from ingest.jobs import HOT_C
from ingest.records import EventKind
from ingest.telemetry.gcode.words import Command, read_command
from ingest.telemetry.parsed import Line, Parsed

Told: TypeAlias = tuple[EventKind, str]
"""An event and its words."""

LONGEST_NAME = 200
"""Characters of a file's name."""
MOST_TOOLS = 16

_OPENED = re.compile(r"File opened:\s*(.+?)(?:\s+Size:\s*\d+)?$", re.ASCII | re.IGNORECASE)
_BYTE = re.compile(r"SD printing byte (\d{1,12})/(\d{1,12})", re.ASCII)
_NOT_PRINTING = "Not SD printing"
_DONE = "Done printing file"
_CHOOSES = re.compile(r"M(?:23|32)\b", re.ASCII)


class Job(StrEnum):
    """Who gives the printer its commands."""

    NONE = "none"
    HOST = "streamed by a host"
    CARD = "from the printer's card"


class JobWatch:
    """Follows one printer. ``job`` and ``is_paused`` are as known now, ``progress`` 0..1 of a card's print.

    ``sees_hosts``: what hosts say to this printer is told here too, so a file that none of them chose was
    chosen at the printer's screen. ``is_homed``: homed since the last print, or in this one.
    """

    def __init__(self, *, sees_hosts: bool) -> None:
        self.job = Job.NONE
        self.is_paused = self.is_homed = False
        self.progress: float | None = None
        self._sees_hosts = sees_hosts
        self._is_chosen = False  # a host's M23 or M32 is on its way
        self._file = ""  # open on the card
        self._targets_c: dict[int, float] = {}  # of the hot ends, as hosts set them
        self._has_cooled = self._motors_are_off = False  # in this print

    def sent(self, line: str) -> None:
        """A host says something to the printer."""
        self._is_chosen = self._is_chosen or _CHOOSES.search(line) is not None

    def taken(self, line: str) -> list[Told]:
        """The printer has taken what a host said."""
        command = read_command(line)
        handler = _HANDLERS.get(command.code) if command is not None else None
        return handler(self, command) if handler is not None and command is not None else []

    def laid(self) -> list[Told]:
        """Filament was laid along a path at a host's command."""
        return self._begin(Job.HOST, "") if self.is_homed and self._is_hot else []

    def host_left(self) -> list[Told]:
        """Nobody gives commands any more."""
        self._is_chosen = False
        return self.end("the host left") if self.job is Job.HOST else []

    def paused(self, how: str) -> list[Told]:
        """The print stands until somebody lets it go on."""
        if self.is_paused:
            return []
        self.is_paused = True
        return [(EventKind.PAUSED, how)]

    def resumed(self, how: str) -> list[Told]:
        """It goes on."""
        if not self.is_paused:
            return []
        self.is_paused = False
        return [(EventKind.RESUMED, how)]

    def cancelled(self, how: str) -> list[Told]:
        """Somebody has given it up."""
        return [(EventKind.CANCELLED, how), *self.end(how)]

    def replied(self, text: str, parsed: Parsed) -> list[Told]:
        """The printer says something."""
        if parsed.event is not None:
            return self._told(parsed.event[0], parsed.line, text)
        if parsed.line not in (Line.CHATTER, Line.ECHO):
            return []
        if opened := _OPENED.search(text):
            return self._open(opened[1][:LONGEST_NAME])
        if byte := _BYTE.search(text):
            return self._at_byte(int(byte[1]), int(byte[2]))
        over = _DONE in text or (_NOT_PRINTING in text and not self.is_paused)
        return self.end(text) if over and self.job is Job.CARD else []

    def end(self, how: str) -> list[Told]:
        """The print is over."""
        if self.job is Job.NONE:
            return []
        if self.job is Job.CARD:
            self._file = ""
        self.job = Job.NONE
        self.is_paused = self.is_homed = False
        self.progress = None
        return [(EventKind.JOB_ENDED, how)]

    def _begin(self, job: Job, name: str) -> list[Told]:
        if self.job is not Job.NONE:
            return []
        self.job = job
        self.is_paused = self._has_cooled = self._motors_are_off = False
        return [(EventKind.JOB_STARTED, name)]

    # What the printer says

    def _told(self, kind: EventKind, line: Line, text: str) -> list[Told]:
        if line is Line.ACTION and kind in (EventKind.PAUSED, EventKind.RESUMED):
            self.is_paused = kind is EventKind.PAUSED
        over = kind in (EventKind.CANCELLED, EventKind.HALTED, EventKind.START)
        return self.end(text) if over else []

    def _open(self, name: str) -> list[Told]:
        self._file = name
        by_hand = self._sees_hosts and not self._is_chosen
        return self._begin(Job.CARD, name) if by_hand else []

    def _at_byte(self, done: int, size: int) -> list[Told]:
        if not 0 < done < size:
            return []
        told = self._begin(Job.CARD, self._file)
        if self.job is Job.CARD:
            self.progress = done / size
        return told

    # What a host says

    @property
    def _is_hot(self) -> bool:
        return any(target >= HOT_C for target in self._targets_c.values())

    def _heat(self, command: Command) -> list[Told]:
        tool, target = command.words.get("T") or 0, command.words.get("S", command.words.get("R"))
        if target is not None and tool < MOST_TOOLS:
            self._targets_c[int(tool)] = target
        self._has_cooled = self._has_cooled or not self._is_hot
        return self._end_when_off()

    def _motors_off(self, command: Command) -> list[Told]:
        self._motors_are_off = "S" not in command.words  # S: only after some time of idleness
        return self._end_when_off()

    def _end_when_off(self) -> list[Told]:
        self._motors_are_off = self._motors_are_off and not self._is_hot
        off = self.job is Job.HOST and self._motors_are_off
        return self.end("the host switched the hot end and the motors off") if off else []

    def _home(self, _command: Command) -> list[Told]:
        over = self.job is Job.HOST and self._has_cooled
        told = self.end("the host homed for another print") if over else []
        self.is_homed = True
        return told

    def _chose(self, _command: Command) -> list[Told]:
        self._is_chosen = False
        return []

    def _start_card(self, _command: Command) -> list[Told]:
        self._is_chosen = False
        if self.job is Job.CARD:
            return self.resumed("M24")
        return self._begin(Job.CARD, self._file) if self._file else []

    def _pause_card(self, _command: Command) -> list[Told]:
        return self.paused("M25") if self.job is Job.CARD else []

    def _cancel_card(self, _command: Command) -> list[Told]:
        return self.cancelled("M524") if self.job is Job.CARD else []

    def _start_timer(self, command: Command) -> list[Told]:
        return self._begin(Job.HOST, command.text[:LONGEST_NAME])

    def _stop_timer(self, _command: Command) -> list[Told]:
        return self.end("M77")


_HANDLERS: dict[str, Callable[[JobWatch, Command], list[Told]]] = {
    "G28": JobWatch._home,
    "M18": JobWatch._motors_off,
    "M23": JobWatch._chose,
    "M24": JobWatch._start_card,
    "M25": JobWatch._pause_card,
    "M32": JobWatch._start_card,
    "M75": JobWatch._start_timer,
    "M77": JobWatch._stop_timer,
    "M84": JobWatch._motors_off,
    "M104": JobWatch._heat,
    "M109": JobWatch._heat,
    "M524": JobWatch._cancel_card,
}
