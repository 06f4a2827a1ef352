"""What goes by on a tapped line, as the items that a watch reads. Pure: what was heard bears its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ingest.records import Action, Event, EventKind, Reading, SerialLine
from ingest.sources import TelemetryItem
from ingest.telemetry.items import to_items
from ingest.telemetry.lines import LineCutter
from ingest.telemetry.parsed import Line
from ingest.telemetry.wire.dialogue import Dialogue, Understood
from ingest.telemetry.wire.job_watch import Told
from ingest.telemetry.wire.orders import HOST_ACTIONS
from ingest.telemetry.wire.passage import Heard, What
from ingest.telemetry.wire.printing import Printing
from ingest.telemetry.wire.sampler import Sampler

OFTEN = frozenset({"fan", "feed_factor", "flow_factor", "planner_free"})
"""Channels that the lines of a print may change many times a second: the sampler tells them."""


class Hearing:
    """Understands both sides of a tapped line, from the opening of its port on."""

    def __init__(self, printer: str, facts: dict[str, str], counts: Counter[str]) -> None:
        self.dialogue = Dialogue(facts, counts, sees_hosts=True)
        self._printer = printer
        self.printing = Printing(self.dialogue.jobs)
        self._sampler = Sampler()
        self._replies, self._sent = LineCutter(), LineCutter()
        self._done: list[Told] = []  # by a host that was asked to

    def lines(self, heard: Heard) -> Iterator[Understood]:
        """The lines that end in what was heard, each understood when it is asked for."""
        if heard.what is What.REPLY:
            for raw in self._replies.feed(heard.data):
                yield self.dialogue.replied(raw, heard.at_ns)
        elif heard.what is What.SENT:
            for raw in self._sent.feed(heard.data):
                yield self.dialogue.sent(raw, heard.at_ns)

    def items(self, line: Understood, at_ns: int, *, with_line: bool) -> Iterator[TelemetryItem]:
        """All that a line tells, but for what waits for ``sampled``."""
        if with_line:
            yield SerialLine(printer=self._printer, at_ns=at_ns, text=line.text, sent=line.sent)
        if line.left_out:
            return
        for taken in line.taken:
            self.printing.take(taken, at_ns)
        if line.restarts:
            self.printing, self._sampler = Printing(self.dialogue.jobs), Sampler()
        yield from self._said(line, at_ns)
        yield from self._events(line.told, at_ns)

    def sampled(self, at_ns: int, *, with_host: bool) -> Iterator[TelemetryItem]:
        """What changes often, whenever it is due; without a host nothing is told of its G-code."""
        if not self._sampler.is_due(at_ns):
            return
        if with_host:
            yield from self._events(self.printing.changes(), at_ns)
            for channel, value in self.printing.readings(at_ns):
                self._sampler.set(channel, value)
        yield from self._readings(self._sampler.due(at_ns), at_ns)

    def carried_out(self, action: Action) -> None:
        """A host has done what it was asked to: known at once, told when ``happened`` hears of it."""
        jobs = self.dialogue.jobs
        follow = {Action.PAUSE: jobs.paused, Action.RESUME: jobs.resumed, Action.CANCEL: jobs.cancelled}
        self._done += follow[action](HOST_ACTIONS[action])

    def happened(self, heard: Heard) -> Iterator[TelemetryItem]:
        """What is told by something that is no line: a host leaves, or has done what it was asked to."""
        told: list[Told] = []
        if heard.what is What.GAP:
            self._replies, self._sent = LineCutter(), LineCutter()
            self.dialogue.missed()
        elif heard.what is What.LEFT:
            self._sent = LineCutter()
            self._sampler.forget()
            told = self.dialogue.jobs.host_left()
        elif heard.what is What.DONE:
            told, self._done = self._done, []
        yield from self._events(told, heard.at_ns)

    def _said(self, line: Understood, at_ns: int) -> Iterator[TelemetryItem]:
        """What the line itself tells; an "ok", of which there may be hundreds a second, is only summed up."""
        if line.parsed.line is Line.OK:
            self._sampler.add("lines")
        for channel, value in line.parsed.readings:
            if channel in OFTEN:
                self._sampler.set(channel, value)
        often = tuple(reading for reading in line.parsed.readings if reading[0] not in OFTEN)
        if line.parsed.line is not Line.OK:
            yield from to_items(line.parsed._replace(readings=often), self._printer, at_ns)

    def _events(self, told: list[Told], at_ns: int) -> Iterator[TelemetryItem]:
        for kind, text in told:
            if kind is EventKind.JOB_ENDED:
                self.printing.ended()
            yield Event(printer=self._printer, at_ns=at_ns, kind=kind, text=text)

    def _readings(self, values: Iterable[tuple[str, float]], at_ns: int) -> Iterator[TelemetryItem]:
        for channel, value in values:
            yield Reading(printer=self._printer, at_ns=at_ns, channel=channel, value=value)
