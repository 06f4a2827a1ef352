"""From when on the watch that comes along alarms, chosen anew on held-out prints.

    python -m bench.limits PRINTS... [--seen out/limits] [--jobs N] [--write]

PRINTS are folders of ``nozzlewatch preprocess`` with prints of the split ``val``, sound and failing ones.
Shows what the limits make of these prints as they are and as they would be, and what each limit of pictures
beyond their own past does (``detector.beyond``). What is chosen here is good for these prints: their figures
are optimistic. ``--write`` puts it into the weights; ``python -m bench.watch_card`` writes their card then.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from bench.machine import ROOT
from detector.evaluation.events import delays, false_alarms_per_hour, mistakes_per_100, recall
from detector.evaluation.weighing import Weighing
from detector.learning.evaluate import filed
from detector.learning.limits import with_limits
from detector.learning.methods import WHOLE, Outcomes, PrintSet, natural_shares, of_model
from detector.learning.own_past import LEVELS, mistakes_beside, reached
from detector.learning.seen import FrameJudge
from detector.learning.shards import shards_in
from detector.model.kinds import KINDS
from detector.model.watch_model import DEFAULT, WatchModel, load_watch_model, save_watch_model
from detector.training.intervals import Interval
from nozzlewatch.progress import cores


def main() -> None:
    """Read the arguments, judge, choose, show, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prints", type=Path, nargs="+")
    parser.add_argument("--seen", type=Path, default=ROOT / "out" / "limits", help="keeps what frames show")
    parser.add_argument("--jobs", type=int, default=cores(), help="threads")
    parser.add_argument("--write", action="store_true", help="put the limits into the weights")
    asked = parser.parse_args()
    before = load_watch_model(DEFAULT)
    judge = FrameJudge(before.frame, asked.jobs)
    held_out = filed(judge, shards_in(asked.prints), asked.seen, lambda path: None)
    prints = PrintSet(before, held_out)
    after = with_limits(prints)
    print(row("rules alone", prints.ruled()))
    for name, model in (("as they are", before), ("chosen now", after)):
        print(row(f"{name}: {in_words(model)}", of(prints, model)))
        print(row("    without pictures' own past", of(prints, model, pictures=False)))
    for line in by_limit(prints, of(prints, after, pictures=False)):
        print(line)
    if asked.write:
        save_watch_model(DEFAULT, after)
        print(f"written: {DEFAULT}")


def of(prints: PrintSet, model: WatchModel, *, pictures: bool = True) -> Outcomes:
    """What is told of the prints with a model's limits."""
    calibration, limits = of_model(model)
    return prints.told(WHOLE, calibration, limits if pictures else replace(limits, beyond=None))


def by_limit(prints: PrintSet, beside: Outcomes) -> list[str]:
    """A line for each limit: its mistakes, and the prints that reach it before anything fails and after."""
    highest = [reached(one) for one in prints.outlines]
    before, after = np.array(highest).T
    fails = np.array([one.fails for one in beside])
    counted = mistakes_beside(beside, highest, natural_shares(), LEVELS)
    return [
        f"from {level:.1f} on: {mistakes:.2f} mistakes; reached falsely by {np.sum(before >= level)} of "
        f"{len(before)}, rightly by {np.sum(fails & (after >= level))} of {np.sum(fails)}"
        for level, mistakes in zip(LEVELS, counted, strict=True)
    ]


def row(name: str, outcomes: Outcomes) -> str:
    """A method in one line, then recall by kind."""
    weighing = Weighing(outcomes, natural_shares())
    figures = (
        f"{name}\n    mistakes {_text(mistakes_per_100(weighing))}, false alarms per hour "
        f"{_text(false_alarms_per_hour(weighing), 3)}, recall {_text(recall(weighing), 2)}, "
        f"delay {delays(weighing).median_s.value:.0f} s"
    )
    kinds = ", ".join(_kind(kind, outcomes) for kind in KINDS if any(one.kind == kind for one in outcomes))
    return f"{figures}\n    {kinds}"


def in_words(model: WatchModel) -> str:
    """Its limits."""
    about = model.about
    rule = f"{about.min_beats} of {about.within_beats} beats from {about.threshold:.3f} on"
    return f"{rule}, pictures from {about.beyond}, temperature {about.temperatures[0]:.2f}"


def _kind(kind: str, outcomes: Outcomes) -> str:
    own = [one for one in outcomes if one.kind == kind]
    return f"{kind} {sum(one.found is not None for one in own)}/{len(own)}"


def _text(found: Interval, digits: int = 1) -> str:
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


if __name__ == "__main__":
    main()
