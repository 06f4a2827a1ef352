"""Real pictures that the frame network learns from: of each source as many, failures beside their own rest.

In the training sources the label nearly follows the source, so a network can learn the camera instead of the
failure. Where there are boxes, parts of one picture with and without the failure are shown instead; sources
are mixed evenly, and none is one label alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from detector.anomaly import Box
from detector.learning.boxes import Crop, area_with, area_without, draw_crop, moved, target_map
from detector.learning.image_parts import learn_and_held_out
from detector.learning.real_images import RealImage, picture, read_images, to_ship
from detector.model.kinds import VISUAL
from detector.training.metrics import roc_auc
from features.picture import Picture

UNKNOWN = -1.0
UNRELIABLE = frozenset({"prottos"})
"""Sources whose kinds are not to be trusted (their labels were made by hand, and wrong ones are many)."""
NEARLY_WHOLE = (0.8, 1.0)  # side of a crop of a picture without boxes
HELD_OUT_SIDE = 0.45  # of the crops with and without the failure that are compared in validation

Score = Callable[[Tensor], npt.NDArray[np.float32]]
"""The failing logits of pictures uint8 [n, 3, SIDE, SIDE]."""


class Lesson(NamedTuple):
    """A picture and what is known of it.

    ``cells`` float32 [GRID, GRID] and ``kinds`` float32 [len(VISUAL)] are 1, 0 or UNKNOWN.
    """

    picture: Picture
    cells: npt.NDArray[np.float32]
    failing: bool
    kinds: npt.NDArray[np.float32]


class RealLessons:
    """Pictures with a stated licence of the split ``train``; a fifth of the prints is held out.

    ``more`` are further pictures to learn from, for comparison alone: they have no place in weights that
    ship. Without ``negatives`` no part of a picture beside its failure is shown, for comparison too.
    """

    def __init__(
        self,
        images: Sequence[RealImage],
        seed: int = 0,
        *,
        more: Sequence[RealImage] = (),
        negatives: bool = True,
    ) -> None:
        parts = learn_and_held_out(images, seed)
        self._negatives = negatives
        self.learn = [*(images[int(at)] for at in parts.learn), *more]
        self.held_out = [images[int(at)] for at in parts.held_out]
        self._groups = _groups(self.learn)

    def draw(self, count: int, rng: np.random.Generator) -> list[Lesson]:
        """Of each source as many, of its failing and normal pictures as many."""
        sources = sorted({source for source, _ in self._groups})
        lessons = []
        for number in range(count):
            source = sources[number % len(sources)]
            labels = [failing for known, failing in self._groups if known == source]
            group = self._groups[source, labels[int(rng.integers(len(labels)))]]
            lessons.append(lesson_of(group[int(rng.integers(len(group)))], rng, negatives=self._negatives))
        return lessons

    def sound(self, count: int, rng: np.random.Generator) -> list[Picture]:
        """Pictures on which nothing fails, none where there are none to learn from."""
        those = [group for (_, failing), group in sorted(self._groups.items()) if not failing]
        if not those:
            return []
        drawn = [
            group[int(rng.integers(len(group)))] for group in (those[n % len(those)] for n in range(count))
        ]
        return [picture(image, area=_nearly_whole(rng).area) for image in drawn]

    def figures(self, score: Score) -> Mapping[str, float]:
        """On held-out pictures: AUC of each source with both labels, and of crops with the failure against
        crops of the same picture without it, of each source with boxes."""
        found = {}
        for source in sorted({image.source for image in self.held_out}):
            own = [image for image in self.held_out if image.source == source]
            if len({image.failing for image in own}) > 1:
                labels = np.array([image.failing for image in own])
                found[f"real_{source}"] = roc_auc(score(_stacked([picture(image) for image in own])), labels)
            crops = [pair for image in own if (pair := with_and_without(image)) is not None]
            if crops:
                scores = score(_stacked([picture_of for pair in crops for picture_of in pair]))
                labels = np.arange(len(scores)) % 2 == 0
                found[f"crops_{source}"] = roc_auc(scores, labels)
        return found


def real_lessons(data: Path, seed: int = 0) -> RealLessons:
    """The lessons of the data folder. Raises UsageError where it holds no pictures."""
    return RealLessons(to_ship(read_images(data)), seed)


def lesson_of(image: RealImage, rng: np.random.Generator, *, negatives: bool = True) -> Lesson:
    """A part of a picture, as it happens; without ``negatives`` nearly all of it."""
    crop = draw_crop(image.boxes, rng) if image.boxes and negatives else _nearly_whole(rng, image.boxes)
    failing = crop.failing if image.boxes else image.failing
    cells = target_map(crop.boxes, failing=failing)
    return Lesson(picture(image, area=crop.area), cells, failing, _kinds(image, failing=failing))


def _kinds(image: RealImage, *, failing: bool) -> npt.NDArray[np.float32]:
    if not failing:
        return np.zeros(len(VISUAL), np.float32)
    if image.kind not in VISUAL or image.source in UNRELIABLE:
        return np.full(len(VISUAL), UNKNOWN, np.float32)
    kinds = np.zeros(len(VISUAL), np.float32)
    kinds[VISUAL.index(image.kind)] = 1.0
    return kinds


def _nearly_whole(rng: np.random.Generator, boxes: Sequence[Box] = ()) -> Crop:
    side = float(rng.uniform(*NEARLY_WHOLE))
    x, y = rng.uniform(0, 1 - side, 2)
    area = Box(float(x), float(y), side, side)
    return Crop(area, moved(boxes, area))


def with_and_without(image: RealImage) -> tuple[Picture, Picture] | None:
    """A part with the failure and one without it, always the same; None where there are no boxes, or no room
    beside them."""
    rng = np.random.default_rng(image.dhash % 2**32)
    without = area_without(image.boxes, rng, HELD_OUT_SIDE) if image.boxes else None
    if without is None:
        return None
    return picture(image, area=area_with(image.boxes, rng, HELD_OUT_SIDE)), picture(image, area=without)


def _groups(images: Sequence[RealImage]) -> dict[tuple[str, bool], list[RealImage]]:
    groups: dict[tuple[str, bool], list[RealImage]] = {}
    for image in images:
        groups.setdefault((image.source, image.failing), []).append(image)
    return groups


def _stacked(pictures: Sequence[Picture]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
