"""A row of the surface table: train a network on so many pictures of each class of NEU, then judge it.

``python -m bench.surface_trials KIND SEED`` writes ``out/surface/KIND-SEED.json``, the network beside it.
What is chosen is chosen on the validation part; the test part is judged once, at the end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import torch

from bench.machine import ROOT, data_dir
from detector.files import replacing
from detector.model.engine import Floats
from detector.surface.dataset import Indices, Noise, Surfaces, load, reduced, split
from detector.surface.evaluate import unlike_share
from detector.surface.judging import Judge
from detector.surface.learner import AS_THEY_ARE, Changes
from detector.surface.model_file import About, SurfaceModel, save_model
from detector.surface.networks import build, parameters, takes_trunk
from detector.surface.remembering import with_memory
from detector.surface.train import TRUNK_RATE, Lesson, improved, learn, published, trunk_of
from detector.training.distributed import Place
from detector.training.recipe import Options, Recipe

OUT = ROOT / "out" / "surface"
TRAIN, VALIDATION, TEST = 200, 40, 60
"""Pictures of each class."""
NOISE_DB = (40.0, 30.0, 20.0, 15.0, 10.0)
NOISE_SEED = 20_000
"""Added to the trial's seed: noise of the judged pictures, which no training draws."""
PLACE = Place(0, 1, torch.device("cpu"))
TINY = 1e-9
"""A probability of 0 counts as this in the cross-entropy."""
MIRRORS = ((), (2,), (1,), (1, 2))
"""Axes of pictures [n, rows, columns, 3] along which they are mirrored: not, across, down, both."""


class Kind(NamedTuple):
    """What is trained: the network, by whose way, for how many epochs, on so many pictures of each class."""

    model_type: str
    per_class: int = TRAIN
    way: Literal["improved", "published"] = "improved"
    epochs: int = 8
    rate: float = 3e-3
    trunk_rate: float = TRUNK_RATE
    changes: Changes = Changes()


MSA, PLAIN, MODERN = "MSA_Addition_Pool35", "SqueezeNet", "ShuffleNetV2"
PUBLISHED = "published"
KINDS: Mapping[str, Kind] = {
    "msa-200": Kind(MSA),
    "msa-100": Kind(MSA, 100),
    "msa-50": Kind(MSA, 50),
    "msa-10": Kind(MSA, 10),
    "plain-200": Kind(PLAIN),
    "plain-100": Kind(PLAIN, 100),
    "plain-50": Kind(PLAIN, 50),
    "plain-10": Kind(PLAIN, 10),
    "modern-200": Kind(MODERN, rate=2e-3, trunk_rate=1.0),
    "published-200": Kind(MSA, way="published", epochs=25, rate=1e-3, trunk_rate=1.0, changes=AS_THEY_ARE),
}


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracies on one part: of pictures as they are, with noise in dB, and of the mean over the first so
    many of their MIRRORS, each with its cross-entropy; and the share that is called none of the classes."""

    accuracy: float
    loss: float
    noise: dict[str, float]
    noise_loss: dict[str, float]
    mirrored: dict[str, float]
    mirrored_loss: dict[str, float]
    none_of_these: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one trial. ``gamma`` is the attention's weight after training, and
    ``without_attention`` the test accuracy with it set to 0; None without attention."""

    kind: str
    seed: int
    parameters: int
    pictures: int  # of the test part
    validation: Figures
    test: Figures
    gamma: float | None
    without_attention: float | None
    best_epoch: int
    epochs: int
    seconds: float


def trial(name: str, seed: int, dataset: Surfaces) -> tuple[Row, SurfaceModel]:
    """Train and judge."""
    began_s, kind = time.monotonic(), KINDS[name]
    parts = split(dataset, TRAIN, VALIDATION, TEST, seed)
    if kind.per_class < TRAIN:
        parts = parts._replace(train=reduced(dataset, parts.train, kind.per_class, seed))
    network = build(kind.model_type, len(dataset.classes), usual_trunk(kind.model_type), seed)
    lesson = Lesson(
        dataset, parts, changes=kind.changes, repeated=kind.way == "improved", trunk_rate=kind.trunk_rate
    )
    fitted = learn(network, lesson, Options(recipe=recipe_of(kind, seed), quiet=True), PLACE)
    assert fitted.best is not None
    about = About(model_type=kind.model_type, classes=dataset.classes, figures=fitted.best.metrics)
    model = with_memory(SurfaceModel(network, about), dataset, parts)
    judge = Judge(model)
    gamma, without = without_attention(model, dataset, parts.test)
    row = Row(
        kind=name,
        seed=seed,
        parameters=parameters(network),
        pictures=len(parts.test),
        validation=figures(judge, model, dataset, parts.validation, seed),
        test=figures(judge, model, dataset, parts.test, seed),
        gamma=gamma,
        without_attention=without,
        best_epoch=fitted.best.number,
        epochs=len(fitted.history),
        seconds=time.monotonic() - began_s,
    )
    return row, model


def recipe_of(kind: Kind, seed: int) -> Recipe:
    """The authors train until ten epochs in a row were no better."""
    if kind.way == "published":
        return published(kind.epochs, kind.rate, seed, patience=10)
    return improved(kind.epochs, kind.rate, seed)


def usual_trunk(model_type: str) -> Mapping[str, torch.Tensor] | None:
    """ImageNet's weights for networks that take them."""
    file = data_dir() / "weights" / "squeezenet1_1_features.safetensors"
    return trunk_of(file) if takes_trunk(model_type) else None


def figures(judge: Judge, model: SurfaceModel, dataset: Surfaces, part: Indices, seed: int) -> Figures:
    """How good the model is on one part."""
    judged = judge.judge(dataset, part)
    noise = {
        f"{db:g}": judge.judge(dataset, part, noise=Noise(db, NOISE_SEED + seed)).shares for db in NOISE_DB
    }
    mirrored = {str(count): shares for count, shares in enumerate(over_mirrors(judge, dataset, part), 1)}
    labels = dataset.labels[part]
    return Figures(
        accuracy=right(labels, judged.shares),
        loss=loss(labels, judged.shares),
        noise={db: right(labels, shares) for db, shares in noise.items()},
        noise_loss={db: loss(labels, shares) for db, shares in noise.items()},
        mirrored={count: right(labels, shares) for count, shares in mirrored.items()},
        mirrored_loss={count: loss(labels, shares) for count, shares in mirrored.items()},
        none_of_these=unlike_share(model, judged.embeddings) or 0.0,
    )


def right(labels: Indices, shares: Floats) -> float:
    """The accuracy of the most probable classes: labels [n], probabilities [n, classes]."""
    return float((shares.argmax(1) == labels).mean())


def loss(labels: Indices, shares: Floats) -> float:
    """The cross-entropy of the same."""
    return float(-np.log(np.maximum(shares[np.arange(len(labels)), labels], TINY)).mean())


def over_mirrors(judge: Judge, dataset: Surfaces, part: Indices) -> Iterator[Floats]:
    """Probabilities averaged over the first, the first two, ... of the MIRRORS."""
    total = np.zeros((len(part), len(dataset.classes)), np.float32)
    for count, axes in enumerate(MIRRORS, 1):
        laid = np.ascontiguousarray(np.flip(dataset.pictures[part], axes))
        seen = Surfaces(dataset.classes, (), laid, dataset.labels[part], dataset.groups[part])
        total += judge.judge(seen, np.arange(len(part))).shares
        yield np.asarray(total / count, np.float32)


def without_attention(
    model: SurfaceModel, dataset: Surfaces, part: Indices
) -> tuple[float | None, float | None]:
    """Gamma, and the accuracy of the same network with it set to 0."""
    state = model.network.state_dict()
    names = [name for name in state if name.endswith("attention.gamma")]
    if not names:
        return None, None
    kept = state[names[0]].clone()
    state[names[0]].zero_()
    try:
        shares = Judge(model).judge(dataset, part).shares
    finally:
        state[names[0]].copy_(kept)
    return float(kept), right(dataset.labels[part], shares)


def path_of(kind: str, seed: int, suffix: str = "json") -> Path:
    """Where a row, or its network, lies."""
    return OUT / f"{kind}-{seed}.{suffix}"


def write_row(row: msgspec.Struct, kind: str, seed: int) -> None:
    """Keep a row, whole or not at all, and tell it."""
    with replacing(path_of(kind, seed)) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(row)))
    print(row, flush=True)


def neu() -> Surfaces:
    """The dataset."""
    return load(data_dir() / "neu")


def main() -> None:
    """Make the row that the command line names."""
    name, seed = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    row, model = trial(name, seed, neu())
    save_model(path_of(name, seed, "safetensors"), model)
    write_row(row, name, seed)


if __name__ == "__main__":
    main()
