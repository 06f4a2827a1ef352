"""What each sense and the past bring: recall of the network's variants at the same false alarms, by kind.

    python -m bench.senses [--folder out/accuracy] [--false 0.005 0.02] [--jobs N]

The sets of ``make evaluate``, which must be there. One network, cut down by masks: without telemetry, without
camera, without any past. No rules, and no pictures beyond their past. Each variant is calibrated on the
held-out prints, and its threshold is the one that so large a share of them reaches falsely: so none is ahead
by being bolder. Then recall on the test prints by kind, with Wilson's 95 % intervals, and how much more the
whole network finds (paired, by drawing prints).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.accuracy import FULLY
from bench.accuracy_sets import CHOSEN_ON, MEASURED
from detector.anomaly import Kind
from detector.learning.calibrate import Calibration, JudgedPrint, failing_scores, fit_calibration, held_tops
from detector.learning.evaluate import filed
from detector.learning.methods import WHOLE, PrintSet, Sense
from detector.learning.seen import FrameJudge
from detector.learning.shards import shards_in
from detector.model.kinds import KINDS
from detector.model.watch_model import DEFAULT, load_watch_model
from detector.training.intervals import Interval, bootstrap, wilson
from nozzlewatch.progress import cores

SENSES: Mapping[str, Sense] = {
    "both senses": WHOLE,
    "vision alone": Sense(deaf=True),
    "telemetry alone": Sense(blind=True),
    "single beats": Sense(alone=True),
}
TOGETHER: Mapping[str, tuple[str, ...]] = {
    **{kind.value: (kind.value,) for kind in KINDS},
    "under- and no-extrusion": (Kind.UNDER_EXTRUSION.value, Kind.NO_EXTRUSION.value),
}
FALSE = (0.005, 0.02)
"""Shares of the held-out prints that are reached falsely; 0.005 in prints of 15 min are 0.02 an hour."""

Flags = npt.NDArray[np.bool_]


class Reach(NamedTuple):
    """The highest score of each print before anything fails, and from the onset on: float64 [prints]."""

    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]

    @classmethod
    def of(cls, prints: Sequence[JudgedPrint], calibration: Calibration, least: int, within: int) -> Reach:
        """Of prints, by a calibration, where ``least`` of ``within`` beats must reach a score."""
        return cls(*held_tops(prints, failing_scores(prints, calibration), least, within))

    def threshold(self, share: float) -> float:
        """The lowest score that no more than ``share`` of the prints exceed before anything fails."""
        return float(np.sort(self.before)[::-1][int(share * len(self.before))])


class Told(NamedTuple):
    """Which prints a variant reaches falsely, and which it finds: bool [prints]."""

    falsely: Flags
    found: Flags


def told(reach: Reach, threshold: float) -> Told:
    """What lies above a threshold."""
    return Told(reach.before > threshold, reach.after > threshold)


def rows(kinds: Sequence[str | None], by_variant: Mapping[str, Told]) -> Iterator[str]:
    """A markdown table: kinds down, variants across; the first variant is compared with each other one.
    ``kinds``: of each print, None where nothing fails."""
    (whole, first), *others = by_variant.items()
    yield "| of the test prints | " + " | ".join(by_variant) + " |"
    yield "|---" * (1 + len(by_variant)) + "|"
    falsely = " | ".join(f"{each.falsely.mean():.1%}" for each in by_variant.values())
    yield f"| reached falsely | {falsely} |"
    for name, own in TOGETHER.items():
        at = np.flatnonzero([kind in own for kind in kinds])
        if len(at):
            cells = [_share(wilson(int(first.found[at].sum()), len(at)))]
            for _, other in others:
                gain = _gain(first.found[at], other.found[at])
                cells.append(f"{_share(wilson(int(other.found[at].sum()), len(at)))}; {gain}")
            yield f"| {name} ({len(at)}) | " + " | ".join(cells) + " |"
    yield f'(after the semicolon: how much more "{whole}" finds, percentage points)'


def _gain(whole: Flags, other: Flags) -> str:
    more = whole.astype(np.float64) - other.astype(np.float64)
    found = bootstrap(lambda drawn: float(more[drawn].mean()), np.arange(len(more)), seed=0)
    return f"{found.value * 100:+.0f} [{found.low * 100:+.0f}, {found.high * 100:+.0f}]"


def _share(found: Interval) -> str:
    return f"{found.value:.0%} [{found.low:.0%}, {found.high:.0%}]"


def main() -> None:
    """Judge both sets by each variant, and print a table for each share of false alarms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FULLY.folder, help="of the sets")
    parser.add_argument("--false", type=float, nargs="+", default=FALSE, help="shares of held-out prints")
    parser.add_argument("--jobs", type=int, default=cores(), help="threads")
    asked = parser.parse_args()
    model = load_watch_model(DEFAULT)
    judge = FrameJudge(model.frame, asked.jobs)
    held_out, measured = (
        PrintSet(
            model,
            filed(
                judge, shards_in([asked.folder / "beats" / name for name in names]), asked.folder / "seen",
                lambda path: None,
            ),
        )
        for names in (CHOSEN_ON, MEASURED)
    )  # fmt: skip
    least, within = model.about.min_beats, model.about.within_beats
    reaches = {}
    for name, sense in SENSES.items():
        calibration = fit_calibration([one for one in held_out.judged(sense) if len(one.beats)])
        reaches[name] = [
            Reach.of(prints.judged(sense), calibration, least, within) for prints in (held_out, measured)
        ]
    kinds = [one.facts.kind for one in measured.outlines]
    for share in asked.false:
        print(f"{share:.1%} of the held-out prints reached falsely, {least} of {within} beats:")
        by_variant = {name: told(test, chosen.threshold(share)) for name, (chosen, test) in reaches.items()}
        print("\n".join(rows(kinds, by_variant)))


if __name__ == "__main__":
    main()
