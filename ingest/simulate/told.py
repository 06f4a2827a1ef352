"""What a recording's telemetry tells of a simulated printer: as a port, a host, Klipper's log or Moonraker.

Items come with the time of their arrival. Lines of a port go through the watch's own parser. A host's
streamed G-code and its oks are not on the wire: their number, and what they ask for, is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from ingest.records import NS_PER_S, Event, EventKind, Reading, SerialLine
from ingest.simulate.asked import Asked
from ingest.simulate.faults import FaultKind
from ingest.simulate.pid import POWER_MAX
from ingest.simulate.scenario import Scenario, Telling
from ingest.simulate.simulated import REPORT_COMMAND, SimulatedPrinter
from ingest.sources import TelemetryItem
from ingest.telemetry.items import to_items
from ingest.telemetry.marlin import parse, parse_sent
from ingest.telemetry.wire.hearing import OFTEN
from ingest.telemetry.wire.sampler import Sampler

SAMPLED = OFTEN | {"progress"}
"""Channels of a host's commands that are told at the sampler's rate."""
POSITION_COMMAND = "M154 S1"
TICK_S = 0.25  # Moonraker's updates; the sensor grid's step
KLIPPY_LOG_EVERY = 4  # ticks: one line of statistics a second
KLIPPER_SHUTDOWNS = {
    "MAXTEMP": "MCU 'mcu' shutdown: ADC out of range",
    "MINTEMP": "MCU 'mcu' shutdown: ADC out of range",
    "bed": "Heater heater_bed not heating at expected rate",
}
"""Klipper's words for a protection halt, by a word of Marlin's."""
KLIPPER_NOT_HEATING = "Heater extruder not heating at expected rate"
PRINT_STATES = {EventKind.PAUSED: "print_stats: paused", EventKind.RESUMED: "print_stats: printing"}
KLIPPER_LOST = "Lost communication with MCU 'mcu'"

Arrived: TypeAlias = tuple[int, TelemetryItem]
Told: TypeAlias = tuple[str, float]


class Clock:
    """Times of the simulation as ns UTC, late by what the wire and the system take; never backwards."""

    def __init__(self, epoch_ns: int, jitter_s: float, rng: np.random.Generator) -> None:
        self._epoch_ns, self._jitter_s, self._rng = epoch_ns, jitter_s, rng
        self._last_ns = 0

    def ns(self, at_s: float) -> int:
        """The moment itself."""
        return self._epoch_ns + round(at_s * NS_PER_S)

    def arrival_ns(self, at_s: float) -> int:
        """When something that was sent at ``at_s`` arrives, after all that was asked about before."""
        late_s = abs(float(self._rng.normal(0.0, self._jitter_s)))
        self._last_ns = max(self.ns(at_s + late_s), self._last_ns + 1)
        return self._last_ns


class Teller(Protocol):
    """Tells of one printer. ``begin`` once, then ``tick`` with rising times that are ``TICK_S`` apart."""

    def begin(self) -> Iterator[Arrived]:
        """What is said and told when the recording begins."""
        ...

    def tick(self, at_s: float) -> Iterator[Arrived]:
        """What arrives for the time up to ``at_s``, to which this advances the printer."""
        ...


def teller(scenario: Scenario, printer: SimulatedPrinter, clock: Clock, rng: np.random.Generator) -> Teller:
    """The teller that a scenario asks for."""
    told = _Printer(scenario, printer, clock)
    match scenario.wiring.telling:
        case Telling.PORT:
            return _Port(told, positions=scenario.wiring.positions)
        case Telling.HOST:
            return _Host(told)
        case Telling.KLIPPY_LOG:
            return _Klipper(told, rng, log=True)
        case Telling.MOONRAKER:
            return _Klipper(told, rng, log=False)


class _Printer(NamedTuple):
    """What all tellers work with."""

    scenario: Scenario
    printer: SimulatedPrinter
    clock: Clock

    @property
    def name(self) -> str:
        return self.printer.name

    def reading(self, at_ns: int, told: Told) -> Arrived:
        channel, value = told
        return at_ns, Reading(printer=self.name, at_ns=at_ns, channel=channel, value=float(value))

    def event(self, at_ns: int, kind: EventKind, text: str) -> Arrived:
        return at_ns, Event(printer=self.name, at_ns=at_ns, kind=kind, text=text)

    def line(self, at_ns: int, text: str, *, sent: bool = False) -> Iterator[Arrived]:
        yield at_ns, SerialLine(printer=self.name, at_ns=at_ns, text=text, sent=sent)
        parsed = parse_sent(text) if sent else parse(text)
        if sent:
            once = tuple(told for told in parsed.readings if told[0] not in SAMPLED)
            parsed = parsed._replace(readings=once)
        yield from ((at_ns, item) for item in to_items(parsed, self.name, at_ns))


class _Port:
    """A serial port whose owner asks for reports."""

    def __init__(self, told: _Printer, *, positions: bool) -> None:
        self._told, self._positions = told, positions

    def begin(self) -> Iterator[Arrived]:
        """Asks for the reports; those of temperatures are asked for by ``lines_until``."""
        clock, printer = self._told.clock, self._told.printer
        yield from self._told.line(clock.arrival_ns(0.0), REPORT_COMMAND, sent=True)
        answers = printer.lines_until(0.0)
        if self._positions:
            yield from self._told.line(clock.arrival_ns(0.0), POSITION_COMMAND, sent=True)
            answers += [(0.0, answer) for answer in printer.receive(POSITION_COMMAND, 0.0)]
        for said_s, text in answers:
            yield from self._told.line(clock.arrival_ns(said_s), text)

    def tick(self, at_s: float) -> Iterator[Arrived]:
        """The lines that the firmware has said."""
        for said_s, text in self._told.printer.lines_until(at_s):
            yield from self._told.line(self._told.clock.arrival_ns(said_s), text)


class _Jobs:
    """When the print begins and ends, as a service tells it."""

    def __init__(self, told: _Printer, done: str) -> None:
        self._told, self._done, self._runs = told, done, False

    def events(self, at_ns: int) -> Iterator[Arrived]:
        runs = self._told.printer.printer.printing
        if runs is self._runs:
            return
        self._runs = runs
        if runs:
            yield self._told.event(at_ns, EventKind.JOB_STARTED, self._told.scenario.job.name)
        else:
            yield self._told.event(at_ns, EventKind.JOB_ENDED, self._how())

    def _how(self) -> str:
        if self._told.printer.printer.finished_s is not None:
            return self._done
        return self._told.printer.firmware.halt_reason or "interrupted"


class _Host:
    """The port's lines, and what the host that streams the job asks for."""

    def __init__(self, told: _Printer) -> None:
        self._told = told
        self._port = _Port(told, positions=False)
        self._jobs = _Jobs(told, "done")
        self._asked = Asked(told.scenario.course.path, told.printer.printer)
        self._orders = list(told.scenario.orders)
        self._sampler = Sampler()

    def begin(self) -> Iterator[Arrived]:
        yield from self._jobs.events(self._told.clock.arrival_ns(0.0))
        yield from self._port.begin()

    def tick(self, at_s: float) -> Iterator[Arrived]:
        yield from self._port.tick(at_s)
        at_ns = self._told.clock.arrival_ns(at_s)
        yield from self._sent(at_s, at_ns)
        for channel, value in self._asked.told(at_s):
            self._sampler.set(channel, value)
        for _ in range(self._asked.lines()):
            self._sampler.add("lines")
        yield from (self._told.reading(at_ns, told) for told in self._sampler.due(at_ns))
        yield from self._jobs.events(at_ns)

    def _sent(self, at_s: float, at_ns: int) -> Iterator[Arrived]:
        """Commands that are no moves: the job's own and those of somebody at the host."""
        commands = [order.command for order in self._asked.orders()]
        while self._orders and self._orders[0].at_s <= at_s:
            commands.append(self._orders.pop(0).command)
        for command in commands:
            if not command.startswith("@"):
                yield from self._told.line(at_ns, command, sent=True)


class _Klipper:
    """Readings as Moonraker gives them, or as the statistics in Klipper's log."""

    def __init__(self, told: _Printer, rng: np.random.Generator, *, log: bool) -> None:
        self._told, self._rng, self._log = told, rng, log
        self._jobs = _Jobs(told, "complete")
        self._asked = Asked(told.scenario.course.path, told.printer.printer)
        self._layers = told.scenario.wiring.positions  # the slicer's macro tells them
        self._ticks = 0
        self._lost = False
        self._state = EventKind.RESUMED
        self._sampler = Sampler()

    def begin(self) -> Iterator[Arrived]:
        if not self._log:
            yield from self._jobs.events(self._told.clock.arrival_ns(0.0))

    def tick(self, at_s: float) -> Iterator[Arrived]:
        lines = self._told.printer.lines_until(at_s)
        self._ticks += 1
        if self._lost or self._told.printer.plan.active(FaultKind.SILENCE, at_s):
            return
        at_ns = self._told.clock.arrival_ns(at_s)
        yield from self._said(lines, at_ns)
        if not self._lost and not (self._log and self._ticks % KLIPPY_LOG_EVERY):
            yield from (self._told.reading(at_ns, told) for told in self._news(at_s, at_ns))
        if not self._log:
            yield from self._jobs.events(at_ns)

    def _news(self, at_s: float, at_ns: int) -> Iterator[Told]:
        """All that a line of the log says, or what has changed and, once a second, what has not."""
        if self._sends_again(at_s):
            yield "resends", 1.0
        if self._log:
            yield from self._heaters()
            return
        for channel, value in (*self._heaters(), *self._asked.live(at_s, layers=self._layers)):
            self._sampler.set(channel, value)
        yield from self._sampler.due(at_ns)

    def _heaters(self) -> Iterator[Told]:
        body, digits = self._told.printer.printer, 1 if self._log else 2
        for name, heater in (("hotend", body.hotend), ("bed", body.bed)):
            yield f"{name}_c", round(heater.reading_c, digits)
            yield f"{name}_target_c", heater.target_c
            yield f"{name}_power", round(min(heater.power / POWER_MAX, 1.0), 3)

    def _sends_again(self, at_s: float) -> bool:
        """Whether Klipper's protocol, which mends a bad line by itself, had to send anything again."""
        plan = self._told.printer.plan
        bad = max(plan.severity(kind, at_s) for kind in (FaultKind.LINE_ERRORS, FaultKind.GARBLED))
        return bad > 0.0 and self._ticks % KLIPPY_LOG_EVERY == 0 and self._rng.random() < bad

    def _said(self, lines: list[tuple[float, str]], at_ns: int) -> Iterator[Arrived]:
        """What Marlin says of its end and its pauses, in Klipper's words; its log tells no pauses."""
        for _, line in lines:
            kind = (parse(line).event or (None, ""))[0]
            if kind is EventKind.START:
                self._lost = True
                yield self._told.event(at_ns, EventKind.HALTED, KLIPPER_LOST)
            elif kind is EventKind.ERROR and "system stopped" in line:
                words = (told for word, told in KLIPPER_SHUTDOWNS.items() if word in line)
                yield self._told.event(at_ns, EventKind.HALTED, next(words, KLIPPER_NOT_HEATING))
            elif kind in PRINT_STATES and kind is not self._state and not self._log:
                self._state = kind
                yield self._told.event(at_ns, kind, PRINT_STATES[kind])
