"""Whether simulated frames teach what real failures look like: linear probes, learned from them alone.

    python -m bench.sim_probe DIR [--data REAL] [--each N] [--dry]     (DIR: made by simulate --pairs)

Logistic regression on averaged maps of SqueezeNet 1.1 (of ImageNet, never trained here), judged on the real
both-label sources of the manifest's split ``eval``. Two ways to learn from simulated frames: from pairs with
and without the failure, and from frames of all prints. How hard the line is held back (C) is chosen on real
pictures of the split ``train``, never on ``eval``; so is the row that counts. Beside them stands the same
probe learned from those real pictures, a floor to beat. Intervals are 95 %.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from bench.machine import data_dir
from bench.real_pictures import Crops, RealPictures
from bench.sim_embeddings import LAYERS, WEIGHTS, Embedder, Pictures
from bench.sim_line import Line, Values, fit_frames, fit_pairs
from bench.sim_pairs import simulated
from bench.sim_recordings import Sampling, write_section
from detector.training import auc
from detector.training.metrics import roc_auc

BOTH_LABELS = ("22yeets22", "mysticaldawn_fixedcam", "hiltes")
CHOSEN_ON = "mysticaldawn"  # the only source of the real split train with both labels
FALSE_ALARMS = "emptydeck"
STRENGTHS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""Candidates for C, the inverse of the L2 penalty, with all weights adding up to the number of rows."""
REAL_STRENGTH = 1e-2
DRAWS = 2000

Fit: TypeAlias = Callable[[str, float], Line]
"""A line for some maps (a name of LAYERS) and a C."""


class Auc(NamedTuple):
    """Area under the ROC curve with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Choice(NamedTuple):
    """A line that was chosen: its C, and what it reached on the real split ``train``."""

    line: Line
    strength: float
    reached: float


class Yardstick(NamedTuple):
    """Real pictures of the split ``train``, on which settings are chosen."""

    pictures: Pictures  # of CHOSEN_ON
    crops: Crops

    def reached(self, line: Line) -> float:
        """Plain mean of the AUC and of each source's share of crops that score above their neighbours."""
        whole = roc_auc(line.scores(self.pictures.embeddings), self.pictures.failing)
        return float(np.mean([whole, *(won.mean() for won in self._won(line))]))

    def error(self, line: Line) -> float:
        """The standard error of ``reached``."""
        drawn = draws_of_auc(line.scores(self.pictures.embeddings), apart(self.pictures))
        variances = [drawn.var(), *(won.var() / len(won) for won in self._won(line))]
        return float(np.sqrt(np.sum(variances)) / len(variances))

    def _won(self, line: Line) -> list[Values]:
        won = (line.scores(self.crops.failing) > line.scores(self.crops.sound)).astype(np.float64)
        return [won[self.crops.sources == source] for source in np.unique(self.crops.sources)]


def draws_of_auc(scores: Values, seen: Pictures, seed: int = 1) -> Values:
    """The AUC of DRAWS sets of prints, drawn with repetition; sets that lack a label are drawn again."""
    return auc.draws_of_auc(scores, seen.failing, seen.prints, seed=seed, repetitions=DRAWS)


def apart(pictures: Pictures) -> Pictures:
    """The same pictures, each of them as if of a print of its own."""
    return pictures._replace(prints=np.arange(len(pictures.prints)).astype(np.str_))


def chosen(fit: Fit, layers: str, yardstick: Yardstick) -> Choice:
    """Of the lines for some maps the one that is held back hardest and within a standard error of the best.

    (The one-standard-error rule: Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 7.10.)
    """
    lines = [fit(layers, strength) for strength in STRENGTHS]
    reached = [yardstick.reached(line) for line in lines]
    best = int(np.argmax(reached))
    enough = reached[best] - yardstick.error(lines[best])
    at = next(number for number, value in enumerate(reached) if value >= enough)
    return Choice(lines[at], STRENGTHS[at], reached[at])


def judged(line: Line, held: Pictures) -> dict[str, Auc | float]:
    """AUC of each both-label source and their plain mean; the share of false alarms on emptydeck.

    ``mean_by_picture`` draws pictures instead of prints: narrower, as pictures of a print are nearly one.
    """
    parts = [held.where(held.sources == source) for source in BOTH_LABELS]
    scores = [line.scores(part.embeddings) for part in parts]
    values = [roc_auc(one, part.failing) for one, part in zip(scores, parts, strict=True)]
    by_print = [draws_of_auc(one, part) for one, part in zip(scores, parts, strict=True)]
    by_picture = [draws_of_auc(one, apart(part)) for one, part in zip(scores, parts, strict=True)]
    quiet = line.scores(held.where(held.sources == FALSE_ALARMS).embeddings)
    return {
        **dict(zip(BOTH_LABELS, map(_with_interval, values, by_print), strict=True)),
        "mean": _with_interval(float(np.mean(values)), np.mean(by_print, axis=0)),
        "mean_by_picture": _with_interval(float(np.mean(values)), np.mean(by_picture, axis=0)),
        "emptydeck_called_failing": float((quiet > 0).mean()),
    }


def rows(ways: dict[str, Fit], real: RealPictures) -> Iterator[tuple[str, dict[str, object]]]:
    """The table: each way and each kind of map; then real pictures in the place of simulated ones."""
    train, held = real.of("train"), real.of("eval")
    yardstick = Yardstick(train.where(train.sources == CHOSEN_ON), real.crops("train"))
    for way, fit in ways.items():
        for layers in LAYERS:
            choice = chosen(fit, layers, yardstick)
            told: dict[str, object] = {"C": choice.strength, "reached_on_real_train": choice.reached}
            yield f"{way}, {layers}", told | judged(choice.line, held)
    for layers in LAYERS:
        line = fit_frames(apart(train), layers, REAL_STRENGTH)
        yield f"real train, {layers}", {"C": REAL_STRENGTH, **judged(line, held)}


def show(title: str, row: dict[str, object]) -> None:
    """One row of the table."""
    reached = f", {row['reached_on_real_train']:.3f} on real train" if "reached_on_real_train" in row else ""
    print(f"{title} (C {row['C']:g}{reached})")
    for name in (*BOTH_LABELS, "mean", "mean_by_picture"):
        print(f"    {name:24s} {row[name]}")
    print(f"    {'emptydeck called failing':24s} {row['emptydeck_called_failing']:.0%}", flush=True)


def main() -> None:
    asked = _parser().parse_args()
    embedder = Embedder(asked.data / WEIGHTS)
    frames, pairs, version = simulated(asked.folder, embedder, Sampling(each=asked.each, growth_s=120.0))
    counts = {"prints": len(np.unique(frames.prints)), "frames": len(frames.prints)}
    counts |= {"pairs_of_windows": len(pairs.prints), "prints_with_pairs": len(np.unique(pairs.prints))}
    print(f"simulator {version}: {counts}")
    ways: dict[str, Fit] = {
        "simulated pairs": lambda layers, strength: fit_pairs(pairs, layers, strength),
        "simulated frames": lambda layers, strength: fit_frames(frames, layers, strength),
    }
    table = {}
    for title, row in rows(ways, RealPictures(asked.data, embedder, asked.cache)):
        table[title] = {name: one._asdict() if isinstance(one, Auc) else one for name, one in row.items()}
        show(title, row)
    if not asked.dry:
        how = {"simulator": version, **counts, "auc": table}
        write_section("probe", "python -m bench.sim_probe " + " ".join(sys.argv[1:]), how)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="recordings made with --pairs")
    parser.add_argument("--data", type=Path, default=data_dir(), help="real pictures and weights")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "nozzlewatch-probe")
    parser.add_argument("--each", type=int, default=8, help="frames of a print and label, at most")
    parser.add_argument("--dry", action="store_true", help="write no figures")
    return parser


def _with_interval(value: float, drawn: Values) -> Auc:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Auc(value, float(low), float(high))


if __name__ == "__main__":
    main()
