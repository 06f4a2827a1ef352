"""What OctoPrint's pushes tell of a printer and its job. Pure: times come in as arguments.

Two ways lead to the same facts: the lines of the terminal, in the firmware's own words, and OctoPrint's
digest of them. Where the key may see the terminal the lines are taken, since they tell more (heater power,
fan, factors, feed, extrusion, layer, resends, halts), and the digest of what they tell is left out. Job,
progress and state come from OctoPrint alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ingest.records import Event, EventKind, Reading, SerialLine
from ingest.sources import TelemetryItem
from ingest.telemetry.items import to_items
from ingest.telemetry.marlin import Line, parse, parse_sent
from ingest.telemetry.octoprint.streamed import Streamed
from ingest.telemetry.octoprint.wire import Current, Push, PushedEvent
from ingest.telemetry.reports import HIGHEST_C
from ingest.telemetry.wire.dialogue import may_matter

RECEIVED, SENT = ("Recv:", "<<<"), ("Send:", ">>>")
"""How the terminal marks who said a line (up to OctoPrint 1.11, from 2.0 on); the others are OctoPrint's own
words."""

UNDER_WAY = frozenset({"STARTING", "PRINTING", "PAUSING", "PAUSED", "RESUMING", "CANCELLING", "FINISHING"})
"""States in which a job is under way."""
OFFLINE = frozenset({"OFFLINE", "CLOSED", "CLOSED_WITH_ERROR", "ERROR"})
"""States in which OctoPrint does not talk to the printer."""

PERCENT = 100
_HEATERS = (
    ("tool0", "hotend_c", "hotend_target_c"),
    ("bed", "bed_c", "bed_target_c"),
    ("chamber", "chamber_c", ""),
)


class News:
    """Turns the pushes of one OctoPrint into telemetry, from one connection to the next.

    ``state`` is the printer's state as OctoPrint names it ("PRINTING"), ``words`` the same for people. What
    ended while nobody listened is told when the next connection begins.
    """

    def __init__(self, printer: str, facts: dict[str, str], counts: Counter[str]) -> None:
        self.state, self.words = "", ""
        self._printer, self._facts, self._counts = printer, facts, counts
        self._job: str | None = None  # name of the job that is under way
        self._paused = False
        self._told: dict[str, float] = {}  # what is told when it changes
        self._terminal = False  # whether the printer's lines come …
        self._terminal_heat = False  # … and temperatures in them
        self._streamed = Streamed()
        self._anew = True

    def begin(self) -> None:
        """A new connection: everything is to be told again, except that what ended has ended."""
        self._anew = True  # until the situation is told; OctoPrint may repeat it
        self._told.clear()
        self._terminal = self._terminal_heat = False
        self._streamed = Streamed()

    def take(self, push: Push, at_ns: int, *, with_lines: bool = False) -> Iterator[TelemetryItem]:
        """Everything that a message tells, at ``at_ns``."""
        if push.history is not None:  # its lines and temperatures are of the past
            yield from self._situation(push.history, at_ns)
        if push.current is not None:
            yield from self._changes(push.current, at_ns, with_lines)
        if push.event is not None:
            yield from self._happened(push.event, at_ns)

    # Messages

    def _situation(self, current: Current, at_ns: int) -> Iterator[TelemetryItem]:
        """What is going on as a connection begins."""
        state, file = current.state, current.job.file if current.job is not None else None
        if state.id in UNDER_WAY:
            if self._anew or self._job is None:
                yield from self._start_job((file.name if file is not None else None) or "", at_ns)
        else:
            yield from self._end_job("over: how, nobody heard", at_ns)
        if self._anew:
            self._join(current)
        self._anew = False
        self._terminal = any(line.startswith(RECEIVED) for line in current.logs or ())
        yield from self._enter(state.id, state.text, at_ns)
        yield from self._numbers(current, at_ns)

    def _changes(self, current: Current, at_ns: int, with_lines: bool) -> Iterator[TelemetryItem]:
        """What came up since the last message."""
        if current.logs is not None:
            yield from self._batch(current.logs, at_ns, with_lines)
        if current.temps and not self._terminal_heat:
            yield from self._heat(current.temps[-1], at_ns)
        yield from self._numbers(current, at_ns)

    def _join(self, current: Current) -> None:
        """Learn from the past where the printer is; nothing of it is told."""
        sent = [line.partition(" ")[2] for line in current.logs or () if line.startswith(SENT)]
        self._streamed.join(sent, current.current_z)
        for point in current.temps[-1:]:
            for reading in self._heat(point, 0):
                self._heard_of(reading.channel, reading.value)

    def _batch(self, logs: list[str], at_ns: int, with_lines: bool) -> Iterator[TelemetryItem]:
        """Lines of the terminal that came up since the last message."""
        self._streamed.begin_batch(at_ns)
        for text in logs:
            said, _, line = text.partition(" ")
            if said in RECEIVED + SENT:
                self._terminal = True
                if with_lines:
                    yield SerialLine(printer=self._printer, at_ns=at_ns, text=line, sent=said in SENT)
                yield from self._sent(line, at_ns) if said in SENT else self._received(line, at_ns)
        for channel, value in self._streamed.due(at_ns):
            yield self._reading(channel, value, at_ns)

    def _sent(self, line: str, at_ns: int) -> Iterator[TelemetryItem]:
        self._streamed.take(line)
        if may_matter(line):
            yield from to_items(parse_sent(line), self._printer, at_ns)

    def _received(self, line: str, at_ns: int) -> Iterator[TelemetryItem]:
        parsed = parse(line)
        if parsed.line is Line.OK:
            self._streamed.acknowledge(parsed.readings)
            return
        self._terminal_heat |= parsed.line in (Line.TEMPERATURE, Line.HEATING)
        self._counts["garbled"] += not parsed.known
        if parsed.line is Line.POSITION and self._streamed.tells_motion:
            parsed = parsed._replace(readings=())
        for channel, value in parsed.readings:
            self._heard_of(channel, value)
        if parsed.event is not None and parsed.event[0] is EventKind.START:
            self._streamed.restart()
        yield from to_items(parsed, self._printer, at_ns)

    def _heard_of(self, channel: str, value: float) -> None:
        if channel == "hotend_target_c":
            self._streamed.heat_to(value)

    def _heat(self, point: dict[str, Any], at_ns: int) -> Iterator[Reading]:
        """OctoPrint's own temperatures."""
        for name, channel, target_channel in _HEATERS:
            heater = point.get(name)
            for part, told in (("actual", channel), ("target", target_channel)):
                value = heater.get(part) if told and isinstance(heater, dict) else None
                if isinstance(value, int | float) and abs(value) <= HIGHEST_C:
                    yield self._reading(told, float(value), at_ns)

    def _numbers(self, current: Current, at_ns: int) -> Iterator[TelemetryItem]:
        """Height and progress, where they have changed."""
        done = current.progress.completion if current.progress is not None and self._job is not None else None
        progress = None if done is None else min(max(done / PERCENT, 0.0), 1.0)
        for channel, value in (("z_mm", current.current_z), ("progress", progress)):
            if channel == "z_mm" and self._streamed.tells_motion:
                continue  # OctoPrint takes a relative Z for a height
            if value is not None and self._told.get(channel) != value:
                self._told[channel] = value
                yield self._reading(channel, value, at_ns)

    def _happened(self, event: PushedEvent, at_ns: int) -> Iterator[TelemetryItem]:
        """What one of OctoPrint's events means."""
        match event.type:
            case "PrinterStateChanged":
                yield from self._enter(event.word("state_id"), event.word("state_string"), at_ns)
            case "PrintStarted":
                self._streamed.begin_print()
                yield from self._start_job(event.word("name"), at_ns)
            case "PrintDone":
                yield self._reading("progress", 1.0, at_ns)
                yield from self._end_job("done", at_ns)
            case "PrintCancelled":
                yield self._event(EventKind.CANCELLED, event.word("name"), at_ns)
                yield from self._end_job("cancelled", at_ns)
            case "PrintFailed" if event.word("reason") != "cancelled":  # PrintCancelled told that one
                yield from self._end_job("failed", at_ns)
            case "FirmwareData":
                self._facts["firmware"] = event.word("name")
                yield self._event(EventKind.FIRMWARE, event.word("name"), at_ns)
            case "Error":
                yield from self._failed(event, at_ns)
            case "FilamentChange" if not self._terminal:
                yield self._event(EventKind.FILAMENT_CHANGE, event.type, at_ns)

    def _failed(self, event: PushedEvent, at_ns: int) -> Iterator[TelemetryItem]:
        """An error of the firmware, if the terminal has not told it, or one of OctoPrint's own."""
        if event.word("reason") == "firmware" and self._terminal:
            return
        parsed = parse(f"Error:{event.word('error')}")
        kind = parsed.event[0] if parsed.event is not None else EventKind.ERROR
        yield self._event(kind, event.word("error"), at_ns)

    # State

    def _enter(self, state: str, words: str, at_ns: int) -> Iterator[TelemetryItem]:
        """The printer is in a state, or comes into it."""
        left, self.state, self.words = self.state, state, words
        if state in OFFLINE and left not in OFFLINE:
            self._streamed.restart()
            yield self._event(EventKind.DISCONNECTED, words, at_ns)
        if self._paused and state in ("RESUMING", "PRINTING"):
            yield self._event(EventKind.RESUMED, words, at_ns)
        if state == "PAUSED" and not self._paused:
            yield self._event(EventKind.PAUSED, words, at_ns)
        self._paused = state == "PAUSED"

    def _start_job(self, name: str, at_ns: int) -> Iterator[TelemetryItem]:
        """A job is under way from now on, or it was when the connection began."""
        self._job = name
        yield self._event(EventKind.JOB_STARTED, name, at_ns)

    def _end_job(self, how: str, at_ns: int) -> Iterator[TelemetryItem]:
        """The job that was under way is over, if there was one."""
        if self._job is not None:
            self._job = None
            self._streamed.end_print()
            self._told.pop("progress", None)
            yield self._event(EventKind.JOB_ENDED, how, at_ns)

    def _reading(self, channel: str, value: float, at_ns: int) -> Reading:
        return Reading(printer=self._printer, at_ns=at_ns, channel=channel, value=value)

    def _event(self, kind: EventKind, text: str, at_ns: int) -> Event:
        return Event(printer=self._printer, at_ns=at_ns, kind=kind, text=text)
