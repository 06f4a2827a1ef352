"""An inspector says of each picture its class, where it shows, and whether it is none of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from detector.model.engine import ENGINES, EngineName
from detector.surface.inspect import NONE_OF_THESE, Finding, Inspector, heat
from detector.surface.memory import Memory, remembered
from detector.surface.model_file import About, SurfaceModel
from detector.surface.networks import SurfaceNetwork, build
from features.frame import BGR_MEAN
from features.picture import Picture

CLASSES = ("blue", "green", "red")
LIGHTS = (-9, -3, 0, 3, 9)
CELL = 16
"""Side of a cell of the hand-made network, pixels."""


@torch.no_grad()
def by_colour() -> SurfaceNetwork:
    """A network made by hand: a cell's logit for a class is how much of that colour it has."""
    head = nn.Conv2d(3, 3, 1)
    head.weight.copy_(torch.eye(3).view(3, 3, 1, 1) / 10)
    head.get_parameter("bias").zero_()
    return SurfaceNetwork(nn.AvgPool2d(CELL), head, 3).eval()


def inspector(
    *,
    sound: tuple[str, ...] = (),
    memory: Memory | None = None,
    batch: int = 8,
) -> Inspector:
    about = About(model_type="by hand", classes=CLASSES, sound=sound)
    return Inspector(SurfaceModel(by_colour(), about, memory), engine="torch", batch=batch)


def of_colour(name: str, height: int = 224, width: int = 224, grey: int = 110) -> Picture:
    picture = np.full((height, width, 3), grey, np.uint8)
    picture[..., CLASSES.index(name)] += 60
    return picture


def same(one: Finding, other: Finding) -> None:
    assert one.said.label == other.said.label
    assert one.probabilities == pytest.approx(other.probabilities, abs=0.02)
    assert np.abs(one.heat - other.heat).max() < 0.05


def test_a_picture_has_the_class_that_it_shows_with_probabilities_that_add_up() -> None:
    for name in CLASSES:
        (found,) = inspector().inspect([of_colour(name)])
        assert found.label == found.nearest == name
        assert found.probability == max(found.probabilities.values()) > 0.9
        assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert tuple(found.probabilities) == CLASSES


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_the_answer_is_the_same_for_one_and_for_many(batch: int) -> None:
    pictures = [of_colour(name, grey=grey) for name in CLASSES for grey in (60, 110)] * 2
    many = inspector(batch=batch).inspect(pictures)
    assert len(many) == len(pictures)
    for picture, found in zip(pictures, many, strict=True):
        same(found, inspector().inspect([picture])[0])


def test_no_picture_gives_no_finding() -> None:
    assert inspector().inspect([]) == []


@pytest.mark.parametrize("size", [(1, 1), (30, 700), (1000, 400)])
def test_pictures_of_any_size_are_judged(size: tuple[int, int]) -> None:
    (found,) = inspector().inspect([of_colour("green", *size)])
    assert found.label == "green"


def test_heat_shows_where_it_is() -> None:
    picture = np.full((224, 224, 3), BGR_MEAN, np.uint8)
    picture[160:208, 16:64, 2] = 255
    (found,) = inspector().inspect([picture])
    assert found.label == "red"
    hot = np.zeros_like(found.heat, bool)
    hot[160 // CELL : 208 // CELL, 16 // CELL : 64 // CELL] = True
    assert found.heat[hot].min() > 0.9
    assert found.heat[~hot].max() < 0.1


def test_heat_is_nothing_where_no_cell_says_more_for_the_class_than_for_all() -> None:
    cells = np.zeros((3, 4, 5), np.float32)
    assert not heat(cells, 1).any()
    cells[1, 2, 3] = 7
    assert heat(cells, 1)[2, 3] == 1 == heat(cells, 1).sum()


def known(*pictures: Picture) -> Memory:
    """A memory of these in several lights, by the hand-made network: their mean colours less BGR_MEAN."""
    seen = np.stack([picture.mean((0, 1)) - BGR_MEAN + light for picture in pictures for light in LIGHTS])
    return remembered(seen.astype(np.float32), np.zeros(len(seen), np.int64), seen.astype(np.float32))


def test_a_picture_unlike_all_that_was_learned_is_none_of_these_and_tells_the_nearest() -> None:
    judge = inspector(memory=known(of_colour("red"), of_colour("green")), sound=("blue", "red"))
    red, blue = judge.inspect([of_colour("red"), of_colour("blue")])
    assert red.unlikeness is not None
    assert red.unlikeness < 1
    assert (red.label, red.sound) == ("red", True)
    assert blue.unlikeness is not None
    assert blue.unlikeness > 1
    assert (blue.label, blue.nearest, blue.text) == (None, "blue", NONE_OF_THESE)
    assert not blue.sound, "what nobody knows is not sound, even if the nearest class is"
    assert blue.probability == blue.probabilities["blue"]


def test_how_unlike_a_picture_may_be_is_the_models_to_say() -> None:
    strict = known(of_colour("red"), of_colour("green"))
    lenient = strict._replace(limits=strict.limits * 1000)
    (first,), (second,) = (
        inspector(memory=memory).inspect([of_colour("blue")]) for memory in (strict, lenient)
    )
    assert (first.label, second.label) == (None, "blue")
    assert first.unlikeness == pytest.approx(1000 * (second.unlikeness or 0), rel=1e-3)


def test_a_model_without_a_memory_gives_every_picture_a_class() -> None:
    (found,) = inspector().inspect([of_colour("blue")])
    assert (found.unlikeness, found.label) == (None, "blue")


def test_only_the_classes_that_are_no_defect_are_sound() -> None:
    red, green = inspector(sound=("green",)).inspect([of_colour("red"), of_colour("green")])
    assert (red.sound, green.sound) == (False, True)


def test_a_finding_without_its_heat_says_the_same_and_can_get_another() -> None:
    (found,) = inspector().inspect([of_colour("red")])
    assert not hasattr(found.said, "heat")
    assert (found.said.text, found.said.probabilities) == (found.text, found.probabilities)
    other = np.ones((2, 2), np.float32)
    assert found.said.at(other).heat is other


def test_the_engines_agree_but_for_rounding() -> None:
    pytest.importorskip("openvino")
    random = np.random.default_rng(4)
    pictures = [random.integers(0, 255, (90, 120, 3), dtype=np.uint8) for _ in range(3)]
    about = About(model_type="SqueezeNet", classes=("a", "b"), side=64)
    model = SurfaceModel(build("SqueezeNet", 2, seed=0).eval(), about)
    first, *others = (found_by(model, engine, pictures) for engine in ENGINES)
    for other in others:
        for one, another in zip(first, other, strict=True):
            assert one.probabilities == pytest.approx(another.probabilities, abs=0.02)


def found_by(model: SurfaceModel, engine: EngineName, pictures: list[Picture]) -> list[Finding]:
    return Inspector(model, engine=engine).inspect(pictures)
