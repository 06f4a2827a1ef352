"""What is learned from, in which order, and that ranks learn together what one learns alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from detector.model.weights import load_weights
from detector.printability.dataset import Parts, load
from detector.printability.defects import Defect
from detector.printability.grids import HoleSet
from detector.printability.learner import AS_THEY_ARE, Batch, Changes, PrintabilityLearner
from detector.printability.part_file import Making
from detector.printability.train import learn
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place
from detector.training.loop import Fitted
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker
from tests.detector.printability.boxes import (
    FAMILIES,
    NETWORKS,
    SIZE,
    TinyNetwork,
    lesson,
    make_parts,
    run,
    write_box,
    write_boxes,
)

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")
ALONE = Place(0, 1, CPU)


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    meshes = tmp_path_factory.mktemp("meshes")
    write_boxes(meshes, each=1)
    return make_parts(meshes, tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def parts(folder: Path) -> Parts:
    return load(folder, HoleSet.ROTATED)


def learner(parts: Parts, place: Place = ALONE, **changed: object) -> PrintabilityLearner:
    usual: dict[str, object] = {"size": SIZE, "batch_size": 4, "seed": 1}
    return PrintabilityLearner(TinyNetwork(), parts, lesson(parts).split, place, **{**usual, **changed})  # type: ignore[arg-type]


def targets(batches: list[Batch]) -> list[float]:
    return torch.cat([batch.targets for batch in batches]).tolist()


@pytest.fixture(scope="module")
def by_two(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes have learned: a folder for each network."""
    together = tmp_path_factory.mktemp("together")
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    program = ["-m", "tests.detector.printability.boxes", str(folder), str(together)]
    subprocess.run([sys.executable, *start, *program], cwd=ROOT, check=True, capture_output=True, timeout=120)
    return together


@pytest.mark.parametrize("network", NETWORKS)
def test_two_processes_learn_what_one_learns(
    network: str, folder: Path, by_two: Path, tmp_path: Path
) -> None:
    together, alone = by_two / network, tmp_path
    run(network, folder, alone, ALONE)
    pairs = zip(*(epochs(where / "log") for where in (together, alone)), strict=True)
    for two, one in pairs:
        assert two.loss == pytest.approx(one.loss, abs=1e-5)
        assert two.metrics == pytest.approx(one.metrics, abs=1e-5)
    weights, of_one = (load_weights(where / "weights").tensors for where in (together, alone))
    for name, tensor in of_one.items():
        # What calibrates our own network is fitted, and some 6: it is held to a share of itself.
        torch.testing.assert_close(weights[name], tensor, atol=1e-5, rtol=1e-5 if network == "holes" else 0)


def epochs(log_file: Path) -> list[Epoch]:
    return [msgspec.json.decode(line, type=Epoch) for line in log_file.read_bytes().splitlines()]


def test_the_ranks_of_a_batch_have_all_of_it_and_see_it_alike(parts: Parts) -> None:
    whole = list(learner(parts, changes=Changes(places=None)).batches(3))
    halves = [
        list(learner(parts, Place(rank, 2, CPU), changes=Changes(places=None)).batches(3)) for rank in (0, 1)
    ]
    for both, one, other in zip(whole, *halves, strict=True):
        assert torch.equal(both.voxels[0::2], one.voxels)
        assert torch.equal(both.voxels[1::2], other.voxels)
        assert torch.equal(both.targets[1::2], other.targets)


def test_an_epoch_has_whole_batches_and_no_more_samples_than_asked_for(parts: Parts) -> None:
    samples = len(lesson(parts).split.train)
    assert samples % 5 != 0
    sizes = [len(batch.targets) for batch in learner(parts, batch_size=5).batches(1)]
    assert sizes == [5] * (samples // 5)
    few = learner(parts, epoch_samples=8)
    assert [len(batch.targets) for batch in few.batches(1)] == [4, 4]
    assert len(few.batches(1)) == 2
    assert [len(batch.targets) for batch in learner(parts, batch_size=1000).batches(1)] == [samples]


def test_an_epoch_is_the_same_again_and_another_one_differs(parts: Parts) -> None:
    first, again, next_one = (list(learner(parts, changes=Changes()).batches(n)) for n in (1, 1, 2))
    assert all(torch.equal(one.voxels, other.voxels) for one, other in zip(first, again, strict=True))
    assert targets(first) != targets(next_one)


def test_what_is_learned_from_is_turned_and_drilled_anew_where_that_is_asked_for(parts: Parts) -> None:
    def seen(epoch: int, changes: Changes) -> set[bytes]:
        batches = learner(parts, changes=changes).batches(epoch)
        return {voxels.numpy().tobytes() for batch in batches for voxels in batch.voxels}

    stored = {parts.occupied(index, SIZE).tobytes() for index in lesson(parts).split.train}
    assert seen(1, AS_THEY_ARE) == seen(2, AS_THEY_ARE) == stored
    fresh = [seen(epoch, Changes(turned=False, places=None)) for epoch in (1, 2)]
    holed = sum(parts.samples[index].hole is not None for index in lesson(parts).split.train)
    for one in fresh:
        assert len(one - stored) == holed
    assert not (fresh[0] - stored) & (fresh[1] - stored)
    assert len(seen(1, Changes(turned=True)) - stored) > len(stored) / 2


def test_validation_is_told_for_all_of_it(parts: Parts) -> None:
    one = learner(parts)
    one.network.eval()
    split = lesson(parts).split
    voxels = torch.from_numpy(np.stack([parts.occupied(index, SIZE) for index in split.validation]))
    with torch.no_grad():
        told = one.validate()
        logits = one.network(voxels[:, None].float())
    labels = torch.from_numpy(parts.labels[split.validation])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.float())
    assert told["loss"] == pytest.approx(float(expected), abs=1e-5)
    assert told["accuracy"] == float(((logits > 0) == labels).float().mean())
    assert 0 <= told["auc"] <= 1


def fitted(parts: Parts, recipe: Recipe, **changed: object) -> Fitted:
    options = Options(recipe=recipe, quiet=True)
    return learn(TinyNetwork(), lesson(parts, **changed), options, ALONE, tracker=NoTracker())


def test_a_network_learns_to_see_narrow_holes_in_parts_of_designers_it_never_saw(tmp_path: Path) -> None:
    """Strips have room for narrow holes alone: untouched is printable, drilled is not."""
    for number, family in enumerate(FAMILIES):
        write_box(tmp_path / "meshes" / family / "0.stl", (80.0, 14.0 + 0.3 * number, 10.0 + number))
    strips = load(make_parts(tmp_path / "meshes", tmp_path / "parts", Making(variants=6)), HoleSet.TOP)
    assert {sample.defect for sample in strips.samples} == {Defect.NONE, Defect.MIDDLE_SMALL}
    recipe = Recipe(epochs=9, rate=1e-2, seed=0, decay=0.0, optimizer="adam", mixed_precision=False)
    found = fitted(strips, recipe, epoch_samples=None)
    assert found.best is not None
    assert found.best.metrics["accuracy"] >= 0.9
    assert found.best.metrics["auc"] >= 0.95


@pytest.mark.parametrize("optimizer", ["adam", "adadelta", "sgd"])
def test_every_optimizer_of_the_source_goes_downhill(parts: Parts, optimizer: str) -> None:
    rate = {"adam": 3e-3, "adadelta": 1.0, "sgd": 0.1}[optimizer]
    recipe = Recipe(
        epochs=4, rate=rate, decay=0.0, optimizer=optimizer, schedule="constant", mixed_precision=False
    )  # type: ignore[arg-type]
    found = fitted(parts, recipe, changes=AS_THEY_ARE, epoch_samples=None)
    assert found.history[-1].loss < found.history[0].loss
