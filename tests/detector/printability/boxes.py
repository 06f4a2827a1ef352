"""Meshes of boxes, and a network that learns from them in seconds.

``python -m tests.detector.printability.boxes PARTS FOLDER`` trains all NETWORKS, each in a folder of its own;
under torchrun all ranks together.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import trimesh
from torch import Tensor, nn

from detector.model.weights import save_weights
from detector.printability.dataset import Parts, load, split
from detector.printability.grids import HoleSet
from detector.printability.learner import Changes
from detector.printability.networks import build
from detector.printability.part_file import Making
from detector.printability.preprocess import preprocess, sources_in
from detector.printability.through_holes import ThroughHoles
from detector.printability.train import Lesson, learn
from detector.training.distributed import Place, running
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker

FAMILIES = ("ann", "bob", "eve", "voron0", "voron_trident")
SIZE = 64
RECIPE = Recipe(epochs=2, rate=0.003, seed=1, decay=0.0, optimizer="sgd", mixed_precision=False)
"""Not Adam, which makes whole steps of rounding errors."""


class TinyNetwork(nn.Module):
    """float32 [n, 1, size, size, size] -> logits float32 [n]"""

    def __init__(self, *, normed: bool = False) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(4)
            self.layers = nn.Sequential(
                nn.Conv3d(1, 8, 4, stride=4, bias=not normed),
                nn.BatchNorm3d(8) if normed else nn.Identity(),
                nn.ReLU(),
                nn.Conv3d(8, 16, 3, padding=1),
                nn.ReLU(),
            )
            self.head = nn.Linear(16, 1)

    def forward(self, voxels: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(voxels).amax((2, 3, 4)))
        return logits[:, 0]


def _through_holes() -> nn.Module:
    """Without dropout, whose chances ranks draw each for itself."""
    network = build("ThroughHoles", SIZE, 4)
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return network


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "plain": TinyNetwork,
    "normed": lambda: TinyNetwork(normed=True),
    "holes": _through_holes,
}


def write_box(path: Path, sides: tuple[float, float, float]) -> None:
    """A box of these sides in mm as a binary STL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(trimesh.creation.box(extents=sides).export(file_type="stl"))


def write_boxes(folder: Path, each: int = 2) -> None:
    """Boxes of all FAMILIES that lie flat, each of its own size; the thinner side has room for every hole."""
    for one, family in enumerate(FAMILIES):
        for number in range(each):
            write_box(folder / family / f"{number}.stl", (60.0, 40.0 + 3 * number + one, 20.0 + one))


def make_parts(meshes: Path, parts: Path, making: Making | None = None) -> Path:
    """Preprocess in this process; every mesh must become a part."""
    troubles = []
    preprocess(sources_in(meshes), parts, making or Making(), 1, lambda done: troubles.append(done.trouble))
    assert not any(troubles), troubles
    return parts


def lesson(parts: Parts, **changed: Any) -> Lesson:
    usual = {"changes": Changes(), "epoch_samples": 16}
    return Lesson(parts, split(parts, "honest"), SIZE, 4, **{**usual, **changed})


def main(parts: Path, folder: Path) -> None:
    with running("cpu") as place:
        for network in NETWORKS:
            run(network, parts, folder / network, place)


def run(name: str, parts: Path, folder: Path, place: Place) -> None:
    """Leave ``weights`` and ``log`` in the folder."""
    network = NETWORKS[name]()
    # From above openings are found at once, along all directions a second a part.
    loaded = load(parts, HoleSet.TOP if isinstance(network, ThroughHoles) else HoleSet.ROTATED)
    options = Options(recipe=RECIPE, log_file=folder / "log", quiet=True)
    learn(network, lesson(loaded, changes=Changes(places=None)), options, place, tracker=NoTracker())
    if place.leads:
        save_weights(folder / "weights", network, {})


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
