"""How well the frame network tells failures of each size from the pictures of prints without them.

    nozzlewatch simulate --pairs --failing 1 --kinds KINDS ... -o DIR
    nozzlewatch preprocess --pictures-alone DIR -o BEATS
    python -m bench.by_size BEATS... [--model WEIGHTS]

By kind, and by the share of the picture that differs from the twin: how many pictures, the AUC of their
failing logit against the twins' pictures of all prints, and the share above 99 of 100 of these. Simulated.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector.anomaly import Kind
from detector.learning.frame_batches import shows
from detector.learning.paired import PairedBeat, PairedPrints, read_pair
from detector.learning.seen import FrameJudge
from detector.learning.shards import shards_in
from detector.model.watch_model import DEFAULT, load_watch_model
from detector.training.metrics import roc_auc

SIZES = (0.0, 0.005, 0.02, 0.05, 1.0)
"""Shares of the picture."""
FALSE = 0.01
FEWEST = 4
"""Of fewer pictures nothing is told."""

Values = npt.NDArray[np.float64]


class Scored(NamedTuple):
    """Of the pictures whose failure shows: its share of the picture [n], their logits [n]; those of the twins
    at every moment [m]."""

    kind: Kind
    sizes: Values
    failing: Values
    sound: Values


def scored(judge: FrameJudge, kind: Kind, prints: Sequence[Sequence[PairedBeat]]) -> Scored:
    """Judge every pair of these prints."""
    pairs = [pair for moments in prints for one in moments if (pair := read_pair(one)) is not None]
    shown = [pair for pair in pairs if shows(pair)]
    return Scored(
        kind,
        np.array([pair.differs.mean() for pair in shown], np.float64),
        judge.judge([pair.failing for pair in shown]).failing.astype(np.float64),
        judge.judge([pair.sound for pair in pairs]).failing.astype(np.float64),
    )


def lines(found: Sequence[Scored]) -> Iterator[str]:
    """A line for each kind."""
    sound = np.concatenate([each.sound for each in found])
    limit = float(np.quantile(sound, 1 - FALSE))
    for each in found:
        cells = []
        for low, high in pairwise(SIZES):
            own = each.failing[(each.sizes >= low) & (each.sizes < high)]
            told = ""
            if len(own) >= FEWEST:
                labels = np.arange(len(own) + len(sound)) < len(own)
                told = f" {roc_auc(np.concatenate([own, sound]), labels):.2f} {np.mean(own > limit):4.0%}"
            cells.append(f"{len(own):4d}{told:10s}")
        yield f"{each.kind.value:16s} " + "  ".join(cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("beats", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, default=DEFAULT)
    asked = parser.parse_args()
    judge = FrameJudge(load_watch_model(asked.model).frame)
    prints = PairedPrints(shards_in(asked.beats)).prints
    print("share of the picture", *(f"{low:.1%} to {high:.1%}" for low, high in pairwise(SIZES)), sep="   ")
    for line in lines([scored(judge, kind, own) for kind, own in prints.items() if own]):
        print(line)


if __name__ == "__main__":
    main()
