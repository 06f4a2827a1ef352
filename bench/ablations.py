"""What each part of the detector brings: the same training with one thing changed, on held-out prints.

    python -m bench.ablations frames|temporal --train DIR ... --held-out DIR ... [--only NAME] [--seeds N]

Both parts are taught by ``nozzlewatch train``'s own steps, for a short time: rows compare, and are below what
ships. Rows that are there already (``out/ablations``) are kept; several processes may share them out by
``--only``. Choices are made on held-out prints and on held-out real pictures of the split ``train``; the real
split ``eval`` stands beside them and decides nothing. ``temporal`` takes its frames as the watch that comes
along sees them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace
from rich.console import Console
from torch import Tensor

from bench.machine import data_dir
from detector.learning.evaluate_images import as_grey, frame_scores
from detector.learning.image_figures import image_figures
from detector.learning.real_images import Split, of_split, read_images, to_ship
from detector.learning.real_lessons import RealLessons
from detector.learning.seen import FrameJudge, see
from detector.learning.sequences import Filed
from detector.learning.shards import shards_in
from detector.learning.train import DetectorTraining, learn_frames, learn_temporal
from detector.model.watch_model import DEFAULT, load_watch_model
from detector.training.distributed import running
from detector.training.recipe import Recipe

CLOSE_EPOCHS, FRAME_EPOCHS, PAIRS_AN_EPOCH = 2, 1, 1200
BEAT_EPOCHS, TEMPORAL_EPOCHS = 20, 6
USUAL = DetectorTraining(prints=(), held_out=(), out=Path())
USUAL_RATE = USUAL.temporal.rate
WHOLE_RATE = USUAL.frames.rate / USUAL_RATE
"""The rate, and the share of it that whole pictures have after close-ups."""
TRUNK = "weights/squeezenet1_1_features.safetensors"
SHAPE = USUAL.shape
BEAT_S = 5

FRAMES: Mapping[str, Mapping[str, Any]] = {
    "as it ships": {},
    "grey": {"grey": True},
    "without same-image negatives": {"negatives": False},
    "without real pictures": {"real": False},
    "without close-ups": {"close_ups": False},
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
    "last weights instead of their mean": {"averaging": 0.0},
    "1 layer": {"shape": replace(SHAPE, layers=1)},
    "width 48": {"shape": replace(SHAPE, width=48)},
    "width 96": {"shape": replace(SHAPE, width=96)},
    **{f"context {60 * m // 2} s": {"shape": replace(SHAPE, band=60 * m // 2 // BEAT_S)} for m in (1, 2, 20)},
    "rate 5e-4": {"rate": 5e-4},
    "rate 1e-4": {"rate": 1e-4},
}


def frames(
    name: str, train: Sequence[Path], held_out: Sequence[Path], out: Path, seed: int
) -> dict[str, Any]:
    """Train a frame network with what ``name`` changes, and measure it."""
    changed = FRAMES[name]
    data, grey, rate = data_dir(), changed.get("grey", False), changed.get("rate", USUAL_RATE)
    images = read_images(data)
    more = [image for split in changed.get("more", ()) for image in of_split(images, split)]
    real = RealLessons(to_ship(images), more=more, negatives=changed.get("negatives", True))
    # Without close-ups their time goes into whole pictures: three close-ups take as long as one of these.
    closely = changed.get("close_ups", True) and changed.get("backbone") != "shufflenet"
    asked = DetectorTraining(
        prints=(*train,), held_out=(*held_out,), out=out, quiet=True, resume=True, grey=grey,
        trunk=data / TRUNK if changed.get("pretrained", True) else None,
        backbone=changed.get("backbone", "attention"), pairs_an_epoch=PAIRS_AN_EPOCH,
        close_ups=Recipe(epochs=CLOSE_EPOCHS, rate=rate, warmup_steps=40, seed=seed) if closely else None,
        frames=Recipe(
            epochs=FRAME_EPOCHS if closely else FRAME_EPOCHS + CLOSE_EPOCHS,
            rate=WHOLE_RATE * rate if closely else rate, warmup_steps=40, seed=seed,
            averaging=USUAL.frames.averaging,
        ),
    )  # fmt: skip
    with running("cpu") as place:
        network, figures = learn_frames(
            asked, shards_in(train), shards_in(held_out), real if changed.get("real", True) else None, place,
            threading.Event(),
        )  # fmt: skip
    assert network is not None
    judge = FrameJudge(network)

    def score(pictures: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        shown = list(pictures.permute(0, 2, 3, 1).contiguous().numpy())
        return judge.judge([as_grey(each) for each in shown] if grey else shown).failing.astype(np.float32)

    shown = of_split(images, Split.EVAL)
    of_eval = image_figures(shown, frame_scores(judge, shown, grey=grey), 0.0)
    return {"held_out": figures, "real_train": dict(real.figures(score)), "eval": of_eval["mean_auc"]}


def temporal(
    name: str, train: Sequence[Path], held_out: Sequence[Path], out: Path, seed: int
) -> dict[str, Any]:
    """Train a temporal network with what ``name`` changes, and measure it."""
    changed = TEMPORAL[name]
    judge = FrameJudge(load_watch_model(DEFAULT).frame)
    sets = []
    for folders in (train, held_out):
        paths = shards_in(folders)
        seen = see(judge, paths, Path("out/ablations/seen"))
        sets.append([Filed(*pair) for pair in zip(paths, seen, strict=True)])
    asked = DetectorTraining(
        prints=(*train,), held_out=(*held_out,), out=out, quiet=True, resume=True,
        blind=changed.get("blind", False), deaf=changed.get("deaf", False),
        shape=changed.get("shape", SHAPE), beat_epochs=BEAT_EPOCHS,
        temporal=Recipe(
            epochs=TEMPORAL_EPOCHS, rate=changed.get("rate", USUAL_RATE), warmup_steps=60, seed=seed,
            averaging=changed.get("averaging", USUAL.temporal.averaging),
        ),
    )  # fmt: skip
    with running("cpu") as place:
        network, figures = learn_temporal(asked, sets[0], sets[1], place, threading.Event())
    assert network is not None
    parameters = sum(each.numel() for each in network.parameters())
    return {"held_out": figures, "parameters": parameters}


Make = Callable[[str, Sequence[Path], Sequence[Path], Path, int], dict[str, Any]]
STAGES: Mapping[str, tuple[Mapping[str, Any], Make]] = {
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
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each")
    parser.add_argument("--train", type=Path, nargs="+", default=[Path("out/beats/train")])
    parser.add_argument("--held-out", type=Path, nargs="+", default=[Path("out/beats/val")])
    parser.add_argument("--out", type=Path, default=Path("out/ablations"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows, make = STAGES[asked.stage]
    for name in asked.only or rows:
        for seed in range(asked.seeds):
            folder = asked.out / asked.stage / f"{name.replace(' ', '-')}-{seed}"
            file = folder.with_suffix(".json")
            if not file.exists():
                folder.mkdir(parents=True, exist_ok=True)
                began_s = time.monotonic()
                made = make(name, asked.train, asked.held_out, folder, seed)
                file.write_text(json.dumps({**made, "seconds": time.monotonic() - began_s}, indent=1) + "\n")
                shutil.rmtree(folder)
            Console().print(name, seed, json.loads(file.read_text()), markup=False)


if __name__ == "__main__":
    main()
