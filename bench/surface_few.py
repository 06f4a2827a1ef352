"""Few-shot rows of the surface table: two classes of NEU held out, then learned from 20 each.

``python -m bench.surface_few SEED`` writes ``out/surface/few-SEED.json``. Which two is
given by the seed: five seeds hold each class out once or twice.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import msgspec
import numpy as np
import torch

from bench.surface_trials import (
    KINDS,
    MSA,
    PLACE,
    TEST,
    TRAIN,
    VALIDATION,
    neu,
    recipe_of,
    usual_trunk,
    write_row,
)
from detector.surface.dataset import Indices, Split, Surfaces, reduced, split
from detector.surface.finetune import with_classes
from detector.surface.judging import Judge
from detector.surface.model_file import About, SurfaceModel
from detector.surface.networks import build
from detector.surface.remembering import with_memory
from detector.surface.train import Lesson, learn
from detector.training.recipe import Options

FEW = 20
"""Pictures of each held-out class."""


class FewRow(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracies on the test part: of the first classes before and after, of the new ones, and over all.

    ``seconds`` is what learning the new classes took, on one core. ``new_rejected``: share of the new
    classes' test pictures that the first model calls none of its classes.
    """

    seed: int
    held_out: tuple[str, ...]
    pictures: int
    old_before: float
    old_after: float
    new: float
    whole: float
    new_rejected: float
    seconds: float


def few_row(seed: int, dataset: Surfaces) -> FewRow:
    """Train on four classes, then learn the other two."""
    held = [seed % 6, (seed + 1) % 6]
    parts = split(dataset, TRAIN, VALIDATION, TEST, seed)
    first = without(dataset, held)
    own = Split(*(part[first.labels[part] >= 0] for part in parts))
    network = build(MSA, len(first.classes), usual_trunk(MSA), seed)
    learn(network, Lesson(first, own), Options(recipe=recipe_of(KINDS["msa-200"], seed), quiet=True), PLACE)
    about = About(model_type=MSA, classes=first.classes)
    model = with_memory(SurfaceModel(network, about), first, own)
    new = parts.train[np.isin(dataset.labels[parts.train], held)]
    began_s = time.monotonic()
    taught = with_classes(model, *only(dataset, new, held, seed), seed)
    seconds = time.monotonic() - began_s
    return _row(seed, held, dataset, parts.test, model, taught, seconds)


def only(dataset: Surfaces, new: Indices, held: list[int], seed: int) -> tuple[Surfaces, Indices]:
    """The held-out classes alone, and FEW training pictures of each."""
    labels = np.full(len(dataset), -1)
    for number, label in enumerate(held):
        labels[dataset.labels == label] = number
    alone = replace(dataset, classes=tuple(dataset.classes[label] for label in held), labels=labels)
    return alone, reduced(alone, new, FEW, seed)


def without(dataset: Surfaces, held: list[int]) -> Surfaces:
    """The dataset with other classes alone: pictures of the held-out ones have the label -1."""
    kept = [label for label in range(len(dataset.classes)) if label not in held]
    number = np.full(len(dataset.classes), -1)
    number[kept] = np.arange(len(kept))
    return replace(
        dataset, classes=tuple(dataset.classes[label] for label in kept), labels=number[dataset.labels]
    )


def _row(
    seed: int,
    held: list[int],
    dataset: Surfaces,
    test: Indices,
    model: SurfaceModel,
    taught: SurfaceModel,
    seconds: float,
) -> FewRow:
    truth = np.array(dataset.classes)[dataset.labels[test]]
    old = ~np.isin(dataset.labels[test], held)
    before, after = (Judge(each).judge(dataset, test) for each in (model, taught))
    assert model.memory is not None
    unlike = model.memory.unlikeness(before.embeddings) >= 1
    first = np.array(model.about.classes)[before.shares.argmax(1)] == truth
    then = np.array(taught.about.classes)[after.shares.argmax(1)] == truth
    return FewRow(
        seed=seed,
        held_out=tuple(dataset.classes[label] for label in held),
        pictures=len(test),
        old_before=float(first[old].mean()),
        old_after=float(then[old].mean()),
        new=float(then[~old].mean()),
        whole=float(then.mean()),
        new_rejected=float(unlike[~old].mean()),
        seconds=seconds,
    )


def main() -> None:
    """Make the row of the seed that the command line names."""
    torch.set_num_threads(1)
    write_row(few_row(seed := int(sys.argv[1]), neu()), "few", seed)


if __name__ == "__main__":
    main()
