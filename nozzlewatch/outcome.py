"""What a demo came to: each injected fault with its anomaly, and what was told without a fault. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.anomaly import Anomaly, Kind, State
from detector.model.kinds import VISUAL
from ingest.records import NS_PER_S

ONSET_SLACK_NS = 2 * NS_PER_S
"""How far before its injection a fault's onset may be told: readings come once or twice a second."""


SEEN = frozenset({*VISUAL, Kind.UNUSUAL})
"""Failures that a picture shows are told from each other less surely than from a print that is fine: one is
found where any of these is told, and without a trained network it is only unusual."""


class Injected(NamedTuple):
    """A fault of the simulation, as it wrote it down."""

    printer: str
    name: str
    expected_kind: str
    onset_ns: int


class Halt(NamedTuple):
    """A firmware's own halt."""

    printer: str
    halted_ns: int
    reason: str


class Truth(NamedTuple):
    """What really happened."""

    faults: list[Injected]
    halts: list[Halt]


HALTING = frozenset({Kind.HEATER_FAULT, Kind.SENSOR_FAULT})
"""Kinds against which the firmware protects itself: only for these is its halt something to be ahead of."""


class Found(NamedTuple):
    """A fault and what became of it."""

    fault: Injected
    anomaly: Anomaly | None
    halt: Halt | None
    heard_ns: int | None = None  # when the alarm was heard: alignment and judging included

    @property
    def delay_s(self) -> float | None:
        """From the fault's beginning to its alarm, in s."""
        return None if self.heard_ns is None else (self.heard_ns - self.fault.onset_ns) / NS_PER_S

    @property
    def lead_s(self) -> float | None:
        """How much earlier than the firmware's own halt the alarm came, in s; None where it did not halt."""
        if self.heard_ns is None or self.halt is None:
            return None
        return (self.halt.halted_ns - self.heard_ns) / NS_PER_S


class Outcome(NamedTuple):
    """The whole demo. ``unexplained``: told of a printer on which nothing was wrong (yet)."""

    found: list[Found]
    follow_ups: list[Anomaly]
    unexplained: list[Anomaly]

    @property
    def all_found(self) -> bool:
        return all(one.anomaly is not None for one in self.found) and not self.unexplained


def read_truth(path: Path) -> Truth:
    """Read the simulation's ``truth.jsonl``."""
    rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    faults = [Injected(**row) for row in rows if "expected_kind" in row]
    return Truth(faults, [Halt(**row) for row in rows if "halted_ns" in row])


def judge_demo(truth: Truth, anomalies: Sequence[Anomaly], heard_ns: Mapping[str, int]) -> Outcome:
    """Match anomalies (all revisions, in any order) with what was injected.

    ``heard_ns`` says when each anomaly, by its id, reached whoever listens.

    A fault is found by the first anomaly of its kind (of any of SEEN, where it is one) and printer that
    opened after it. Further anomalies of a printer with a fault follow from it (a halt silences the port);
    before any fault they are unexplained.
    """
    opened = sorted((a for a in anomalies if a.state is State.OPENED), key=lambda a: a.detected_ns)
    found = [_match(fault, truth.halts, opened, heard_ns) for fault in truth.faults]
    explained = {one.anomaly.id for one in found if one.anomaly is not None}
    rest = [anomaly for anomaly in opened if anomaly.id not in explained]
    follow_ups = [a for a in rest if _after_a_fault(a, truth.faults)]
    return Outcome(found, follow_ups, [a for a in rest if a not in follow_ups])


def _match(
    fault: Injected, halts: Sequence[Halt], opened: Sequence[Anomaly], heard_ns: Mapping[str, int]
) -> Found:
    anomaly = next(
        (
            a
            for a in opened
            if a.printer == fault.printer
            and (a.kind == fault.expected_kind or {a.kind, fault.expected_kind} <= SEEN)
            and a.onset_ns >= fault.onset_ns - ONSET_SLACK_NS
        ),
        None,
    )
    own = (h for h in halts if h.printer == fault.printer and h.halted_ns >= fault.onset_ns)
    halt = next(own, None) if fault.expected_kind in HALTING else None
    return Found(fault, anomaly, halt, heard_ns.get(anomaly.id) if anomaly else None)


def _after_a_fault(anomaly: Anomaly, faults: Sequence[Injected]) -> bool:
    return any(f.printer == anomaly.printer and anomaly.detected_ns >= f.onset_ns for f in faults)


def summary(outcome: Outcome, console: Console) -> None:
    """Print what became of each fault."""
    drawn = Table(title="what was injected, and what was told", title_justify="left", show_lines=True)
    drawn.add_column("printer and fault")
    drawn.add_column("found after", justify="right")
    drawn.add_column("ahead of the firmware's halt", justify="right", max_width=14)
    drawn.add_column("why")
    for one in outcome.found:
        drawn.add_row(*map(Text, _cells(one)))
    console.print(drawn)
    for title, anomalies in (
        ("followed from these", outcome.follow_ups),
        ("told without a fault", outcome.unexplained),
    ):
        for anomaly in anomalies:
            console.print(Text(f"{title}: {anomaly.printer} {anomaly.kind}: {anomaly.text}"))
    missed = sum(one.anomaly is None for one in outcome.found)
    console.print(
        Text(
            f"{len(outcome.found) - missed} of {len(outcome.found)} faults found, "
            f"{len(outcome.unexplained)} false alarms (simulated printers)"
        )
    )


def _cells(one: Found) -> list[str]:
    return [
        f"{one.fault.printer}\n{one.fault.name.replace('_', ' ')}",
        "MISSED" if one.delay_s is None else f"{one.delay_s:.1f} s",
        "-" if one.lead_s is None else f"{one.lead_s:.1f} s",
        f"no {one.fault.expected_kind}" if one.anomaly is None else f"{one.anomaly.kind}: {one.anomaly.text}",
    ]


def summary_json(outcome: Outcome) -> dict[str, object]:
    """The same for programs."""
    return {
        "faults": [
            {
                **one.fault._asdict(),
                "found": one.anomaly is not None,
                "delay_s": one.delay_s,
                "lead_s": one.lead_s,
            }
            for one in outcome.found
        ],
        "follow_ups": [f"{a.printer} {a.kind}" for a in outcome.follow_ups],
        "false_alarms": [f"{a.printer} {a.kind}" for a in outcome.unexplained],
        "simulated": True,
    }
