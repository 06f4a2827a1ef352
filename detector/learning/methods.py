"""The detector and what it is compared with, over the same prints; thresholds come from held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector.anomaly import Kind
from detector.evaluation import baselines
from detector.evaluation.outcome import PrintOutcome
from detector.evaluation.rules import Rule, Series, moving_average_rule
from detector.learning.alarms import Watched, outcome
from detector.learning.calibrate import (
    AlarmRule,
    Calibration,
    JudgedPrint,
    choose_rule,
    fit_calibration,
    judged,
)
from detector.learning.seen import peaks_of, read_seen
from detector.learning.sequences import Filed
from detector.learning.shards import PrintFacts, Told, read_shard
from detector.model.watch_model import WatchModel
from detector.policies import POLICIES, KindPolicy
from detector.verdict import Limits
from features.channels import MARK_CHANNEL, NAMES
from ingest.errors import UsageError
from ingest.records import Mark
from ingest.simulate.faults import TRUTH
from ingest.simulate.onsets import MECHANISMS

OURS = "nozzlewatch"
NOISE_FRAMES = 7200
"""Frames of its printer that the moving-average rule has seen before: the published rolling window."""
LEVELS = tuple(round(float(level), 5) for level in np.geomspace(0.002, 1.0, 100))
"""Thresholds of the moving-average rule that are tried; the last one never alarms."""
IDLE = NAMES.index(f"{MARK_CHANNEL} {Mark.IDLE.name}")
SET = 0.5
"""A mark's number is 1 where the mark is set, else 0."""

Outcomes = Sequence[PrintOutcome]


class Sense(NamedTuple):
    """How a variant of the network looks at a print; ``rules``: physics' rules are told beside it."""

    blind: bool = False
    deaf: bool = False
    alone: bool = False
    rules: bool = True

    @property
    def by_itself(self) -> bool:
        """Whether pictures are asked what they show beyond the print's past."""
        return not (self.blind or self.alone)


WHOLE = Sense()
VARIANTS: Mapping[str, Sense] = {
    "network without rules": Sense(rules=False),
    "vision only": Sense(deaf=True, rules=False),
    "telemetry only": Sense(blind=True),
    "single beats": Sense(alone=True),
}
"""One network, cut down by masks; each variant has a calibration and a threshold of its own."""
ABOUT: Mapping[str, str] = {
    OURS: "camera, telemetry, their past, and physics' rules",
    "network without rules": "the same without physics' rules",
    "vision only": "the network without telemetry",
    "telemetry only": "the network without camera, and physics' rules",
    "single beats": "the network without any past, and physics' rules",
    "rules alone": "physics' rules, no network",
    "moving average": "the published rule of The Spaghetti Detective over our own frame scores",
    "always on": "an alarm in every print, all the time",
    "never": "no alarm at all",
    "random": "an alarm in one print of ten, at any time",
}


class Outline(NamedTuple):
    """A print of n beats without its pictures, so that a whole set fits into memory.

    ``beats`` int64 [n], ``idle`` bool [n]: no print ran; ``rules``: what they told; ``frames``: the frame
    network's scores of the beats with a frame; ``peaks`` float64 [n] of their failure maps, NaN without one.
    """

    facts: PrintFacts
    beats: npt.NDArray[np.int64]
    idle: npt.NDArray[np.bool_]
    rules: Sequence[Told]
    frames: Series
    peaks: npt.NDArray[np.float64]


class PrintSet:
    """Prints, and what the network says of them: each way of looking at them is judged once."""

    def __init__(self, model: WatchModel, filed: Sequence[Filed]) -> None:
        self.model, self.filed = model, filed
        self.outlines = [outline(each) for each in filed]
        self._known: dict[Sense, list[JudgedPrint]] = {}

    def judged(self, sense: Sense) -> list[JudgedPrint]:
        """What the network says while they run, as far as ``sense`` lets it; in the order of the prints."""
        key = sense._replace(rules=True)
        if key not in self._known:
            known = judged(
                self.model.temporal, self.filed, blind=sense.blind, deaf=sense.deaf, alone=sense.alone
            )
            self._known[key] = [_running(*each) for each in zip(known, self.outlines, strict=True)]
        return self._known[key]

    def told(
        self,
        sense: Sense,
        calibration: Calibration,
        limits: Limits,
        policies: Mapping[Kind, KindPolicy] = POLICIES,
    ) -> Outcomes:
        """What is told of the prints by a variant of the network."""
        return [
            outcome(
                Watched(
                    one.facts, each.beats, one.rules if sense.rules else (),
                    calibration.probabilities(each.logits), each.onset_s,
                    _peaks(one, each.beats) if sense.by_itself else None,
                ),
                limits, policies,
            )
            for one, each in zip(self.outlines, self.judged(sense), strict=True)
        ]  # fmt: skip

    def ruled(self) -> Outcomes:
        """What physics' rules alone tell of them."""
        never = Limits(threshold=1.0, min_beats=1, within_beats=1)
        return [outcome(Watched(one.facts, one.beats, one.rules), never) for one in self.outlines]

    @property
    def frames(self) -> dict[str, Series]:
        """The frame scores by the prints' names."""
        return {one.facts.name: one.frames for one in self.outlines}


def outline(filed: Filed) -> Outline:
    """A print from its files. Raises as ``read_shard``."""
    shard, seen = read_shard(filed.shard, pictures=False), read_seen(filed.seen)
    scores = np.exp(-np.logaddexp(0.0, -seen.failing[shard.clear].astype(np.float64)))
    frames = Series(shard.at_s()[shard.clear], scores)
    idle = shard.sensors[:, IDLE] > SET
    return Outline(shard.facts, shard.beats, idle, shard.told, frames, peaks_of(seen, shard.clear))


def _peaks(one: Outline, beats: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The peaks of these beats of a print."""
    return one.peaks[np.searchsorted(one.beats, beats)]


def _running(known: JudgedPrint, one: Outline) -> JudgedPrint:
    """Without the beats while no print ran: who serves asks the network about none of these."""
    at = ~one.idle[np.searchsorted(one.beats, known.beats)]
    return JudgedPrint(
        known.facts, known.logits[at], known.onset_s[at], known.labels[at], known.since_s[at], known.beats[at]
    )


def natural_shares() -> dict[str, float]:
    """The share of each kind among failing prints, as the simulator draws them."""
    shares: dict[str, float] = {}
    for mechanism, facts in MECHANISMS.items():
        shares[TRUTH[mechanism]] = shares.get(TRUTH[mechanism], 0.0) + facts.weight
    total = sum(shares.values())
    return {kind: share / total for kind, share in shares.items()}


def limits_of(
    rule: AlarmRule, thresholds: Mapping[str, float] | None = None, beyond: float | None = None
) -> Limits:
    """A rule as the verdict takes it."""
    return Limits(
        threshold=rule.threshold,
        thresholds=dict(thresholds or {}),
        min_beats=rule.least,
        within_beats=rule.within,
        beyond=beyond,
    )


def of_model(model: WatchModel) -> tuple[Calibration, Limits]:
    """Calibration and limits as they come with the weights. Raises UsageError for another calibration than
    ``nozzlewatch train`` makes: one temperature, and a bias of the class "fine" alone."""
    about = model.about
    if len(set(about.temperatures)) > 1 or any(about.biases[1:]):
        raise UsageError(
            f"found temperatures {about.temperatures} and biases {about.biases}, expected one temperature "
            "and a bias of the first class alone: train anew with this version"
        )
    bias = about.biases[0] if about.biases else 0.0
    rule = AlarmRule(about.threshold, about.min_beats, about.within_beats)
    return Calibration(about.temperatures[0], bias), limits_of(rule, about.thresholds, about.beyond)


def ours(prints: PrintSet, sense: Sense = WHOLE) -> Outcomes:
    """What the detector told of the prints, with the threshold of its weights."""
    return prints.told(sense, *of_model(prints.model))


def variants(prints: PrintSet, chosen_on: PrintSet) -> dict[str, Outcomes]:
    """What each variant told of the prints, with a threshold that is chosen on others."""
    shown = prints.model.about.beyond
    return {name: prints.told(sense, *chosen(chosen_on, sense, shown)) for name, sense in VARIANTS.items()}


def chosen(prints: PrintSet, sense: Sense, beyond: float | None = None) -> tuple[Calibration, Limits]:
    """Calibration and limits of a variant, on held-out prints; ``beyond`` is that of the weights."""
    known = [one for one in prints.judged(sense) if len(one.beats)]
    calibration = fit_calibration(known)
    return calibration, limits_of(choose_rule(known, calibration), beyond=beyond)


def unlearned(prints: PrintSet) -> dict[str, Outcomes]:
    """What needs neither a network nor a threshold: rules and chance."""
    alone = prints.ruled()
    return {
        "rules alone": alone,
        "always on": baselines.always_on(alone),
        "never": baselines.never_on(alone),
        "random": baselines.random_at_base_rate(alone),
    }


def moving_average(prints: PrintSet, chosen_on: PrintSet) -> Outcomes:
    """The published rule over frame scores; its threshold and noise are those of other prints."""
    rule_of = _moving_average(chosen_on.outlines)
    shares = natural_shares()
    best = baselines.best_threshold(chosen_on.ruled(), chosen_on.frames, rule_of, LEVELS, shares)
    return baselines.ruled(prints.ruled(), prints.frames, rule_of(best.threshold))


def _moving_average(prints: Sequence[Outline]) -> Callable[[float], Rule]:
    """The rule with the noise that sound prints have."""
    sound = [one.frames.scores for one in prints if one.facts.kind is None and len(one.frames.scores)]
    noise = float(np.mean(np.concatenate(sound))) if sound else 0.0
    return lambda low: moving_average_rule(low, noise=noise, noise_frames=NOISE_FRAMES)
