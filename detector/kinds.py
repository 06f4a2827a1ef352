"""``[kinds]`` and ``[printers.kinds]``: what is done when a failure of a kind is found.

A value is a word (``"notify"``) or a table (``{do = "pause", pause_at = 0.95, for_s = 30}``).
What a printer says of a kind replaces what the farm says of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from detector.anomaly import BLIND, Kind
from ingest.farm import Farm
from ingest.table import check_table, shown, unknown_key


class Reaction(StrEnum):
    """What is done when a failure of a kind is found."""

    OFF = "off"  # scored, never told
    NOTIFY = "notify"
    PAUSE = "pause"  # told, and the printer is paused when it is sure enough for long enough
    CANCEL = "cancel"  # likewise cancelled


ACTING = frozenset({Reaction.PAUSE, Reaction.CANCEL})

Share = Annotated[float, Meta(ge=0, le=1, description="a probability from 0 to 1")]
Seconds = Annotated[float, Meta(ge=0, le=3600, description="seconds from 0 to 3600")]


class KindRule(Struct, frozen=True):
    """What is done about one kind."""

    do: Reaction = Reaction.NOTIFY
    notify_at: Share = 0.0  # told from this severity on; what opens is above its own threshold anyway
    pause_at: Share = 0.9  # a window at or above this counts for pausing or cancelling …
    for_s: Seconds = 20.0  # … which is done when that has lasted so long


class KindRules(Struct, frozen=True):
    """The rules of a farm, and where a printer has its own, of that printer."""

    farm: dict[Kind, KindRule] = {}
    printers: dict[str, dict[Kind, KindRule]] = {}

    def of(self, printer: str, kind: Kind) -> KindRule:
        """The rule for a kind at a printer; kinds that no table names are told."""
        own = self.printers.get(printer, {})
        return own.get(kind) or self.farm.get(kind) or NOTIFY

    @property
    def on(self) -> frozenset[Kind]:
        """Kinds that are switched on for at least one printer."""
        tables = (self.farm, *self.printers.values())
        return frozenset(
            kind
            for kind in Kind
            if any(table.get(kind, self.farm.get(kind, NOTIFY)).do is not Reaction.OFF for table in tables)
        )

    @property
    def acting(self) -> bool:
        """Whether any printer may be paused or cancelled."""
        return any(
            rule.do in ACTING for table in (self.farm, *self.printers.values()) for rule in table.values()
        )


NOTIFY = KindRule()


def read_kinds(farm: Farm, where: str, mistakes: list[str]) -> KindRules:
    """The rules that a farm file gives; every mistake goes to ``mistakes``."""
    printers = {
        printer.name: _table(printer.kinds, f"{where}: printers[{printer.name!r}].kinds", mistakes)
        for printer in farm.printers
        if printer.kinds
    }
    return KindRules(_table(farm.tables.get("kinds", {}), f"{where}: kinds", mistakes), printers)


def _table(found: Any, where: str, mistakes: list[str]) -> dict[Kind, KindRule]:
    if not isinstance(found, Mapping):
        mistakes.append(f"{where}: found {shown(found)}, expected a table")
        return {}
    rules = {}
    for name, value in found.items():
        if name not in set(Kind):
            mistakes.append(unknown_key(f"{where}.{name}", name, list(Kind), value))
        elif (rule := _rule(value, Kind(name), f"{where}.{name}", mistakes)) is not None:
            rules[Kind(name)] = rule
    return rules


def _rule(value: Any, kind: Kind, where: str, mistakes: list[str]) -> KindRule | None:
    allowed = [one for one in Reaction if one not in ACTING or kind not in BLIND]
    if isinstance(value, Mapping):
        do = value.get("do", Reaction.NOTIFY)
        rule = check_table({**value, "do": Reaction.NOTIFY}, KindRule, where, mistakes)
    else:
        do, rule = value, NOTIFY
    if do not in allowed:  # a list, not a set: what stands in a file may not be hashable
        why = ": the watch is blind then, the print may be fine" if kind in BLIND else ""
        mistakes.append(
            f"{where}: found {shown(do)}, expected {', '.join(allowed[:-1])} or {allowed[-1]}{why}"
        )
        return None
    return None if rule is None else KindRule(Reaction(do), rule.notify_at, rule.pause_at, rule.for_s)
