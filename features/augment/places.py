"""Random changes of where things lie in pictures: mirrored, turned, cut out, tilted. Pure."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from features.augment.drawing import Range, Values, as_given, evenly, tensor_of, with_chance

EVEN_CHANCE = 0.5


def flip(pictures: Tensor, rng: np.random.Generator, *, across: bool = True, down: bool = True) -> Tensor:
    """Mirror each picture with chance 1/2, left to right and top to bottom, as far as asked for."""
    flipped = pictures.clone()
    for axis, asked in ((3, across), (2, down)):
        if asked:
            those = with_chance(rng, pictures, EVEN_CHANCE).flatten().nonzero().flatten()
            flipped[those] = flipped[those].flip(axis)
    return flipped


def quarter_turn(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn each picture by 0, 90, 180 or 270 degrees. Raises ValueError for pictures that are not square."""
    if pictures.shape[2] != pictures.shape[3]:
        raise ValueError(f"found pictures of {tuple(pictures.shape[2:])} px, expected square ones")
    turns = torch.from_numpy(rng.integers(0, 4, len(pictures))).to(pictures.device)
    turned = pictures.clone()
    for quarters in (1, 2, 3):
        those = (turns == quarters).nonzero().flatten()
        turned[those] = torch.rot90(pictures[those], quarters, (2, 3))
    return turned


def crop(
    pictures: Tensor,
    rng: np.random.Generator,
    *,
    area: Range = (0.7, 1.0),
    ratio: Range = (0.85, 1.18),
    turned_deg: float = 0.0,
    tilted: float = 0.0,
) -> Tensor:
    """A part of each picture, stretched to the whole: small shifts, scales and changes of shape.

    ``area`` is the part's share of the picture (more than 1: the picture shrinks), ``ratio`` its width to its
    height, relative to the picture's; it is turned by up to ``turned_deg`` either way, and ``tilted`` as by a
    camera that stands elsewhere: what lies at one side is shown up to so much larger, and smaller at the
    other. What lies beyond the picture is its border.
    """
    width, height = _part(pictures, rng, area, ratio)
    # In affine_grid's terms the picture reaches from -1 to 1, so that a part may be shifted by what it lacks.
    x, y = (rng.uniform(-1, 1, len(pictures)) * (1 - length) for length in (width, height))
    turn = _turn(rng, pictures, turned_deg)
    tilt = rng.uniform(-tilted, tilted, (len(pictures), 2)) if tilted else None
    return _cut(pictures, (x, y), (width, height), turn, tilt=tilt)


def close_up(
    pictures: Tensor,
    rng: np.random.Generator,
    middles: Values,
    *,
    side: int,
    shifted: float = 0.35,
    area: Range = (0.7, 1.0),
    ratio: Range = (0.85, 1.18),
    turned_deg: float = 0.0,
) -> Tensor:
    """A window of ``side`` x ``side`` pixels of each picture, at the scales, shapes and turns of ``crop``.

    It lies about a point, ``middles`` [n, 2] as x and y in 0..1 of the picture, shifted by up to a share
    ``shifted`` of its own size either way, and within the picture.
    """
    across, down = _part(pictures, rng, area, ratio)
    size = (across * side / pictures.shape[3], down * side / pictures.shape[2])
    x, y = (
        np.clip(2 * middle - 1 + 2 * length * evenly(rng, pictures, shifted), length - 1, 1 - length)
        for middle, length in zip(middles.T, size, strict=True)
    )
    return _cut(pictures, (x, y), size, _turn(rng, pictures, turned_deg), side=side)


def _part(pictures: Tensor, rng: np.random.Generator, area: Range, ratio: Range) -> tuple[Values, Values]:
    """Width and height of a part of each picture, of the picture's own."""
    share = rng.uniform(*area, len(pictures))
    shape = np.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1]), len(pictures)))
    most = max(1.0, math.sqrt(area[1]))
    return np.minimum(np.sqrt(share * shape), most), np.minimum(np.sqrt(share / shape), most)


def _turn(rng: np.random.Generator, pictures: Tensor, reach_deg: float) -> Values:
    """Radians for each picture; nothing is drawn where none is to be turned."""
    return np.radians(evenly(rng, pictures, reach_deg)) if reach_deg else np.zeros(len(pictures))


def _cut(
    pictures: Tensor,
    middle: tuple[Values, Values],
    size: tuple[Values, Values],
    turn: Values,
    side: int | None = None,
    tilt: Values | None = None,
) -> Tensor:
    """The part of each picture about ``middle`` (x and y, -1 to 1), of a ``size`` (width and height, of the
    picture's), turned by ``turn`` radians; stretched to the picture's own shape, or ``side`` x ``side``.

    ``tilt`` [n, 2]: across and down, by how much what lies at the edge is nearer to the camera."""
    (x, y), (width, height) = middle, size
    theta = np.stack(
        [width * np.cos(turn), -height * np.sin(turn), x, width * np.sin(turn), height * np.cos(turn), y], 1
    ).reshape(-1, 2, 3)
    shape = list(pictures.shape) if side is None else [*pictures.shape[:2], side, side]
    grid = functional.affine_grid(tensor_of(pictures, theta), shape, align_corners=False)
    if tilt is not None:
        grid = grid / (1 + (grid * tensor_of(pictures, tilt)[:, None, None]).sum(-1, keepdim=True))
    cut = functional.grid_sample(pictures.float(), grid, padding_mode="border", align_corners=False)
    return as_given(pictures, cut)
