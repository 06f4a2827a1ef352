"""Filament that is asked for and does not come, by the heat that it does not take from the hot end.

``features.flow`` says of each beat how much power is missing against the print's own past, and how much a
full stop would lack, both in standard deviations. The rule speaks where much is missing for half a minute,
and only where a stop would show at all: on many machines the filament's share is too small, and many hosts do
not say what they extrude.

Pure: ``advance`` folds the newest window into a ``Filament``, whose size is fixed.
"""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from detector.anomaly import Kind, Reason
from detector.rules.evidence import sure
from detector.rules.halts import stands_halted
from detector.rules.heaters import HOTEND
from features.beats import BEAT_WINDOWS, closes_beat
from features.channels import BALANCE
from features.flow import SPANS, Flow, FlowState, flow, reading
from features.flow import advance as advance_flow
from features.sequence import History
from ingest.records import NS_PER_S, Mark, Record

LEAST_SPAN = 24
"""Beats that power must be looked at together: over one minute drafts and a swinging controller reach far."""

MISSING = 4.0
"""Standard deviations from which power is missing; the worst of 600 sound prints of the split ``train`` lacks
3.9 for so long."""

BEATS = 6
"""So many beats in a row: half a minute."""

SEEN_FROM = 2.0
"""A full stop that would lack fewer standard deviations cannot be told from none."""

LEAST_SHARE, MOST_SHARE = 0.3, 2.0
"""Of the filament's heat that is missing: less is within what filaments vary, more is not the filament's."""

NOTHING_FROM = 0.7
"""From this share in the newest minute on nothing comes, below it too little. What it is called first it
stays: one failure, one alarm."""


class Filament(Record, frozen=True, kw_only=True):
    """What is known of a print's filament: the heat balance, and what it said of the last beats."""

    job: str
    flow: FlowState = FlowState()
    beats: int = 0  # in a row in which heat was missing
    missing: float = 0.0  # in the last one, standard deviations ...
    share: float = 0.0  # ... and in its newest minute, as a share of what the filament would take
    nothing: bool = False  # comes: what it was called when it was told first
    since_ns: int = 0  # when the first of them began


def advance(filament: Filament | None, history: History) -> tuple[Filament, Reason | None]:
    """Fold the newest window in; a reason while heat is missing. Another job begins anew, idling too."""
    window = history.newest
    if filament is None or filament.job != window.job or window.marks & Mark.IDLE:
        filament = Filament(job=window.job)
    if closes_beat(window) and not window.marks & Mark.IDLE:
        after = advance_flow(filament.flow, reading(history, BEAT_WINDOWS), BEAT_WINDOWS)
        begin_ns = window.end_ns - BEAT_WINDOWS * NS_PER_S
        filament = replace(follow(filament, flow(after), begin_ns), flow=after)
    return filament, None if stands_halted(history) else reason_of(filament)


def follow(filament: Filament, said: Flow, begin_ns: int) -> Filament:
    """Fold in what the heat balance says after a beat that began at ``begin_ns``."""
    missing, share = _missing(said), _share(said)
    if missing < MISSING or share < LEAST_SHARE:  # or it comes again
        return replace(filament, beats=0, missing=missing, share=share)
    told = filament.beats >= BEATS
    return replace(
        filament,
        beats=min(filament.beats + 1, BEATS),
        missing=missing,
        share=share,
        nothing=filament.nothing if told else share >= NOTHING_FROM,
        since_ns=filament.since_ns if filament.beats else begin_ns,
    )


def reason_of(filament: Filament) -> Reason | None:
    """What is to be said after the last beat."""
    if filament.beats < BEATS:
        return None
    text = (
        f"hotend takes less power than this print took before for the same filament: {_lacking(filament)}, "
        f"so {'no' if filament.nothing else 'too little'} filament seems to come out"
    )
    return Reason(
        Kind.NO_EXTRUSION if filament.nothing else Kind.UNDER_EXTRUSION,
        sure(filament.missing, MISSING),
        filament.since_ns,
        text,
        {BALANCE: 0.6, HOTEND.power: 0.3, "melt_w": 0.1},
    )


def _lacking(filament: Filament) -> str:
    share = min(max(filament.share, 0.0), 1.0)
    return f"{share * 100:.0f} % of its heat is missing, {filament.missing:.1f} standard deviations"


def _missing(said: Flow) -> float:
    """The most that is missing over any of the longer spans; 0 where none says anything."""
    found = 0.0
    for span, missing, full in zip(SPANS, said.missing, said.full, strict=True):
        if span < LEAST_SPAN or np.isnan(missing) or full < SEEN_FROM:
            continue
        if LEAST_SHARE <= missing / full <= MOST_SHARE:
            found = max(found, float(missing))
    return found


def _share(said: Flow) -> float:
    """How much of what the filament would take is missing in the newest minute; 0 where that is not known."""
    missing, full = float(said.missing[0]), float(said.full[0])
    return missing / full if full > 0.0 else 0.0  # a comparison with NaN is False


__all__ = ["Filament", "advance", "follow", "reason_of"]
