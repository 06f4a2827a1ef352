"""One simulated print as a recording has it: frames and telemetry in order of arrival, then the truth."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

import msgspec
import numpy as np

from ingest.recordings.format import About, Truth
from ingest.records import NS_PER_S, Frame
from ingest.simulate.confounders import Confounder
from ingest.simulate.faults import TRUTH, Fault, FaultKind
from ingest.simulate.happenings import scenery
from ingest.simulate.scenario import Scenario, in_words
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.told import TICK_S, Clock, teller
from ingest.sources import Item

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first print of a set begins; the next ones follow hour by hour."""
HOUR_S = 3600
CAMERA = "simulated"
DRY_SHARE = 0.1  # of what is asked for: less is nothing
FRAME_JITTER = 0.05  # of the time between two frames
HALTING = frozenset({"heater_fault", "sensor_fault"})
"""Kinds of failure that are over when the firmware has halted."""

Timed: TypeAlias = tuple[int, Item]
"""When it arrives, ns, and what."""


def begin_ns(scenario: Scenario) -> int:
    """When the recording begins, ns UTC: prints of one set never overlap."""
    every_s = HOUR_S * (int(scenario.seconds) // HOUR_S + 1)
    begin_s = int(EPOCH.timestamp()) + scenario.number * every_s
    return begin_s * NS_PER_S + round(scenario.wiring.offset_s * NS_PER_S)


def about(scenario: Scenario, package: str, simulator: str) -> About:
    """The recording's metadata; ``package`` and ``simulator`` are versions."""
    return About(
        printer=scenario.name,
        farm="simulated",
        camera=CAMERA,
        telemetry=f"simulated:{scenario.wiring.telling}",
        version=package,
        live="yes",
        tells_jobs="yes" if scenario.wiring.telling in ("host", "moonraker") else "",
        clocks="simulated: log_time is the arrival, publish_time the event's own time as its source tells it",
        simulator=simulator,
        scenario=in_words(scenario),
    )


class Print:
    """A scenario in the making: ``items`` once, then ``truths``."""

    def __init__(self, scenario: Scenario) -> None:
        body, self._rng, wire = (np.random.default_rng([scenario.body_seed, n]) for n in range(3))
        self._scenario = scenario
        self._begin_ns = begin_ns(scenario)
        clock = Clock(self._begin_ns, scenario.wiring.jitter_s, wire)
        self.printer = SimulatedPrinter(
            scenario.name,
            int(body.integers(2**31)),
            scenario.faults,
            orders=scenario.orders,
            start=scenario.course.start,
            targets_c=scenario.job.targets_c,
            path=scenario.course.path,
            spec=scenario.spec,
            begin_s=scenario.course.begin_s,
            look=scenario.look,
            scenery=partial(scenery, scenario.happenings),
        )
        self._teller = teller(scenario, self.printer, clock, wire)
        self._stood_s: list[tuple[float, float]] = []  # when the job was held, first and last time each
        self._dry_s = math.inf  # when a run-out's last filament was through
        self._printed_s: tuple[float, float] | None = None  # first and last time at which it was printing

    def items(self) -> Iterator[Timed]:
        """Everything in the order of its arrival."""
        waiting: list[tuple[int, int, Item]] = []
        number = itertools.count()
        for at_s, arrived in self._moments():
            for arrival_ns, item in arrived:
                heapq.heappush(waiting, (arrival_ns, next(number), item))
            yield from _due(waiting, self._ns(at_s))
        yield from _due(waiting, None)

    def truths(self) -> Iterator[Truth]:
        """What was wrong, and what was not although it seemed so; all within the recording."""
        for fault in self._scenario.faults:
            until_s = min(fault.until_s, self._scenario.seconds, self._halted_s(fault))
            from_s = min(self._felt_s(fault), until_s)
            if fault.at_s < from_s:
                yield self._truth(None, fault.at_s, from_s, f"{fault.kind}: not felt yet")
            if from_s < until_s:
                yield self._truth(TRUTH[fault.kind], from_s, until_s, _in_json(fault))
        for one in self._scenario.confounders:
            until_s = min(self._stood_until_s(one), self._scenario.seconds)
            yield self._truth(None, one.from_s, until_s, one.name)
        if self._printed_s is not None:
            for trait in self._scenario.traits:
                yield self._truth(None, *self._printed_s, trait)

    def _moments(self) -> Iterator[tuple[float, Iterator[Timed]]]:
        """What happens tick by tick, each with the time before which nothing more will arrive."""
        yield 0.0, self._teller.begin()
        frames = iter(self._frame_times())
        frame_s = next(frames, math.inf)
        for tick in range(1, round(self._scenario.seconds / TICK_S) + 1):
            at_s = tick * TICK_S
            while frame_s < at_s:
                yield at_s - TICK_S, self._frame(frame_s)
                frame_s = next(frames, math.inf)
            yield at_s, self._teller.tick(at_s)
            self._note(at_s)

    def _frame_times(self) -> list[float]:
        """When the light of each frame falls: at a rate that a cheap camera holds more or less."""
        scenario = self._scenario
        count = int(scenario.seconds * scenario.fps)
        jitter = self._rng.uniform(0.0, FRAME_JITTER, count)
        return [float(at_s) for at_s in (np.arange(count) + jitter) / scenario.fps]

    def _frame(self, at_s: float) -> Iterator[Timed]:
        jpeg = self.printer.jpeg_at(at_s)
        if jpeg is None:
            return
        wiring, sensor = self._scenario.wiring, self._scenario.look.sensor
        late_s = wiring.camera_late_s + wiring.jitter_s * float(self._rng.random())
        arrival_ns = self._ns(at_s + late_s)
        yield (
            arrival_ns,
            Frame(
                printer=self.printer.name,
                camera=CAMERA,
                captured_ns=self._ns(at_s) if wiring.stamps_capture else arrival_ns,
                jpeg=jpeg,
                width=sensor.width,
                height=sensor.height,
            ),
        )

    def _felt_s(self, fault: Fault) -> float:
        """When a fault begins to act: filament that has ended still has the tube's rest behind it."""
        return self._dry_s if fault.kind is FaultKind.RUN_OUT else fault.at_s

    def _note(self, at_s: float) -> None:
        if self._dry_s > at_s and self.printer.plan.active(FaultKind.RUN_OUT, at_s):
            self._dry_s = at_s if self.printer.printer.extruder.share < DRY_SHARE else math.inf
        if self.printer.printer.hold:
            going_on = self._stood_s and at_s - self._stood_s[-1][1] <= TICK_S
            first_s = self._stood_s.pop()[0] if going_on else at_s
            self._stood_s.append((first_s, at_s))
        if self.printer.printer.printing:
            first_s = at_s if self._printed_s is None else self._printed_s[0]
            self._printed_s = (first_s, at_s)

    def _stood_until_s(self, one: Confounder) -> float:
        """The end of a confounder, later where its order keeps the job standing: people take their time."""
        stood = (last_s for first_s, last_s in self._stood_s if one.from_s <= first_s <= one.until_s)
        return max((one.until_s, *stood)) if one.orders else one.until_s

    def _halted_s(self, fault: Fault) -> float:
        """When the firmware's halt ended a fault."""
        halted_s = self.printer.firmware.halted_s
        if halted_s is None or halted_s <= fault.at_s or TRUTH[fault.kind] not in HALTING:
            return math.inf
        return halted_s

    def _truth(self, kind: str | None, from_s: float, to_s: float, text: str) -> Truth:
        return Truth(kind=kind, from_ns=self._ns(from_s), to_ns=self._ns(to_s), text=text)

    def _ns(self, at_s: float) -> int:
        return self._begin_ns + round(at_s * NS_PER_S)


def _due(waiting: list[tuple[int, int, Item]], until_ns: int | None) -> Iterator[Timed]:
    """What has arrived by a time, all for None."""
    while waiting and (until_ns is None or waiting[0][0] <= until_ns):
        arrival_ns, _, item = heapq.heappop(waiting)
        yield arrival_ns, item


def _in_json(fault: Fault) -> str:
    """A label's text: the mechanism behind its kind."""
    told = {
        "mechanism": fault.kind,
        "severity": round(fault.severity, 3),
        "growth_s": round(fault.growth_s, 1),
        "part": fault.part,
    }
    return msgspec.json.encode(told).decode()
