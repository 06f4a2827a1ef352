"""From reasons to alarms, window by window: what the judge does with them, and the same over a whole print.

``alarms_of`` makes of a print's stored probabilities the very alarms that the detector would have told of it:
evaluation is by events, and these are the events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector import episodes
from detector.anomaly import Anomaly, Kind, Reason
from detector.episodes import POLICIES, Episode, KindPolicy, Phase
from detector.model.kinds import KINDS
from detector.senses import CAMERA
from detector.verdict import Evidence, Limits, Probabilities, Verdict, weigh
from features.beats import BEAT_WINDOWS
from ingest.records import NS_PER_S


class Place(NamedTuple):
    """The window at which reasons are folded in."""

    printer: str
    job: str
    window: int  # index
    span_ns: int


NOWHERE = Place("", "", 0, NS_PER_S)


class BeatSeries(NamedTuple):
    """What the network says of n beats of a print, ascending, calibrated."""

    beats: npt.NDArray[np.int64]  # [n] index
    probabilities: Probabilities  # [n, classes]
    onset_s: npt.NDArray[np.floating[Any]]  # [n]
    peaks: npt.NDArray[np.floating[Any]] | None = None  # [n] of their failure maps, NaN without a picture


def strongest(reasons: Iterable[Reason]) -> dict[Kind, Reason]:
    """The most probable reason of each kind."""
    best: dict[Kind, Reason] = {}
    for reason in reasons:
        if reason.kind not in best or reason.probability > best[reason.kind].probability:
            best[reason.kind] = reason
    return best


def follow(
    running: Mapping[Kind, Episode],
    reasons: Mapping[Kind, Reason],
    place: Place,
    model: str,
    policies: Mapping[Kind, KindPolicy],
) -> tuple[dict[Kind, Episode], list[Anomaly]]:
    """Fold the reasons of a window into the episodes, kind by kind, in a fixed order."""
    after: dict[Kind, Episode] = {}
    said: list[Anomaly] = []
    for kind in sorted(set(running) - set(policies)):  # switched off since: it ends here
        said += episodes.finish(running[kind], model=model)[1]
    for kind in sorted({*running, *reasons} & set(policies)):
        episode, told = episodes.advance(
            running.get(kind),
            reasons.get(kind),
            printer=place.printer,
            job=place.job,
            kind=kind,
            window_index=place.window,
            span_ns=place.span_ns,
            model=model,
            policy=policies[kind],
        )
        if episode is not None:
            after[kind] = episode
        said += told
    return after, said


def open_kinds(running: Mapping[Kind, Episode], job: str) -> frozenset[Kind]:
    """The kinds that the network knows and of which an alarm is open at a print."""
    return frozenset(
        kind
        for kind, episode in running.items()
        if kind in KINDS and episode.phase is Phase.OPEN and episode.job == job
    )


def opens(verdict: Verdict, running: Mapping[Kind, Episode], place: Place) -> bool:
    """Whether a verdict opens an alarm at this window: enough for it, none open, and no pause after one."""
    episode = running.get(verdict.kind)
    if not verdict.enough or episode is None or episode.job != place.job:
        return verdict.enough
    return episode.phase is not Phase.OPEN and place.window >= episode.cool_until


def since_ns(onset_s: float, end_ns: int, beat_ns: int, first_ns: int) -> int:
    """When a failure began that the network takes for so old, s, at ``end_ns``: a beat back at least, and not
    before ``first_ns``, when the print began to be watched.
    """
    back_ns = max(round(onset_s * NS_PER_S), beat_ns)
    return min(max(end_ns - back_ns, first_ns), end_ns - beat_ns)


def alarms_of(
    series: BeatSeries,
    limits: Limits,
    *,
    policies: Mapping[Kind, KindPolicy] = POLICIES,
    rules: Mapping[int, Sequence[Reason]] = MappingProxyType({}),
    place: Place = NOWHERE,
) -> list[Anomaly]:
    """Every revision that a print leads to, in order of time.

    ``rules`` are reasons by the index of their window; of ``place`` the window means nothing.
    """
    at = {int(beat) * BEAT_WINDOWS + BEAT_WINDOWS - 1: row for row, beat in enumerate(series.beats)}
    first = int(series.beats[0]) if len(series.beats) else 0
    running: dict[Kind, Episode] = {}
    evidence, said = Evidence(), list[Anomaly]()
    for index in sorted({*at, *rules}):
        here = place._replace(window=index)
        found = list(rules.get(index, ()))
        if index in at:
            evidence, reason = _weighed(series, at[index], evidence, limits, (running, here, first))
            found += [reason] if reason is not None else []
        running, told = follow(running, strongest(found), here, "", policies)
        said += told
    return said


def _weighed(
    series: BeatSeries,
    row: int,
    evidence: Evidence,
    limits: Limits,
    where: tuple[Mapping[Kind, Episode], Place, int],
) -> tuple[Evidence, Reason | None]:
    running, place, first = where
    taken: Collection[Kind] = open_kinds(running, place.job)
    beat = int(series.beats[row])
    peak = None if series.peaks is None or np.isnan(series.peaks[row]) else float(series.peaks[row])
    evidence, verdict = weigh(evidence, beat, series.probabilities[row], limits, taken, peak)
    if verdict is None:
        return evidence, None
    beat_ns = BEAT_WINDOWS * place.span_ns
    began_ns = since_ns(float(series.onset_s[row]), (beat + 1) * beat_ns, beat_ns, first * beat_ns)
    channels = {CAMERA: 1.0} if verdict.beyond else {}
    return evidence, Reason(verdict.kind, verdict.probability, began_ns, "", channels, weighed=verdict.enough)


__all__ = [
    "BeatSeries",
    "Place",
    "alarms_of",
    "follow",
    "open_kinds",
    "opens",
    "since_ns",
    "strongest",
]
