"""How good a printability network is on parts that it never saw: figures with intervals, and its failures."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from detector.model.hardware import choose_device
from detector.printability.batches import Batches
from detector.printability.dataset import Indices, Parts, load, split
from detector.printability.defects import Defect
from detector.printability.grids import HoleSet
from detector.printability.learner import LAYOUT, voxel_batch
from detector.printability.model_file import PrintabilityModel, load_model
from detector.printability.networks import placed
from detector.printability.pictures import views
from detector.training.auc import auc_interval, draws_of_auc
from detector.training.distributed import Place
from detector.training.intervals import Interval, bootstrap
from detector.training.metrics import roc_auc
from features.stills import write_png

Values: TypeAlias = npt.NDArray[np.float64]
Marks: TypeAlias = npt.NDArray[np.bool_]
Judged = Literal["test", "validation", "all"]

THRESHOLD = 0.5
"""From this probability on a part is called printable."""
ROC_POINTS = 100


class Figure(msgspec.Struct, frozen=True):
    """A figure with the 95 % interval of drawing other parts; a share of nothing is 0."""

    value: float
    ci: tuple[float, float]


class DefectFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of sample: how many, how many of them are called printable, and the share of right calls."""

    samples: int
    parts: int
    called_printable: int
    accuracy: Figure


class RocPoint(msgspec.Struct, frozen=True):
    """Shares of the unprintable and of the printable samples at or above a probability."""

    threshold: float
    false_positives: float
    true_positives: float


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A sample that was called wrongly; ``picture`` is its file's name, None where none was drawn."""

    file: str
    defect: Defect
    variant: int
    printable: float  # probability
    picture: str | None = None


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one network on one part of a folder; a positive is a printable sample.

    ``confusion`` has a row per truth, [[unprintable called so, called printable], [printable called
    unprintable, called so]]. ``failures`` begin with the surest. ``ms_per_sample`` is the network's alone.
    """

    model_path: str
    folder: str
    network: str
    size: int
    holes: HoleSet
    split: str
    part: str
    samples: int
    parts: int
    families: tuple[str, ...]
    accuracy: Figure
    precision: Figure
    recall: Figure
    f1: Figure
    auc: Figure
    confusion: list[list[int]]
    defects: dict[Defect, DefectFigures]
    roc: list[RocPoint]
    failures: list[Failure]
    ms_per_sample: float


def evaluate(
    model_path: Path,
    folder: Path,
    *,
    part: Judged = "test",
    batch_size: int = 16,
    mixed_precision: bool = False,
    pictures: Path | None = None,
    most_pictures: int = 60,
    seed: int = 0,
) -> Evaluated:
    """Judge the samples that were held out when the network was trained, or all of another folder.

    ``pictures`` is a folder for pictures of the surest failures; ``mixed_precision`` as in a ``Recipe``.
    Raises UsageError, SourceError.
    """
    model = load_model(model_path)
    about = model.about
    parts = load(folder, about.holes, balanced=about.balanced)
    chosen = chosen_of(parts, model, part)
    probabilities, ms = judge(model, parts, chosen, batch_size, mixed_precision=mixed_precision)
    labels, groups = parts.labels[chosen], parts.groups[chosen]
    return Evaluated(
        model_path=str(model_path), folder=str(folder), network=about.network, size=about.size,
        holes=about.holes, split=about.split, part=part, samples=len(chosen), parts=len(set(groups.tolist())),
        families=tuple(sorted({parts.parts[group].facts.family for group in groups})),
        **_figures(probabilities, labels, groups, seed),
        confusion=_confusion(labels, probabilities >= THRESHOLD),
        defects=_by_defect(parts, chosen, probabilities, seed),
        roc=roc(probabilities, labels),
        failures=_failures(parts, chosen, probabilities, about.size, pictures, most_pictures),
        ms_per_sample=ms,
    )  # fmt: skip


def chosen_of(parts: Parts, model: PrintabilityModel, part: Judged) -> Indices:
    """The samples of a part of the split that the network was trained with. Raises UsageError."""
    if part == "all":
        return np.arange(len(parts))
    found = split(parts, model.about.split, model.about.seed)
    return found.test if part == "test" else found.validation


@torch.inference_mode()
def judge(
    model: PrintabilityModel,
    parts: Parts,
    chosen: Indices,
    batch_size: int,
    threads: int = 2,
    *,
    mixed_precision: bool = False,
) -> tuple[Values, float]:
    """The probability that each sample is printable, float64 [n], and ms a sample in the network."""
    device = choose_device("auto")
    place, network = Place(0, 1, device), placed(model.network, device)
    batches = Batches(
        chosen, batch_size, lambda index: parts.occupied(index, model.about.size),
        partial(voxel_batch, parts), threads,
    )  # fmt: skip
    found, took = [np.zeros(0)], 0.0
    for batch in batches:
        began = time.perf_counter()
        with place.autocast() if mixed_precision else nullcontext():
            logits = network(batch.voxels.to(device, memory_format=LAYOUT).float())
        found.append(torch.sigmoid(logits.double()).cpu().numpy())
        took += time.perf_counter() - began
    network.to("cpu")
    return np.concatenate(found), 1000 * took / max(len(chosen), 1)


def roc(probabilities: Values, labels: Marks, points: int = ROC_POINTS) -> list[RocPoint]:
    """The ROC curve, from (0, 0) to (1, 1), thinned to about so many points."""
    thresholds = np.unique(probabilities)[::-1]
    thresholds = thresholds[np.unique(np.linspace(0, len(thresholds) - 1, points).astype(int))]
    curve = [
        RocPoint(float(at), _share(probabilities[~labels] >= at), _share(probabilities[labels] >= at))
        for at in thresholds
    ]
    return [RocPoint(1.0, 0.0, 0.0), *curve]  # no network is surer than 1, and the last one takes them all


def _figures(probabilities: Values, labels: Marks, groups: Indices, seed: int) -> dict[str, Figure]:
    called = probabilities >= THRESHOLD
    of: dict[str, Callable[[Indices], float]] = {
        "accuracy": lambda some: _share(called[some] == labels[some]),
        "precision": lambda some: _share(labels[some][called[some]]),
        "recall": lambda some: _share(called[some][labels[some]]),
        "f1": lambda some: _f1(called[some], labels[some]),
    }
    found = {name: _told(bootstrap(statistic, groups, seed=seed)) for name, statistic in of.items()}
    draws = draws_of_auc(probabilities, labels, groups, seed=seed)
    return found | {"auc": _told(auc_interval(roc_auc(probabilities, labels), draws))}


def _by_defect(
    parts: Parts, chosen: Indices, probabilities: Values, seed: int
) -> dict[Defect, DefectFigures]:
    kinds = np.array([parts.samples[index].defect for index in chosen])
    found = {}
    for defect in Defect:
        own = np.flatnonzero(kinds == defect)
        if len(own):
            groups, called = parts.groups[chosen[own]], probabilities[own] >= THRESHOLD
            found[defect] = DefectFigures(
                samples=len(own), parts=len(set(groups.tolist())), called_printable=int(called.sum()),
                accuracy=_accuracy(called == defect.printable, groups, seed),
            )  # fmt: skip
    return found


def _accuracy(right: Marks, groups: Indices, seed: int) -> Figure:
    return _told(bootstrap(lambda some: _share(right[some]), groups, seed=seed))


def _confusion(labels: Marks, called: Marks) -> list[list[int]]:
    return [[int(((labels == truth) & (called == call)).sum()) for call in (False, True)]
            for truth in (False, True)]  # fmt: skip


def _failures(
    parts: Parts, chosen: Indices, probabilities: Values, size: int, pictures: Path | None, most: int
) -> list[Failure]:
    """The samples that were called wrongly, the surest first; the first ones are drawn."""
    wrong = np.flatnonzero((probabilities >= THRESHOLD) != parts.labels[chosen])
    surest = wrong[np.argsort(-np.abs(probabilities[wrong] - THRESHOLD), kind="stable")]
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
    found = []
    for number, at in enumerate(surest):
        index = int(chosen[at])
        drawn = _draw(parts, index, size, pictures, number) if pictures and number < most else None
        made = parts.samples[index]
        found.append(
            Failure(
                file=parts.file(index),
                defect=made.defect,
                variant=made.variant,
                printable=float(probabilities[at]),
                picture=drawn,
            )
        )
    return found


def _draw(parts: Parts, index: int, size: int, folder: Path, number: int) -> str:
    """Draw a sample; the name of its file in the folder."""
    drilled, before = parts.occupied(index, size), parts.untouched(index, size)
    name = f"{number:04d}-{Path(parts.file(index)).stem}-{parts.samples[index].defect}.png"
    write_png(folder / name, views(drilled, before & ~drilled))
    return name


def _f1(called: Marks, labels: Marks) -> float:
    either = int(called.sum() + labels.sum())
    return 2 * int((called & labels).sum()) / either if either else 0.0


def _share(marks: Marks) -> float:
    return float(marks.mean()) if len(marks) else 0.0


def _told(interval: Interval) -> Figure:
    return Figure(interval.value, (interval.low, interval.high))
