"""Trains the network that ships; ``python -m bench.surface_walls`` writes ``detector/weights/surface-walls``.

It learns from drawn walls alone (simulated data of the project's own), beginning with ImageNet's weights of
SqueezeNet 1.1 out of the data folder (MIT, notices in the card). Minutes on one core.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch

from bench.surface_trials import KINDS, MSA, PLACE, recipe_of, usual_trunk
from detector.surface import textures
from detector.surface.dataset import Noise, load, split
from detector.surface.evaluate import share, unlike_share
from detector.surface.judging import Judge
from detector.surface.model_file import About, SurfaceModel, save_model
from detector.surface.networks import build
from detector.surface.remembering import with_memory
from detector.surface.shipped import WALLS
from detector.surface.train import Lesson, learn
from detector.training.recipe import Options

LEARNED, JUDGED = 200, 100
"""Drawn pictures of each kind; of the first a fifth is for validation."""
SOUND = ("clean",)

CARD = Path(__file__).with_suffix(".card.md")


def main() -> None:
    """Train, judge, write the file and its card."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder:
        textures.write(Path(folder) / "train", LEARNED, seed=1)
        textures.write(Path(folder) / "test", JUDGED, seed=2)
        dataset, test = load(Path(folder) / "train"), load(Path(folder) / "test")
    parts = split(dataset, 0.8, 0.2, 0, 0)
    network = build(MSA, len(dataset.classes), usual_trunk(MSA), 0)
    fitted = learn(network, Lesson(dataset, parts), Options(recipe=recipe_of(KINDS["msa-200"], 0)), PLACE)
    assert fitted.best is not None
    about = About(model_type=MSA, classes=dataset.classes, sound=SOUND, figures=fitted.best.metrics)
    model = with_memory(SurfaceModel(network, about), dataset, parts)
    everything, judge = np.arange(len(test)), Judge(model)
    judged = judge.judge(test, everything)
    clear = share(test.labels, judged.shares.argmax(1))
    noised = share(test.labels, judge.judge(test, everything, noise=Noise(20.0, 3)).shares.argmax(1))
    save_model(WALLS, model)
    WALLS.with_suffix(".md").write_text(
        CARD.read_text(encoding="utf-8").format(
            classes=", ".join(dataset.classes),
            model_type=MSA,
            side=model.about.side,
            learned=LEARNED,
            judged=len(test),
            accuracy=clear.accuracy,
            low=clear.ci[0],
            high=clear.ci[1],
            noisy=noised.accuracy,
            lost=unlike_share(model, judged.embeddings),
            sha256=hashlib.sha256(WALLS.read_bytes()).hexdigest(),
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
