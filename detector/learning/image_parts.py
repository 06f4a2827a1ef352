"""Which real images belong together, and the split ``train`` in a part to learn from and one to choose on.

Frames of a print are nearly one picture, and collections hold copies of each other's pictures: what belongs
together never lies on both sides of a split, and is drawn as one when an interval is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.learning.real_images import RealImage, only_train

Indices: TypeAlias = npt.NDArray[np.int64]

HELD_OUT = 0.2
ALIKE_BITS = 8
"""Of 64: pictures whose hashes differ in no more are taken for copies. With 10, pictures that only share
their light and shade are chained together: 121 of the 1,508 of ``train`` to one group."""
_HASH_SIDE = 8


class Parts(NamedTuple):
    """Two parts that share nothing: indices, ascending."""

    learn: Indices
    held_out: Indices


def learn_and_held_out(images: Sequence[RealImage], seed: int, share: float = HELD_OUT) -> Parts:
    """Images of the split ``train`` in two parts, drawn by whole groups of ``copies``.

    The held-out part, up to ``share`` of each source's normal and failing images, is what choices are made
    on. Raises UsageError for an image of another split.
    """
    only_train(images, "a part to choose on")
    groups, strata = copies(images), _strata(images)
    room = np.floor(share * np.bincount(strata)).astype(np.int64)
    held = np.zeros(len(images), np.bool_)
    for group in np.random.default_rng(seed).permutation(np.unique(groups)):
        need = np.bincount(strata[groups == group], minlength=len(room))
        if (need <= room).all():
            held[groups == group] = True
            room -= need
    return Parts(np.flatnonzero(~held), np.flatnonzero(held))


def prints(images: Sequence[RealImage]) -> Indices:
    """The print of each image, [n], by its first image's index; images without a print_id go with copies."""
    named, alike = _named(images), _alike(images)
    unnamed = (
        (one, other) for one, other in alike if not images[one].print_id and not images[other].print_id
    )
    return _joined(len(images), (*named, *unnamed))


def copies(images: Sequence[RealImage]) -> Indices:
    """As ``prints``, and those that look alike are joined whatever print or source they are of."""
    return _joined(len(images), (*_named(images), *_alike(images)))


def _named(images: Sequence[RealImage]) -> Iterator[tuple[int, int]]:
    """Each image with the first one of its print."""
    firsts: dict[tuple[str, str], int] = {}
    for at, image in enumerate(images):
        if image.print_id:
            yield firsts.setdefault((image.source, image.print_id), at), at


def _alike(images: Sequence[RealImage]) -> Iterator[tuple[int, int]]:
    """Pairs whose hashes are near, one of them perhaps mirrored or upside down, as augmented copies are."""
    hashes = np.array([image.dhash for image in images], np.uint64)
    order = np.arange(_HASH_SIDE**2, dtype=np.uint64)
    # As +1 and -1 the product of two hashes is 64 less twice the bits that differ. The hash tells which of
    # two neighbours in a row is lighter, so its sign changes where left and right do.
    signs = 1 - 2 * ((hashes[:, None] >> order) & np.uint64(1)).astype(np.float32)
    squares = signs.reshape(-1, _HASH_SIDE, _HASH_SIDE)
    least = _HASH_SIDE**2 - 2 * ALIKE_BITS
    for turned in (squares, -squares[:, :, ::-1], squares[:, ::-1], -squares[:, ::-1, ::-1]):
        for one, other in np.argwhere(np.triu(signs @ turned.reshape(signs.shape).T >= least, 1)):
            yield int(one), int(other)


def _joined(count: int, pairs: Sequence[tuple[int, int]]) -> Indices:
    groups = np.arange(count)
    for one, other in pairs:
        first, second = sorted((groups[one], groups[other]))
        groups[groups == second] = first
    return groups


def _strata(images: Sequence[RealImage]) -> Indices:
    """A number for each source and label, [n]."""
    numbers: dict[tuple[str, bool], int] = {}
    found = [numbers.setdefault((image.source, image.failing), len(numbers)) for image in images]
    return np.array(found, np.int64)
