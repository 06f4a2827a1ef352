"""What would have been told of a print: rules and network through the very episodes that serve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector.alarms import NOWHERE, BeatSeries, alarms_of
from detector.anomaly import Anomaly, Kind, Reason, State
from detector.evaluation.outcome import S_PER_H, PrintOutcome
from detector.evaluation.outcome import Told as Alarm
from detector.learning.shards import BEAT_NS, PrintFacts, Told
from detector.model.kinds import FINE, KINDS
from detector.policies import POLICIES, KindPolicy
from detector.senses import leading
from detector.verdict import Limits, Probabilities
from ingest.records import NS_PER_S

SPAN_NS = NS_PER_S


class Watched(NamedTuple):
    """A print as its alarms need it: beats int64 [n] that are judged; what rules told; what the network said.

    ``probabilities`` float64 [n, classes] and ``onset_s`` float32 [n] are None where no network judges,
    ``peaks`` float64 [n] (``seen.peaks_of``) where pictures are not asked by themselves. Beats while no print
    ran are left out: nobody asks the network then.
    """

    facts: PrintFacts
    beats: npt.NDArray[np.int64]
    rules: Sequence[Told]
    probabilities: Probabilities | None = None
    onset_s: npt.NDArray[np.float32] | None = None
    peaks: npt.NDArray[np.float64] | None = None


def outcome(
    print_: Watched,
    limits: Limits,
    policies: Mapping[Kind, KindPolicy] = POLICIES,
    kinds: Collection[Kind] = KINDS,
) -> PrintOutcome:
    """What was told of a print, with its truth. A failure that begins after the last beat is none."""
    facts, at_s = print_.facts, _seconds(print_)
    onset_s = _onset_s(facts)
    opened = [each for each in anomalies(print_, limits, policies) if each.kind in kinds]
    told = tuple(
        Alarm(
            at_s=at_s(each.detected_ns),
            kind=each.kind.value,
            onset_s=at_s(each.onset_ns),
            score=each.severity,
            by_rule=bool(each.text),
            rests_on=leading(each.evidence.channels) or None,
        )
        for each in opened
    )
    return PrintOutcome(
        name=facts.name,
        kind=None if onset_s is None else facts.kind,
        mechanism=facts.mechanism or None,
        hours=facts.ends_s / S_PER_H,
        onset_s=onset_s,
        halted_s=facts.halted_s,
        ends_s=facts.ends_s,
        told=told,
        peaks=_peaks(print_, limits, onset_s),
    )


def anomalies(
    print_: Watched,
    limits: Limits,
    policies: Mapping[Kind, KindPolicy] = POLICIES,
    states: Collection[State] = (State.OPENED,),
) -> Iterator[Anomaly]:
    """The anomalies that open, or whatever ``states`` says, in the order of time."""
    place = NOWHERE._replace(printer=print_.facts.name, job=print_.facts.name, span_ns=SPAN_NS)
    said = alarms_of(_series(print_), limits, policies=policies, rules=_by_window(print_.rules), place=place)
    return (each for each in said if each.state in states)


def _series(print_: Watched) -> BeatSeries:
    """What the network was asked about and said; no beat where there is no network."""
    if print_.probabilities is None or print_.onset_s is None:
        none = np.zeros(0)
        return BeatSeries(none.astype(np.int64), none.reshape(0, 1 + len(KINDS)), none)
    return BeatSeries(print_.beats, print_.probabilities, print_.onset_s, print_.peaks)


def _by_window(told: Sequence[Told]) -> dict[int, list[Reason]]:
    found = defaultdict(list)
    for one in told:
        found[one.window].append(
            Reason(Kind(one.kind), one.probability, one.since_ns, one.text, one.channels)
        )
    return found


def _onset_s(facts: PrintFacts) -> float | None:
    """The onset within what was watched; None where nothing fails in it."""
    if facts.kind is None or (facts.onset_s is not None and facts.onset_s > facts.ends_s):
        return None
    return max(facts.onset_s or 0.0, 0.0)


class _Seconds(NamedTuple):
    begin_ns: int

    def __call__(self, at_ns: int) -> float:
        return max((at_ns - self.begin_ns) / NS_PER_S, 0.0)


def _seconds(print_: Watched) -> _Seconds:
    """From times to seconds since the print's begin; where the facts say none, since its first beat's."""
    first = int(print_.beats[0]) * BEAT_NS if len(print_.beats) else 0
    return _Seconds(print_.facts.begin_ns or first)


def _peaks(print_: Watched, limits: Limits, onset_s: float | None) -> tuple[float, float]:
    """The highest score before and from the onset on: what so many beats reach, or a rule says."""
    at_s, series = _seconds(print_), _series(print_)
    points = [(at_s((one.window + 1) * SPAN_NS), one.probability) for one in print_.rules]
    score = insisting(1 - series.probabilities[:, FINE], limits.min_beats, limits.within_beats)
    points += [
        (at_s((int(beat) + 1) * BEAT_NS), float(value))
        for beat, value in zip(series.beats, score, strict=True)
    ]
    begins_s = np.inf if onset_s is None else onset_s
    before = max((value for when, value in points if when < begins_s), default=0.0)
    return before, max((value for when, value in points if when >= begins_s), default=0.0)


def insisting(scores: npt.NDArray[np.float64], least: int, within: int) -> npt.NDArray[np.float64]:
    """What ``least`` of the last ``within`` beats reach, [n]: odd beats alone reach nothing."""
    if not len(scores):
        return np.zeros(0)
    padded = np.concatenate([np.zeros(within - 1), scores])
    windows = np.lib.stride_tricks.sliding_window_view(padded, within)
    return np.asarray(np.sort(windows, 1)[:, within - least], np.float64)
