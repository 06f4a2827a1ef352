"""Which print a printer is at: its start and its end, found in what the printer says. Pure.

Most services tell when a print begins and how it is called. A bare serial port does not; there a print lasts
as long as the hot end is to be hot. Without any telemetry the picture alone tells: a print moves for minutes
on end (``ingest.cameras.motion``).

Windows carry the job of the last print that began, also after its end: what is told of a print often comes
to light when it is over. From its end on they bear the mark IDLE.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from ingest.records import NS_PER_S, Event, EventKind, Reading
from ingest.sources import TelemetryItem

IDLE_JOB = "idle"
"""The job of windows before the first print."""
NAMELESS = "print"
_NO_PRINT = re.compile(rf"{IDLE_JOB}(-\d+)?")
"""With a number where the clock was set back, see ``ingest.worker``."""

HOT_C = 150.0
"""A hot end that is to be hotter than this is there to melt filament: PLA flows from 170 °C on."""
COLD_FOR_NS = 60 * NS_PER_S
"""How long the target must stay below for a print to be over: a filament change may lower it for a while."""
CONFIRMED_WITHIN_NS = 10 * NS_PER_S
"""How long a service may speak before it tells of a print that has been running all the time."""
MOVING_FOR_NS = 60 * NS_PER_S
"""How long a picture must move for a print to have begun: hands and lights take less."""
STILL_FOR_NS = 300 * NS_PER_S
"""How long it must stand still for it to be over: a heating bed and a filament change take less."""


class Change(NamedTuple):
    """From ``at_ns`` on windows carry ``job``; ``idle`` says that no print is running then."""

    at_ns: int
    job: str
    idle: bool

    def __str__(self) -> str:
        if not name_of(self.job):
            return "nothing is printing"
        return f"{self.job} {'has ended' if self.idle else 'begins'}"


class JobTracker:
    """One printer's jobs. Items are taken in order of arrival; a change is told once.

    ``tells_jobs``: the source says JOB_STARTED and JOB_ENDED, so nothing is to be guessed. ``running`` is the
    job that ran when the printer was watched last, "" for none; ``idle`` the job before the first one.
    """

    def __init__(self, *, tells_jobs: bool, running: str = "", idle: str = IDLE_JOB) -> None:
        self.job = running or idle
        self._tells_jobs = tells_jobs
        self._runs: bool | None = bool(running) or None  # None: nobody knows yet
        self._confirmed = False  # whether a service has told of a print
        self._speaks_since_ns = 0
        self._turning: tuple[bool, int] | None = None  # what the signs say otherwise, and since when

    def take(self, item: TelemetryItem) -> Change | None:
        """What an item of the printer's telemetry changes."""
        if isinstance(item, Event):
            return self._told(item)
        if not isinstance(item, Reading):
            return None
        if self._tells_jobs:
            return self._unconfirmed(item.at_ns)
        if item.channel == "hotend_target_c":
            hot = item.value >= HOT_C
            return self._turn(hot, item.at_ns, 0 if hot or self._runs is None else COLD_FOR_NS)
        return None

    def moved(self, moves: bool, at_ns: int) -> Change | None:
        """What the picture changes, where there is nothing else to go by."""
        return self._turn(moves, at_ns, MOVING_FOR_NS if moves else STILL_FOR_NS)

    def _unconfirmed(self, at_ns: int) -> Change | None:
        """A service speaks, and has not said that a print runs: then none does, nor the one from before."""
        if self._runs is False or self._confirmed:
            return None
        self._speaks_since_ns = self._speaks_since_ns or at_ns
        silent_ns = at_ns - self._speaks_since_ns
        return self._end(at_ns) if self._runs is None or silent_ns >= CONFIRMED_WITHIN_NS else None

    def _told(self, event: Event) -> Change | None:
        self._confirmed = self._confirmed or event.kind is EventKind.JOB_STARTED
        if event.kind is EventKind.JOB_STARTED:
            same = self._runs is True and name_of(self.job) == _name(event.text)
            return None if same else self._begin(event.text, event.at_ns)
        if event.kind is EventKind.JOB_ENDED and self._runs:
            return self._end(event.at_ns)
        return None

    def _turn(self, runs: bool, at_ns: int, after_ns: int) -> Change | None:
        """A sign that a print runs, or not: it counts when it has held for ``after_ns``."""
        if runs is self._runs:
            self._turning = None
            return None
        if self._turning is None or self._turning[0] is not runs:
            self._turning = (runs, at_ns)
        if at_ns - self._turning[1] < after_ns:
            return None
        self._turning = None
        return self._begin("", at_ns) if runs else self._end(at_ns)

    def _begin(self, text: str, at_ns: int) -> Change:
        began = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)
        self.job = f"{_name(text)} {began:%Y-%m-%dT%H:%M:%SZ}"
        self._runs = True
        return Change(at_ns, self.job, idle=False)

    def _end(self, at_ns: int) -> Change:
        self._runs = False
        return Change(at_ns, self.job, idle=True)


def name_of(job: str) -> str:
    """The name within a print's id: what stands before its start; "" for a job that is no live print."""
    return job.rpartition(" ")[0]


def is_print(job: str) -> bool:
    """Whether a job is a print, live or recorded, and not what lies before the first one."""
    return _NO_PRINT.fullmatch(job) is None


def _name(text: str) -> str:
    return text.strip() or NAMELESS
