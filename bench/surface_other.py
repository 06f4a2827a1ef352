"""The row of the surface table for data of another kind: drawn printed walls, and real print images.

``python -m bench.surface_other`` writes ``out/surface/other-0.json``. The textures have train
and test pictures of their own. Print images: normal against failing, learned from the one training source
with both labels, judged on the sources of ``eval`` with both: what a surface network makes of whole scenes.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import torch

from bench.machine import data_dir
from bench.surface_trials import KINDS, MSA, PLACE, recipe_of, usual_trunk, write_row
from detector.surface import textures
from detector.surface.dataset import Surfaces, load, split
from detector.surface.judging import Judge
from detector.surface.model_file import About, SurfaceModel
from detector.surface.networks import build
from detector.surface.train import Lesson, learn
from detector.training.metrics import roc_auc
from detector.training.recipe import Options

LEARNED, JUDGED = 60, 60
"""Drawn textures of each kind."""
TRAINED_ON = "mysticaldawn"
SOURCES = ("22yeets22", "mysticaldawn_fixedcam", "hiltes")


class OtherRow(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracy on drawn textures that were not learned from; AUC of failing against normal by real source."""

    textures: float
    textures_pictures: int
    prints_auc: dict[str, float]


def textures_accuracy(folder: Path) -> tuple[float, int]:
    """Learn LEARNED drawn textures of each kind, judge JUDGED others."""
    textures.write(folder / "train", LEARNED, seed=1)
    textures.write(folder / "test", JUDGED, seed=2)
    model, test = _learned(load(folder / "train")), load(folder / "test")
    guesses = Judge(model).judge(test, np.arange(len(test))).shares.argmax(1)
    return float((guesses == test.labels).mean()), len(test)


def prints_auc(folder: Path) -> dict[str, float]:
    """Learn the print images of one source, judge others."""
    for source in (TRAINED_ON, *SOURCES):
        _link(folder, source)
    model = _learned(load(folder / TRAINED_ON))
    judge = Judge(model)
    found = {}
    for source in SOURCES:
        seen = load(folder / source)
        shares = judge.judge(seen, np.arange(len(seen))).shares
        failing = seen.classes.index("failing")
        found[source] = roc_auc(shares[:, failing], seen.labels == failing)
    return found


def _learned(dataset: Surfaces) -> SurfaceModel:
    network = build(MSA, len(dataset.classes), usual_trunk(MSA), 0)
    parts = split(dataset, 0.8, 0.2, 0, 0)
    learn(network, Lesson(dataset, parts), Options(recipe=recipe_of(KINDS["msa-200"], 0), quiet=True), PLACE)
    return SurfaceModel(network, About(model_type=MSA, classes=dataset.classes))


def _link(folder: Path, source: str) -> None:
    """A class-per-folder dataset of one source, of links to its pictures."""
    images = data_dir() / "images"
    with (images / "manifest.csv").open(newline="") as file:
        for number, row in enumerate(row for row in csv.DictReader(file) if row["source"] == source):
            target = folder / source / row["label"] / f"{number:04}{Path(row['file']).suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to((images / row["file"]).resolve())


def main() -> None:
    """Make the row."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder:
        accuracy, count = textures_accuracy(Path(folder) / "textures")
        auc = prints_auc(Path(folder) / "prints")
    write_row(OtherRow(textures=accuracy, textures_pictures=count, prints_auc=auc), "other", 0)


if __name__ == "__main__":
    main()
