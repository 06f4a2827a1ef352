"""The detector measured on prints, by event, every figure beside its baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from detector.evaluation.calibration import Reliability, reliability
from detector.evaluation.figures import Figures, measured
from detector.evaluation.weighing import Weighing
from detector.learning.methods import (
    WHOLE,
    Outcomes,
    PrintSet,
    Sense,
    moving_average,
    natural_shares,
    of_model,
    ours,
    unlearned,
    variants,
)
from detector.learning.reasons import explained
from detector.learning.seen import FrameJudge, see
from detector.learning.sequences import Filed
from detector.learning.shards import facts_of
from detector.model.kinds import FINE
from detector.model.watch_model import WatchModel
from ingest.errors import UsageError

MISSING: Mapping[str, Sense] = {
    "without camera": Sense(blind=True),
    "without telemetry": Sense(deaf=True, rules=False),
}
"""The detector as it is, thresholds and all, where a sense is missing."""
DIGITS = 8
REAL = "real"

Done = Callable[[Path], None]


class Evaluated(NamedTuple):
    """Figures of a set of prints: by event, calibration, what each print came to (in their order), and the
    detector's own figures where a sense is missing. ``simulator`` made them, "" for real ones."""

    figures: Figures
    reliability: Reliability
    outcomes: Outcomes
    missing: dict[str, Figures]
    simulator: str


def evaluate_prints(
    model: WatchModel,
    prints: Sequence[Path],
    chosen_on: Sequence[Path],
    cache: Path,
    *,
    threads: int = 1,
    done: Done = lambda path: None,
) -> Evaluated:
    """Measure on prints; ``chosen_on`` are others that the baselines' thresholds are chosen on, none to leave
    out what needs one. ``done`` hears of each print whose frames are judged.

    Raises UsageError where a set lacks sound or failing prints, where simulated and real prints or those of
    two simulators are mixed, and where a print is in both sets.
    """
    simulator = simulator_of(prints)
    _check_apart(prints, chosen_on)
    judge = FrameJudge(model.frame, threads)
    own = PrintSet(model, filed(judge, prints, cache, done))
    outcomes, others = explained(own, ours(own)), unlearned(own)
    if chosen_on:
        held_out = PrintSet(model, filed(judge, chosen_on, cache, done))
        others = {**variants(own, held_out), "moving average": moving_average(own, held_out), **others}
    return Evaluated(
        measured(outcomes, natural_shares(), baselines=others),
        _reliability(own, outcomes),
        outcomes,
        {name: measured(ours(own, sense), natural_shares()) for name, sense in MISSING.items()},
        simulator,
    )


def simulator_of(prints: Sequence[Path]) -> str:
    """What made these prints: a simulator's version, "" for real ones. Raises UsageError for a mixture."""
    found = sorted({facts_of(path).simulator for path in prints})
    if len(found) > 1:
        named = ", ".join(f"simulator {one}" if one else REAL for one in found)
        raise UsageError(
            f"found prints of different origins ({named}), expected one: figures of simulated and real "
            "prints, or of two simulators, are never mixed; evaluate them one after the other"
        )
    return found[0] if found else ""


def filed(judge: FrameJudge, prints: Sequence[Path], cache: Path, done: Done) -> list[Filed]:
    """The prints with what is seen in their frames, as ``see``. Folders are kept apart: their prints may bear
    the same names."""
    found: dict[Path, Path] = {}
    for folder in dict.fromkeys(path.parent for path in prints):
        place = cache / f"{folder.name}-{sha256(str(folder.resolve()).encode()).hexdigest()[:DIGITS]}"
        own = [path for path in prints if path.parent == folder]
        found |= zip(own, see(judge, own, place, done), strict=True)
    return [Filed(path, found[path]) for path in prints]


def _check_apart(prints: Sequence[Path], chosen_on: Sequence[Path]) -> None:
    """No threshold is chosen on what is measured."""
    measured_on = {(facts.name, facts.begin_ns) for facts in map(facts_of, prints)}
    for path in chosen_on:
        facts = facts_of(path)
        if (facts.name, facts.begin_ns) in measured_on:
            raise UsageError(
                f"{path}: found a print that is measured on too, expected others to choose thresholds on"
            )


def _reliability(prints: PrintSet, outcomes: Outcomes) -> Reliability:
    """Of each beat's probability that something fails, while a print runs; prints weigh as on a farm."""
    calibration, _ = of_model(prints.model)
    known = prints.judged(WHOLE)
    probability = np.concatenate([1 - calibration.probabilities(one.logits)[:, FINE] for one in known])
    labels = np.concatenate([one.labels for one in known])
    each = Weighing(outcomes, natural_shares()).weights
    weights = np.concatenate(
        [np.full(len(one.labels), w / max(len(one.labels), 1)) for one, w in zip(known, each, strict=True)]
    )
    sure = labels >= FINE
    return reliability(probability[sure], labels[sure] > FINE, weights[sure])
