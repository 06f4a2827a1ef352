"""Whether the reason of an alarm names what truly fails: its first channel is one in which the failure shows.

The truth is what the simulator's mechanism befalls; of a real print only the kind is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from detector.anomaly import Kind
from detector.evaluation.outcome import PrintOutcome
from detector.evaluation.weighing import Values, Weighing
from detector.model.kinds import KINDS
from detector.senses import CAMERA, SENSES
from features.channels import BALANCE
from ingest.simulate.faults import FaultKind

Channels = frozenset[str]

PICTURES: Channels = frozenset({CAMERA})
HOTEND, BED = frozenset(SENSES["hotend"]), frozenset(SENSES["bed"])
FLOW: Channels = frozenset({BALANCE, "hotend_power", *SENSES["extrusion"], CAMERA})
"""Filament that does not come takes no heat, and is missing in the picture."""
COURSE: Channels = frozenset((*SENSES["line"], *SENSES["motion"], *SENSES["extrusion"], *SENSES["course"]))

SHOWS_IN: Mapping[str, Channels] = {
    **dict.fromkeys(KINDS, PICTURES),
    Kind.UNDER_EXTRUSION: FLOW,
    Kind.NO_EXTRUSION: FLOW,
    Kind.HEATER_FAULT: HOTEND | BED,
    Kind.SENSOR_FAULT: HOTEND | BED,
    Kind.STALL: COURSE,
}
"""The channels in which a kind of failure shows."""
BY_MECHANISM: Mapping[str, Channels] = {
    **dict.fromkeys((FaultKind.OPEN_HEATER, FaultKind.WEAK_HEATER, FaultKind.STUCK_HEATER), HOTEND),
    **dict.fromkeys(
        (FaultKind.LOOSE_THERMISTOR, FaultKind.OPEN_THERMISTOR, FaultKind.SLIPPED_THERMISTOR), HOTEND
    ),
    FaultKind.OPEN_BED: BED,
    FaultKind.RESET: COURSE | HOTEND | BED,  # the firmware forgets its targets
}
"""The same where it is known by what a print fails, and that says more."""


class KindReasons(msgspec.Struct, frozen=True, kw_only=True):
    """The reasons of alarms that found a failure: of so many ``prints``, ``right`` name it."""

    prints: int
    right: int
    share: float
    share_ci: tuple[float, float]


class Reasons(msgspec.Struct, frozen=True, kw_only=True):
    """The same over all kinds, ``share`` being that of a farm; None where no reason is known."""

    prints: int
    right: int
    share: float | None
    share_ci: tuple[float, float] | None
    kinds: dict[str, KindReasons]


def shows_in(kind: str, mechanism: str | None) -> Channels:
    """The channels in which a failure shows; none of a kind that is not known."""
    return BY_MECHANISM.get(mechanism or "", SHOWS_IN.get(kind, frozenset()))


def reasons(weighing: Weighing) -> Reasons:
    """Of failures that were found by an alarm whose reason is known, those whose reason names them."""
    outcomes = weighing.outcomes
    told = weighing.values(lambda one: one.found is not None and one.found.rests_on is not None)
    right = weighing.values(_is_right)
    known = [str(one.kind) for one, counts in zip(outcomes, told, strict=True) if counts]
    share = weighing.share(right, told)
    defined = not math.isnan(share.value)
    return Reasons(
        prints=len(known),
        right=int(right.sum()),
        share=share.value if defined else None,
        share_ci=(share.low, share.high) if defined else None,
        kinds={kind: _of_kind(weighing, kind, told, right) for kind in _ordered(known)},
    )


def _of_kind(weighing: Weighing, kind: str, told: Values, right: Values) -> KindReasons:
    among = told * weighing.values(lambda one: one.kind == kind)
    share = weighing.share(among * right, among)
    return KindReasons(
        prints=int(among.sum()),
        right=int((among * right).sum()),
        share=share.value,
        share_ci=(share.low, share.high),
    )


def _is_right(one: PrintOutcome) -> bool:
    return one.found is not None and one.found.rests_on in shows_in(str(one.kind), one.mechanism)


def _ordered(kinds: Sequence[str]) -> list[str]:
    """Each once, in the order in which kinds are told."""
    return sorted(set(kinds), key=lambda kind: ([*map(str, KINDS), kind].index(kind), kind))
