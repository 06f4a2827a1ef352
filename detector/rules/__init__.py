"""What physics and firmware say for certain: pure functions of one printer's last minutes.

A rule is called with the history after each window and gives a ``Reason``, or None where it has nothing to
say. It never raises for what a printer sent. A new one is a function and a line in ``RULES``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from detector.anomaly import Reason
from detector.rules import (
    balance,
    contacts,
    filament,
    firmware,
    lines,
    pictures,
    power,
    sensors,
    standing,
    thermal,
)
from detector.rules.balance import Balance
from detector.rules.filament import Filament
from detector.rules.heaters import BED, HEATERS, HOTEND
from detector.rules.power import Power
from features.flow import FlowState
from features.sequence import History
from ingest.records import Record

Rule = Callable[[History], Reason | None]

HISTORY_S = 120.0
"""What the rules want to look back on; the longest looks at 90 s, an onset may lie further back."""

RULES: tuple[Rule, ...] = (
    firmware.firmware_words,
    firmware.reset,
    firmware.runout,
    *(partial(thermal.heating_failed, heater) for heater in HEATERS),
    *(partial(thermal.falling, heater) for heater in HEATERS),
    *(partial(thermal.runaway, heater) for heater in HEATERS),
    *(partial(thermal.risen_from_hold, heater) for heater in HEATERS),
    partial(thermal.unheated, BED),
    partial(thermal.exhausted, HOTEND),
    *(partial(sensors.out_of_range, heater) for heater in HEATERS),
    *(partial(sensors.impossible_step, heater) for heater in HEATERS),
    *(partial(contacts.loose_contact, heater) for heater in HEATERS),
    lines.line_error_storm,
    standing.starved,
    lines.garbled_lines,
    lines.telemetry_silent,
    lines.camera_silent,
    pictures.camera_frozen,
)
"""All rules; where two are equally sure of one kind, the one that stands first is named first."""


class HotendPast(Record, frozen=True, kw_only=True):
    """What the hot end took in this print: what is to be remembered of it from window to window."""

    balance: Balance | None = None
    filament: Filament | None = None
    power: Power | None = None

    @property
    def flow(self) -> FlowState:
        """The print's heat balance as the filament takes part in it."""
        return FlowState() if self.filament is None else self.filament.flow


def judge(history: History) -> list[Reason]:
    """All reasons that the newest window gives, the most probable first (so the strongest of each kind)."""
    reasons = [reason for rule in RULES if (reason := rule(history)) is not None]
    return sorted(reasons, key=lambda reason: -reason.probability)


def judge_on(past: HotendPast | None, history: History) -> tuple[HotendPast, list[Reason]]:
    """``judge``, and what takes longer than the history to show; what is to be remembered of the print.

    ``past`` is what the window before gave, None for a printer that is new. Called once for each window.
    """
    past = past or HotendPast()
    heat, weak = balance.advance(past.balance, history)
    fed, lacking = filament.advance(past.filament, history)
    taken, unexplained = power.advance(past.power, history)
    slow = [reason for reason in (weak, lacking, unexplained) if reason is not None]
    reasons = [*judge(history), *slow]
    known = HotendPast(balance=heat, filament=fed, power=taken)
    return known, sorted(reasons, key=lambda reason: -reason.probability)


__all__ = ["HISTORY_S", "RULES", "HotendPast", "Rule", "judge", "judge_on"]
