"""What two senses against a print's own past bring: heat that filament does not take, and what pictures show
beyond what they showed before.

    python -m bench.own_past PRINTS --seen SEEN [--chosen-on]

PRINTS holds prints of ``nozzlewatch preprocess``, SEEN what the network that comes along sees in their
frames (``nozzlewatch train`` and ``evaluate`` keep it). With ``--chosen-on`` it also shows what thresholds
are chosen by: how high sound prints reach. Prints that were made before the rule of filament was there are
told of it out of their sensor tokens, whose half floats are what the rule then reads.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.evaluation.events import (
    delays,
    false_alarms_per_hour,
    mistakes_per_100,
    paired_difference,
    recall,
)
from detector.evaluation.weighing import Weighing
from detector.learning.methods import (
    WHOLE,
    Outcomes,
    Outline,
    PrintSet,
    natural_shares,
    of_model,
)
from detector.learning.own_past import choose_beyond, highest_sound
from detector.learning.sequences import Filed
from detector.learning.shards import BEAT_NS, Shard, Told, read_shard, shards_in
from detector.model.kinds import KINDS
from detector.model.watch_model import default_watch_model
from detector.rules.filament import Filament, reason_of
from detector.rules.filament import follow as follow_filament
from detector.training.intervals import Interval
from features.beats import BEAT_WINDOWS
from features.channels import FLOW_NAMES, FLOW_SCALES, NAMES
from features.flow import SPANS, Flow

FLOWS = [NAMES.index(name) for name in FLOW_NAMES]
SCALES = np.array(list(FLOW_SCALES.values()))[:, None]
OF_FILAMENT = (Kind.NO_EXTRUSION.value, Kind.UNDER_EXTRUSION.value)


def flows(shard: Shard) -> Iterable[Flow]:
    """What the heat balance said of each beat, as its token has it."""
    for numbers, known in zip(shard.sensors[:, FLOWS], shard.known[:, FLOWS], strict=True):
        figures = np.where(known, numbers.astype(np.float64), np.nan).reshape(len(SCALES), len(SPANS))
        yield Flow(*(figures * SCALES))


def told_of_filament(shard: Shard, idle: Sequence[bool]) -> list[Told]:
    """What the rule of filament says of a print, a window at a time while it lasts."""
    filament, told = Filament(job=shard.facts.name), list[Told]()
    for beat, said, stands in zip(shard.beats.tolist(), flows(shard), idle, strict=True):
        if stands:
            filament = Filament(job=shard.facts.name)
            continue
        filament = follow_filament(filament, said, beat * BEAT_NS)
        if (reason := reason_of(filament)) is not None:
            first = (beat + 1) * BEAT_WINDOWS - 1
            told += [Told(first + after, *reason[:4], dict(reason.channels)) for after in range(BEAT_WINDOWS)]
    return told


def with_filament(prints: PrintSet) -> PrintSet:
    """The same prints with what the rule of filament tells of them, where they say nothing of it."""
    fresh = PrintSet(prints.model, prints.filed)
    fresh.outlines = [_fed(one, filed) for one, filed in zip(prints.outlines, prints.filed, strict=True)]
    return fresh


def _fed(one: Outline, filed: Filed) -> Outline:
    if any(told.kind in OF_FILAMENT for told in one.rules):
        return one
    shard = read_shard(filed.shard, pictures=False)
    return one._replace(rules=[*one.rules, *told_of_filament(shard, one.idle.tolist())])


def row(name: str, outcomes: Outcomes) -> str:
    """A method in one line, then recall by kind."""
    weighing = Weighing(outcomes, natural_shares())
    figures = (
        f"{name:40s} mistakes {_text(mistakes_per_100(weighing))}, false alarms per hour "
        f"{_text(false_alarms_per_hour(weighing), 3)}, recall {_text(recall(weighing), 2)}, "
        f"delay {delays(weighing).median_s.value:.0f} s"
    )
    kinds = ", ".join(_kind(kind, outcomes) for kind in KINDS if any(one.kind == kind for one in outcomes))
    return f"{figures}\n    {kinds}"


def _kind(kind: str, outcomes: Outcomes) -> str:
    own = [one for one in outcomes if one.kind == kind]
    return f"{kind} {sum(one.found is not None for one in own)}/{len(own)}"


def _text(found: Interval, digits: int = 1) -> str:
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prints", type=Path, nargs="+")
    parser.add_argument("--seen", type=Path, action="append", required=True, help="one for each of PRINTS")
    parser.add_argument("--chosen-on", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = default_watch_model()
    assert model is not None
    filed = [
        Filed(path, seen / f"{path.stem}.seen")
        for folder, seen in zip(asked.prints, asked.seen, strict=True)
        for path in shards_in([folder])
    ]
    prints = PrintSet(model, filed)
    fed = with_filament(prints)
    calibration, limits = of_model(model)
    alone = replace(limits, beyond=None)
    before = prints.told(WHOLE, calibration, alone)
    methods = {
        "rules alone, before": prints.ruled(),
        "rules alone, with filament": fed.ruled(),
        "before": before,
        "with filament": fed.told(WHOLE, calibration, alone),
        "with pictures beyond their past": prints.told(WHOLE, calibration, limits),
        "with both": fed.told(WHOLE, calibration, limits),
    }
    for name, outcomes in methods.items():
        print(row(name, outcomes), flush=True)
    less = paired_difference(methods["with both"], before, natural_shares())
    print(f"both less before: {_text(less, 2)} mistakes per 100")
    if asked.chosen_on:
        reached = [highest_sound(one) for one in prints.outlines]
        highest = sorted((round(one, 2) for one in reached if not np.isnan(one)), reverse=True)
        print("sound prints reach, beyond their past:", highest[:5])
        print("chosen:", choose_beyond(prints.outlines))


if __name__ == "__main__":
    main()
