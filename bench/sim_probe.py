"""Whether simulated frames teach what real failures look like: a linear probe, learned from them alone.

    python -m bench.sim_probe SIMULATED_DIR [--data DIR] [--from-folder] [--dry] [options]

Logistic regression on SqueezeNet 1.1 embeddings of simulated frames, judged on the real both-label sources of
the manifest's split ``eval``. How hard it is held back (C) is chosen twice: on other simulated prints, and on
mysticaldawn of the real split ``train``; never on ``eval``. Beside it stands the same probe learned from real
pictures, a floor to beat. Intervals are 95 %, by bootstrap over prints.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from bench.machine import data_dir
from bench.sim_embeddings import WEIGHTS, Augment, Bools, Embedder, Pictures, Texts, real, simulated, stills
from bench.sim_recordings import Sampling, write_section
from ingest.simulate.faults import SEEN_ONLY

Values = npt.NDArray[np.float64]

BOTH_LABELS = ("22yeets22", "mysticaldawn_fixedcam", "hiltes")
CHOSEN_ON = "mysticaldawn"  # the only source of the real split train with both labels
FALSE_ALARMS = "emptydeck"
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Candidates for C, the inverse of the L2 penalty, with all weights adding up to the number of rows."""
FOLDS = 5
DRAWS = 2000
AVERAGED = 512  # columns of an embedding that are averages; the maxima follow


class Probe(NamedTuple):
    """A fitted line: score = (embedding - mean) / scale @ slope + bias; failing above 0."""

    mean: Values
    scale: Values
    slope: Values
    bias: float

    def scores(self, embeddings: npt.NDArray[np.float32]) -> Values:
        """float64 [n] for embeddings [n, columns]; columns beyond the probe's own are not looked at."""
        known = embeddings[:, : len(self.slope)]
        return np.asarray((known - self.mean) / self.scale @ self.slope + self.bias, np.float64)


class How(NamedTuple):
    """How a probe is fitted."""

    maxima: bool = False  # looks at the maxima beside the averages
    within: bool = False  # compares the frames of each print with each other only


class Auc(NamedTuple):
    """Area under the ROC curve with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def fit(seen: Pictures, strength: float, how: How) -> Probe:
    """Logistic regression; both labels count alike, and within a label each print does."""
    plain = seen.embeddings[:, : None if how.maxima else AVERAGED].astype(np.float64)
    rows = _within_prints(plain, seen.prints) if how.within else plain
    mean, scale = (np.zeros(plain.shape[1]) if how.within else rows.mean(0)), rows.std(0) + 1e-6
    slope, bias = _logistic((rows - mean) / scale, seen.failing, balanced(seen), strength)
    probe = Probe(mean, scale, slope, bias)
    return probe._replace(bias=bias - _middle(probe, seen)) if how.within else probe


def balanced(seen: Pictures) -> Values:
    """A weight for each picture: labels weigh the same, prints of a label do, and all add up to n."""
    weights = np.zeros(len(seen.failing))
    for failing in (False, True):
        for name in np.unique(seen.prints[seen.failing == failing]):
            same = (seen.prints == name) & (seen.failing == failing)
            weights[same] = 1 / same.sum()
        weights[seen.failing == failing] /= max(weights[seen.failing == failing].sum(), 1e-9)
    return np.asarray(weights / weights.sum() * len(weights), np.float64)


def auc(scores: Values, failing: Bools) -> float:
    """Share of pairs of a failing and a normal picture in which the failing one scores higher."""
    return float(_pairs(scores[failing], scores[~failing]).mean())


def draws_of_auc(scores: Values, seen: Pictures, seed: int = 1) -> Values:
    """The AUC of DRAWS sets of prints, drawn with repetition; sets that lack a label are drawn again."""
    names, number = np.unique(seen.prints, return_inverse=True)
    random = np.random.default_rng(seed)
    own = np.eye(len(names))[number]
    failing, normal = own[seen.failing], own[~seen.failing]
    won = failing.T @ _pairs(scores[seen.failing], scores[~seen.failing]) @ normal  # [prints, prints]
    found: list[float] = []
    while len(found) < DRAWS:
        times = random.multinomial(len(names), np.full(len(names), 1 / len(names))).astype(np.float64)
        pairs = (times @ failing.sum(0)) * (times @ normal.sum(0))
        if pairs:
            found.append(float(times @ won @ times / pairs))
    return np.array(found)


def judged(probe: Probe, pictures: Pictures, splits: Texts) -> dict[str, object]:
    """AUC of each both-label source and their plain mean; the share of false alarms on emptydeck.

    ``mean_by_picture`` draws pictures instead of prints: narrower, as pictures of a print are nearly one.
    """
    held = pictures.where(splits == "eval")
    parts = [held.where(held.sources == source) for source in BOTH_LABELS]
    scores = [probe.scores(part.embeddings) for part in parts]
    values = [auc(one, part.failing) for one, part in zip(scores, parts, strict=True)]
    by_print = [draws_of_auc(one, part) for one, part in zip(scores, parts, strict=True)]
    by_picture = [draws_of_auc(one, apart(part)) for one, part in zip(scores, parts, strict=True)]
    quiet = probe.scores(held.where(held.sources == FALSE_ALARMS).embeddings)
    return {
        **dict(zip(BOTH_LABELS, map(_with_interval, values, by_print), strict=True)),
        "mean": _with_interval(float(np.mean(values)), np.mean(by_print, axis=0)),
        "mean_by_picture": _with_interval(float(np.mean(values)), np.mean(by_picture, axis=0)),
        "emptydeck_called_failing": float((quiet > 0).mean()),
    }


def apart(pictures: Pictures) -> Pictures:
    """The same pictures, each of them as if of a print of its own."""
    return pictures._replace(prints=np.arange(len(pictures.prints)).astype(np.str_))


def chosen_on_real(seen: Pictures, pictures: Pictures, splits: Texts, how: How) -> tuple[float, float]:
    """The best C, and its AUC, on the real pictures of CHOSEN_ON in the split ``train``."""
    other = pictures.where((splits == "train") & (pictures.sources == CHOSEN_ON))
    return _best(lambda strength: auc(fit(seen, strength, how).scores(other.embeddings), other.failing))


def chosen_on_prints(seen: Pictures, how: How) -> tuple[float, float]:
    """The best C, and its AUC, on prints that were left out of the fit, a fifth at a time."""
    names = np.unique(seen.prints)
    fold = np.random.default_rng(1).permutation(len(names)) % FOLDS
    part = fold[np.searchsorted(names, seen.prints)]

    def left_out(strength: float) -> float:
        scores = np.zeros(len(part))
        for number in range(FOLDS):
            probe = fit(seen.where(part != number), strength, how)
            scores[part == number] = probe.scores(seen.embeddings[part == number])
        return auc(scores, seen.failing)

    return _best(left_out)


def rows(
    seen: Pictures, pictures: Pictures, splits: Texts, how: How
) -> Iterator[tuple[str, dict[str, object]]]:
    """The table: simulated frames with C chosen in two ways, then real pictures."""
    for title, (strength, reached) in (
        ("simulated, C from simulated prints", chosen_on_prints(seen, how)),
        ("simulated, C from real train", chosen_on_real(seen, pictures, splits, how)),
    ):
        probe = fit(seen, strength, how)
        yield title, {"C": strength, "auc_where_chosen": reached, **judged(probe, pictures, splits)}
    train = pictures.where(splits == "train")
    for title, taken in (
        ("real train", train),
        ("real train, mysticaldawn", train.where(train.sources == CHOSEN_ON)),
    ):
        yield title, {"C": 1e-2, **judged(fit(apart(taken), 1e-2, How(maxima=True)), pictures, splits)}


def show(title: str, row: dict[str, object]) -> None:
    """One row of the table."""
    reached = f", AUC {row['auc_where_chosen']:.3f} where it was chosen" if "auc_where_chosen" in row else ""
    print(f"{title} (C {row['C']:g}{reached})")
    for name in (*BOTH_LABELS, "mean", "mean_by_picture"):
        print(f"    {name:24s} {row[name]}")
    print(f"    {'emptydeck called failing':24s} {row['emptydeck_called_failing']:.0%}", flush=True)


def main() -> None:
    asked = _parser().parse_args()
    embedder = Embedder(asked.data / WEIGHTS)
    pictures, splits = real(asked.data, embedder, asked.cache)
    augment = Augment(asked.views, asked.crop, asked.flip, asked.jitter, asked.quality, asked.grey)
    kinds = frozenset(asked.kinds.split(",")) if asked.kinds else SEEN_ONLY
    sampling = Sampling(asked.each, asked.growth_s, asked.grown, asked.skip_s, kinds)
    if asked.from_folder:
        seen, version = stills(asked.folder, embedder, augment), ""
    else:
        seen, version = simulated(asked.folder, embedder, sampling, augment)
    prints = len(np.unique(seen.prints))
    print(f"{len(seen.failing)} pictures of {prints} prints, {seen.failing.mean():.0%} failing")
    table = {}
    for title, row in rows(seen, pictures, splits, How(asked.maxima, asked.within)):
        table[title] = {name: one._asdict() if isinstance(one, Auc) else one for name, one in row.items()}
        show(title, row)
    if not asked.dry:
        how = {"simulator": version, "prints": prints, "pictures": len(seen.failing), "auc": table}
        write_section("probe", "python -m bench.sim_probe " + " ".join(sys.argv[1:]), how)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="recordings, or with --from-folder normal/ and failing/")
    parser.add_argument("--data", type=Path, default=data_dir())
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "nozzlewatch-probe")
    parser.add_argument("--from-folder", action="store_true", help="plain pictures instead of recordings")
    parser.add_argument("--dry", action="store_true", help="write no figures")
    parser.add_argument("--maxima", action="store_true", help="maxima beside the averages")
    parser.add_argument("--within", action="store_true", help="compare frames within prints only")
    parser.add_argument("--each", type=int, default=4, help="normal and failing frames of a print")
    parser.add_argument("--growth-s", type=float, default=30.0, help="visible so long after the onset")
    parser.add_argument("--grown", type=float, default=0.5, help="… and from this share of its growth on")
    parser.add_argument("--skip-s", type=float, default=120.0, help="left out of every print's beginning")
    parser.add_argument("--kinds", default="", help="failures that count as such; default: all visible ones")
    parser.add_argument("--views", type=int, default=1, help="of each frame; the options below vary them")
    parser.add_argument("--crop", type=float, default=1.0, help="least share of the side that is cut out")
    parser.add_argument("--flip", action="store_true")
    parser.add_argument("--jitter", type=float, default=0.0)
    parser.add_argument("--quality", type=int, default=0, help="least JPEG quality")
    parser.add_argument("--grey", type=float, default=0.0, help="share of the views without colour")
    return parser


def _logistic(rows: Values, failing: Bools, weights: Values, strength: float) -> tuple[Values, float]:
    x, y, w = (torch.from_numpy(np.asarray(one, np.float64)) for one in (rows, failing, weights))
    line = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([line], max_iter=300, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        descent.zero_grad()
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(
            x @ line[:-1] + line[-1], y, w, reduction="sum"
        )
        total = wrong + (line[:-1] ** 2).sum() / (2 * strength)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    descent.step(loss)  # type: ignore[no-untyped-call]
    found = line.detach().numpy()
    return found[:-1], float(found[-1])


def _within_prints(embeddings: Values, prints: Texts) -> Values:
    """Each row minus the mean of its print: what differs between cameras and parts is gone."""
    _, number = np.unique(prints, return_inverse=True)
    sums = np.zeros((number.max() + 1, embeddings.shape[1]))
    np.add.at(sums, number, embeddings)
    return np.asarray(embeddings - (sums / np.bincount(number)[:, None])[number], np.float64)


def _middle(probe: Probe, seen: Pictures) -> float:
    scores = probe.scores(seen.embeddings)
    return float(scores[seen.failing].mean() + scores[~seen.failing].mean()) / 2


def _pairs(failing: Values, normal: Values) -> Values:
    """1 where the failing one scores higher, 1/2 where they tie: [failing, normal]."""
    return np.asarray((failing[:, None] > normal) + (failing[:, None] == normal) / 2, np.float64)


def _with_interval(value: float, drawn: Values) -> Auc:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Auc(value, float(low), float(high))


def _best(reached: Callable[[float], float]) -> tuple[float, float]:
    return max(((strength, reached(strength)) for strength in STRENGTHS), key=lambda pair: pair[1])


if __name__ == "__main__":
    main()
