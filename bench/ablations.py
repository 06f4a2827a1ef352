"""What each part of the detector brings: the same training with one thing changed, on held-out prints.

    python -m bench.ablations frames|temporal [--only NAME ...] [--train DIR] [--held-out DIR] [--out DIR]

Rows that are there already (``out/ablations``) are kept. Frame trainings are short ones (``FRAME_EPOCHS``):
they compare, and are below what ships. Choices are made on held-out prints and on held-out real pictures of
the split ``train``; the real split ``eval`` stands beside them and decides nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from rich.console import Console

from bench.machine import data_dir
from detector.learning.evaluate_images import frame_scores
from detector.learning.frame_learner import FrameLearner
from detector.learning.image_figures import image_figures
from detector.learning.paired import PairedPrints
from detector.learning.real_images import Split, of_split, read_images, to_ship
from detector.learning.real_lessons import RealLessons
from detector.learning.seen import FrameJudge, see
from detector.learning.sequences import Filed
from detector.learning.shards import shards_in
from detector.learning.temporal_learner import TemporalLearner, standardise
from detector.model.frame_network import build_frame_network
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalShape, build_temporal
from detector.model.watch_model import DEFAULT, load_watch_model
from detector.model.weights import load_weights
from detector.training.distributed import running
from detector.training.loop import fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker
from features.channels import SENSOR_DIM

FRAME_EPOCHS, PAIRS_AN_EPOCH = 3, 1200
TEMPORAL_EPOCHS = 10
TRUNK = "weights/squeezenet1_1_features.safetensors"
SHAPE = TemporalShape(embedding=SIGHT_DIM, sensors=SENSOR_DIM)
BEAT_S = 5

FRAMES: Mapping[str, Mapping[str, Any]] = {
    "as it ships": {},
    "grey": {"grey": True},
    "without same-image negatives": {"negatives": False},
    "without real pictures": {"real": False},
    "rate 5e-4": {"rate": 5e-4},
    "rate 1e-4": {"rate": 1e-4},
    "without pretraining": {"pretrained": False},
    "without attention": {"backbone": "squeezenet"},
    "ShuffleNetV2": {"backbone": "shufflenet", "pretrained": False},
    "with research data": {"more": (Split.TRAIN_RESEARCH,)},
    "with unlicensed data": {"more": (Split.TRAIN_UNLICENSED,)},
}
TEMPORAL: Mapping[str, Mapping[str, Any]] = {
    "as it ships": {},
    "vision alone": {"deaf": True},
    "telemetry alone": {"blind": True},
    "single beats": {"shape": replace(SHAPE, band=1)},
    "1 head": {"shape": replace(SHAPE, heads=1)},
    "8 heads": {"shape": replace(SHAPE, heads=8)},
    "mean in place of attention": {"shape": replace(SHAPE, mixer="mean")},
    "GRU in place of attention": {"shape": replace(SHAPE, mixer="gru")},
    "1 layer": {"shape": replace(SHAPE, layers=1)},
    "width 48": {"shape": replace(SHAPE, width=48)},
    "width 192": {"shape": replace(SHAPE, width=192)},
    **{f"context {60 * m // 2} s": {"shape": replace(SHAPE, band=60 * m // 2 // BEAT_S)} for m in (1, 2, 20)},
    "rate 5e-4": {"rate": 5e-4},
    "rate 1e-4": {"rate": 1e-4},
}


def frames(name: str, train: Path, held_out: Path) -> dict[str, Any]:
    """Train a frame network with what ``name`` changes, and measure it."""
    changed = FRAMES[name]
    data = data_dir()
    images = read_images(data)
    more = [image for split in changed.get("more", ()) for image in of_split(images, split)]
    real = RealLessons(to_ship(images), more=more, negatives=changed.get("negatives", True))
    pretrained = changed.get("pretrained", True)
    trunk = load_weights(data / TRUNK).tensors if pretrained else None
    network = build_frame_network(changed.get("backbone", "attention"), trunk)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    recipe = Recipe(epochs=FRAME_EPOCHS, rate=changed.get("rate", 1e-3), warmup_steps=40)
    with running("cpu") as place:
        learner = FrameLearner(
            network, PairedPrints(shards_in([train])), PairedPrints(shards_in([held_out])),
            real if changed.get("real", True) else None, place, pairs_an_epoch=PAIRS_AN_EPOCH, batch_size=48,
            seed=0, trunk_rate=0.2 if pretrained else 1.0, grey=changed.get("grey", False),
        )  # fmt: skip
        fitted = fit(learner, Options(recipe=recipe, quiet=True), place, NoTracker())
        with torch.no_grad(), place.autocast():
            held = real.figures(learner.scores)
    shown = of_split(images, Split.EVAL)
    figures = image_figures(
        shown, frame_scores(FrameJudge(network), shown, grey=changed.get("grey", False)), 0.0
    )
    assert fitted.best is not None
    return {"held_out": dict(fitted.best.metrics), "real_train": dict(held), "eval": figures["mean_auc"]}


def temporal(name: str, train: Path, held_out: Path) -> dict[str, Any]:
    """Train a temporal network with what ``name`` changes, and measure it."""
    changed = TEMPORAL[name]
    judge = FrameJudge(load_watch_model(DEFAULT).frame)
    cache = Path("out/ablations/seen")
    sets = []
    for folder in (train, held_out):
        paths = shards_in([folder])
        sets.append([Filed(*pair) for pair in zip(paths, see(judge, paths, cache), strict=True)])
    network = build_temporal(changed.get("shape", SHAPE))
    standardise(network, sets[0])
    recipe = Recipe(epochs=TEMPORAL_EPOCHS, rate=changed.get("rate", 1e-3), warmup_steps=60)
    with running("cpu") as place:
        learner = TemporalLearner(
            network, sets[0], sets[1], place, batch_size=12, seed=0, blind=changed.get("blind", False),
            deaf=changed.get("deaf", False),
        )  # fmt: skip
        fitted = fit(learner, Options(recipe=recipe, quiet=True), place, NoTracker())
    assert fitted.best is not None
    parameters = sum(each.numel() for each in network.parameters())
    return {"held_out": dict(fitted.best.metrics), "parameters": parameters}


STAGES: Mapping[str, tuple[Mapping[str, Any], Callable[[str, Path, Path], dict[str, Any]]]] = {
    "frames": (FRAMES, frames),
    "temporal": (TEMPORAL, temporal),
}


def main() -> None:
    """Make the rows that are missing, and show all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=list(STAGES))
    parser.add_argument("--only", action="append", help="of these alone")
    parser.add_argument("--train", type=Path, default=Path("out/beats/train"))
    parser.add_argument("--held-out", type=Path, default=Path("out/beats/val"))
    parser.add_argument("--out", type=Path, default=Path("out/ablations"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows, make = STAGES[asked.stage]
    for name in asked.only or rows:
        file = asked.out / asked.stage / f"{name.replace(' ', '-')}.json"
        if not file.exists():
            began_s = time.monotonic()
            made = make(name, asked.train, asked.held_out)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({**made, "seconds": time.monotonic() - began_s}, indent=1) + "\n")
        Console().print(name, json.loads(file.read_text()), markup=False)


if __name__ == "__main__":
    main()
