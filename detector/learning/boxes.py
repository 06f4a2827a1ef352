"""Boxes of failures as targets of the failure map, and crops that keep their boxes right. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.anomaly import Box
from detector.model.multiscale import GRID
from features.picture import Picture, pixels
from features.stills import to_square

Map: TypeAlias = npt.NDArray[np.float32]
Values: TypeAlias = npt.NDArray[np.float64]
Range: TypeAlias = tuple[float, float]

FAILING, SOUND, IGNORED = 1.0, 0.0, -1.0
"""What a cell of the target says; ignored ones are left out of the loss."""
COVERED = 0.5  # of a cell: so much of it must lie in a box to be failing
SEEN = 0.1  # of a cell: a box too small to cover a cell marks the one it covers most, if it covers so much
CROP_SIDES: Range = (0.3, 0.6)  # of the picture's sides: crops with the failure, and without it
NEARLY_WHOLE: Range = (0.8, 1.0)  # the same, of a crop that shows nearly all
TOUCHED = 0.02  # of a crop's area: no more of it may be failing where it counts as sound
NO_BOXES = "found no boxes, expected at least one of the failure"
PLACES = 33  # along each side of the picture, at which a crop without the failure may begin


class Crop(NamedTuple):
    """A part of a picture, the boxes that are in it (relative to it) and whether it shows a failure."""

    area: Box
    boxes: tuple[Box, ...]

    @property
    def failing(self) -> bool:
        return bool(self.boxes)


def shared(one: Box, other: Box) -> float:
    """The area of what both hold, as a share of the picture's."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(across, 0.0) * max(down, 0.0)


def target_map(boxes: Sequence[Box], *, failing: bool, grid: int = GRID) -> Map:
    """What the failure map should say of a picture: float32 [grid, grid] of FAILING, SOUND and IGNORED.

    A normal picture is sound everywhere. A failing one with boxes fails inside and is sound outside; cells
    that a box covers partly are ignored. Of a failing one without boxes nothing is known: all is ignored.
    """
    if not failing:
        return np.full((grid, grid), SOUND, np.float32)
    if not boxes:
        return np.full((grid, grid), IGNORED, np.float32)
    covered = np.stack([_covered(box, grid) for box in boxes])
    target = np.where(covered.max(0) > 0, IGNORED, SOUND).astype(np.float32)
    target[covered.max(0) >= COVERED] = FAILING
    for one in covered:
        if SEEN <= one.max() < COVERED:
            target[np.unravel_index(one.argmax(), one.shape)] = FAILING
    return target


def draw_crop(boxes: Sequence[Box], rng: np.random.Generator) -> Crop:
    """A random part of a failing picture: of equal chance one with a failure, one without, or nearly all.

    One without is only drawn where there is room beside the boxes. Raises ValueError without boxes.
    """
    if not boxes:
        raise ValueError(NO_BOXES)
    how = int(rng.integers(3))
    beside = area_without(boxes, rng, rng.uniform(*CROP_SIDES)) if how == 0 else None
    if beside is not None:
        return Crop(beside, ())
    side = rng.uniform(*(NEARLY_WHOLE if how == 1 else CROP_SIDES))
    area = area_with(boxes, rng, side)
    return Crop(area, moved(boxes, area))


def crop_with_boxes(
    picture: Picture, boxes: Sequence[Box], rng: np.random.Generator
) -> tuple[Picture, tuple[Box, ...]]:
    """``draw_crop`` cut out of a picture [side, side, 3] and stretched to its size, and the crop's boxes.

    Without boxes the crop is normal: a negative out of the same picture.
    """
    crop = draw_crop(boxes, rng)
    rows, columns = pixels(crop.area, *picture.shape[:2])
    return to_square(picture[rows, columns], picture.shape[0]), crop.boxes


def area_with(boxes: Sequence[Box], rng: np.random.Generator, side: float) -> Box:
    """A square of this side that holds one of the boxes, or lies within it where the box is larger.

    Raises ValueError without boxes.
    """
    if not boxes:
        raise ValueError(NO_BOXES)
    box = boxes[int(rng.integers(len(boxes)))]
    x, y = _place(box.x, box.width, side, rng), _place(box.y, box.height, side, rng)
    return Box(x, y, side, side)


def area_without(boxes: Sequence[Box], rng: np.random.Generator, side: float) -> Box | None:
    """A square of this side that (almost) misses all boxes; None where there is no room for it."""
    free = _free(boxes, side)
    if not len(free):
        return None
    x, y = free[int(rng.integers(len(free)))]
    return Box(float(x), float(y), side, side)


def has_room(boxes: Sequence[Box], side: float) -> bool:
    """Whether a square of this side (almost) misses all boxes at some place."""
    return len(_free(boxes, side)) > 0


def moved(boxes: Sequence[Box], area: Box) -> tuple[Box, ...]:
    """The parts of boxes within an area, relative to it; those outside are left out."""
    found = []
    for box in boxes:
        left, top = max(box.x, area.x), max(box.y, area.y)
        right, bottom = (
            min(box.x + box.width, area.x + area.width),
            min(box.y + box.height, area.y + area.height),
        )
        if right > left and bottom > top:
            x, y = (left - area.x) / area.width, (top - area.y) / area.height
            found.append(Box(x, y, (right - left) / area.width, (bottom - top) / area.height))
    return tuple(found)


def _free(boxes: Sequence[Box], side: float) -> Values:
    """Where on a lattice squares of this side begin that (almost) miss all boxes: x and y, [n, 2]."""
    starts = np.linspace(0, 1 - side, PLACES)
    touched = np.zeros((PLACES, PLACES))
    for box in boxes:
        across, down = _held(starts, side, box.x, box.width), _held(starts, side, box.y, box.height)
        touched += np.outer(down, across)
    places = np.argwhere(touched <= TOUCHED * side**2)
    return starts[places[:, ::-1]]


def _place(start: float, length: float, side: float, rng: np.random.Generator) -> float:
    """Where a stretch of this side begins that holds another one, or lies in it, and stays in 0..1."""
    first, last = sorted((start, start + length - side))
    return float(np.clip(rng.uniform(first, last), 0, 1 - side))


def _covered(box: Box, grid: int) -> Values:
    """The share of each cell that lies in a box: [grid, grid]."""
    starts = np.arange(grid) / grid
    down, across = _held(starts, 1 / grid, box.y, box.height), _held(starts, 1 / grid, box.x, box.width)
    # Rounded, as the neighbours of a box that ends on the grid are free.
    share: Values = np.round(np.outer(down, across) * grid**2, 9)
    return share


def _held(starts: Values, length: float, other: float, other_length: float) -> Values:
    """How much of stretches that begin at ``starts`` lies in another one."""
    held: Values = np.minimum(starts + length, other + other_length) - np.maximum(starts, other)
    return np.maximum(held, 0.0)
