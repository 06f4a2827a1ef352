"""Figures are counted right, by defect too, and only over what was held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from detector.printability.about import About
from detector.printability.dataset import Parts, load, split
from detector.printability.defects import Defect
from detector.printability.evaluate import Evaluated, evaluate, judge, roc
from detector.printability.grids import HoleSet
from detector.printability.model_file import PrintabilityModel, save_model
from detector.printability.networks import build
from detector.printability.part_file import Making
from detector.printability.pictures import HOLE, PANEL_PX, views
from features.stills import read_still
from tests.detector.printability.boxes import FAMILIES, make_parts, write_boxes

NETWORK = "ResNet_small"


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    meshes = tmp_path_factory.mktemp("meshes")
    write_boxes(meshes, each=1)
    return make_parts(meshes, tmp_path_factory.mktemp("parts"), Making(variants=1))


@pytest.fixture(scope="module")
def parts(folder: Path) -> Parts:
    return load(folder, HoleSet.ROTATED)


def about(parts: Parts, how: str = "honest") -> About:
    return About(
        network=NETWORK, size=64, holes=HoleSet.ROTATED, rules=parts.making.rotated, split=how, seed=0,
        balanced=True,
    )  # type: ignore[arg-type]  # fmt: skip


def constant(logit: float) -> nn.Module:
    """A network that says the same of every part: of its last layer only the bias counts."""
    network = build(NETWORK, 64)
    *_, weight, bias = network.parameters()
    with torch.no_grad():
        weight.zero_()
        bias.fill_(logit)
    return network.eval()


@pytest.fixture(scope="module")
def model(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, PrintabilityModel(constant(1000.0), about(parts)))
    return path


@pytest.fixture(scope="module")
def all_called_printable(model: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    pictures = tmp_path_factory.mktemp("pictures")
    found = evaluate(model, folder, part="all", pictures=pictures, most_pictures=3)
    assert sorted(path.name for path in pictures.iterdir()) == [one.picture for one in found.failures[:3]]
    for path in pictures.iterdir():
        assert read_still(path).shape == (2 * PANEL_PX + 6, 3 * PANEL_PX + 12, 3)
        assert (read_still(path) == HOLE).all(2).any()
    return found


def test_a_network_that_calls_all_printable_is_right_for_half(all_called_printable: Evaluated) -> None:
    found = all_called_printable
    assert found.samples == 20 and found.parts == 5 and found.families == tuple(sorted(FAMILIES))
    assert found.confusion == [[0, 10], [0, 10]]
    assert (found.accuracy.value, found.precision.value, found.recall.value) == (0.5, 0.5, 1.0)
    assert found.f1.value == pytest.approx(2 / 3)
    assert found.accuracy.ci == (0.5, 0.5)  # every part has as many of both
    by_defect = {defect: (one.samples, one.accuracy.value) for defect, one in found.defects.items()}
    assert by_defect == {defect: (5, float(defect.printable)) for defect in Defect}
    assert len(found.failures) == 10
    assert not any(one.defect.printable for one in found.failures)
    assert found.failures[3].picture is None


def test_only_what_was_held_out_is_judged(model: Path, folder: Path, parts: Parts) -> None:
    found, held = evaluate(model, folder), split(parts, "honest", 0).test
    assert found.samples == len(held)
    assert set(found.families) == {parts.parts[group].facts.family for group in parts.groups[held]}
    chosen = evaluate(model, folder, part="validation")
    assert set(chosen.families) == {"voron0", "voron_trident"}


def test_a_network_that_calls_nothing_printable_has_no_precision(
    parts: Parts, folder: Path, tmp_path: Path
) -> None:
    save_model(tmp_path / "m", PrintabilityModel(constant(-1000.0), about(parts)))
    found = evaluate(tmp_path / "m", folder)
    assert (found.precision.value, found.recall.value, found.f1.value) == (0.0, 0.0, 0.0)
    assert found.accuracy.value == found.auc.value == 0.5


class Volume(nn.Module):
    """float32 [n, 1, size, size, size] -> logits float32 [n]: how much material there is."""

    def forward(self, voxels: Tensor) -> Tensor:
        return voxels.mean((1, 2, 3, 4))


def test_each_sample_gets_its_own_probability_whatever_the_batch(parts: Parts) -> None:
    chosen = np.arange(len(parts))[::-1]
    expected = [1 / (1 + np.exp(-parts.occupied(index, 64).mean())) for index in chosen]
    for size in (1, 7, 64):
        found, _ = judge(PrintabilityModel(Volume(), about(parts)), parts, chosen, size)
        assert found == pytest.approx(expected, abs=1e-6)


def test_the_roc_curve_is_that_of_the_definition() -> None:
    scores, labels = np.array([0.9, 0.8, 0.7, 0.2]), np.array([True, False, True, False])
    curve = [(one.false_positives, one.true_positives) for one in roc(scores, labels)]
    assert curve == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]
    many = np.random.default_rng(0).random(5000)
    thinned = roc(many, many + np.random.default_rng(1).normal(0, 0.3, 5000) > 0.5)
    assert len(thinned) <= 101
    assert (thinned[-1].false_positives, thinned[-1].true_positives) == (1, 1)


def test_a_picture_shows_the_hole_from_every_side_and_in_every_cut() -> None:
    part = np.zeros((64, 64, 64), bool)
    part[10:50, 20:60, 1:30] = True
    drilled = part.copy()
    drilled[30:40, 30:40] = False
    picture = views(drilled, part & ~drilled)
    red = (picture == HOLE).all(2)
    top = red[:PANEL_PX, :PANEL_PX]
    rows, columns = np.flatnonzero(top.any(1)), np.flatnonzero(top.any(0))
    assert (columns.min() // 3, columns.max() // 3) == (30, 39)  # x to the right
    assert (rows.min() // 3, rows.max() // 3) == (63 - 39, 63 - 30)  # y upwards
    assert red[PANEL_PX + 6 :, :PANEL_PX].any()
    assert red[PANEL_PX + 6 :, -PANEL_PX:].any()
    assert not red[:PANEL_PX, PANEL_PX:].any()  # the hole is hidden from the front
