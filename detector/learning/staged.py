"""Real images in the place of a print's frames: which of them a staged print shows, beat by beat. Pure.

Before the onset a staged print shows normal pictures, from it on failing ones in order of growth, all of one
source and each for some beats, as a camera's picture hardly changes in five seconds. Stills change as often
before the onset as after it and are cut alike, or a change of picture would give the failure away:

- sources with boxes (p3rc, prottos): crops beside the failure, then crops of the same size around it. Where
  there is a growing series (p3rc), failing ones follow its frames, else the share of the picture that fails.
- a source with both labels and no boxes (mysticaldawn): whole pictures, normal ones, then failing ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np

from detector.anomaly import Box
from detector.learning.boxes import area_with, area_without, has_room
from detector.learning.real_images import RealImage, only_train
from ingest.errors import UsageError

Pool: TypeAlias = tuple[int, ...]  # indices of images

HOLD_BEATS = (4, 24)
"""A still stays for 20 s to 2 min: least and most beats, both included."""
CROP_SIDES = (0.3, 0.5)
"""Of the picture's sides, drawn for each print: there is seldom room for more beside a failure."""
WHOLE_SIDE = 0.97
"""What is shown of a whole picture's sides, so that it can be shaken."""
SHAKE = 0.005
"""How far a beat's picture is moved, at most, of the picture's sides: a frame and its camera tremble."""
SERIES_FRAMES = 4
"""Of one print, at least, to tell how its failure grew."""
SERIES_CHANCE = 0.5
"""That a growing series is shown where the source has one."""


class Shown(NamedTuple):
    """What one beat shows: an image by its index, and which part of it."""

    image: int
    area: Box


class Stage:
    """What staged prints can be made of. Images are named by their index in what is given here.

    Raises UsageError for an image that is not of the split ``train``, and where no source has both something
    normal and something failing to show.
    """

    def __init__(self, images: Sequence[RealImage]) -> None:
        only_train(images, "a staged print")
        self._images = tuple(images)
        self._failing = self._pools(lambda image: image.failing)
        normal = self._pools(lambda image: not image.failing)
        self._normal = {source: pool for source, pool in normal.items() if source in self._failing}
        self._roomy = self._pools(lambda image: bool(image.boxes) and has_room(image.boxes, CROP_SIDES[0]))
        self.sources = tuple(sorted({*self._roomy, *self._normal}))
        if not self.sources:
            raise UsageError(
                f"found {len(images)} images, none with room beside boxes and no source with both labels, "
                "expected some: without them nothing normal can come before a failure"
            )

    def sequence(
        self, beats: int, onset: int | None, rng: np.random.Generator, source: str | None = None
    ) -> tuple[Shown, ...]:
        """What each of ``beats`` shows: a failure from beat ``onset`` on, never one where it is None.

        The source is drawn where none is given. Raises UsageError for one that is not in ``sources``,
        ValueError for an onset that is none of the beats.
        """
        if onset is not None and not 0 <= onset < beats:
            raise ValueError(f"found an onset at beat {onset}, expected one of {beats} beats")
        source = self.sources[int(rng.integers(len(self.sources)))] if source is None else source
        if source not in self.sources:
            raise UsageError(f"found the source {source!r}, expected one of {', '.join(self.sources)}")
        calm = beats if onset is None else onset
        lengths = (holds(calm, rng), holds(beats - calm, rng))
        show = self._whole if source in self._normal else self._cropped
        stills = show(source, len(lengths[0]), len(lengths[1]), rng)
        held = zip(stills, lengths[0] + lengths[1], strict=True)
        return tuple(
            Shown(still.image, shaken(still.area, rng)) for still, length in held for _ in range(length)
        )

    def _whole(self, source: str, calm: int, growing: int, rng: np.random.Generator) -> list[Shown]:
        """Whole pictures; how far a failure has grown is not known of them."""
        failing = self._of_one_kind(self._failing[source], rng)
        chosen = (*rng.choice(self._normal[source], calm), *rng.choice(failing, growing))
        edge = (1 - WHOLE_SIDE) / 2
        return [Shown(int(image), Box(edge, edge, WHOLE_SIDE, WHOLE_SIDE)) for image in chosen]

    def _cropped(self, source: str, calm: int, growing: int, rng: np.random.Generator) -> list[Shown]:
        """Crops beside the failure, then crops of the same size around it."""
        series = self._series(source)
        if series and rng.uniform() < SERIES_CHANCE:
            pool = series[int(rng.integers(len(series)))]
            failing = [pool[at] for at in np.linspace(0, len(pool) - 1, growing).round().astype(np.int64)]
        else:
            pool = self._of_one_kind(self._roomy[source], rng)
            failing = sorted(map(int, rng.choice(pool, growing)), key=self._size)
        side = float(rng.uniform(*CROP_SIDES))
        shown = [self._beside(pool, side, rng) for _ in range(calm)]
        return shown + [Shown(at, area_with(self._images[at].boxes, rng, side)) for at in failing]

    def _beside(self, pool: Pool, side: float, rng: np.random.Generator) -> Shown:
        """A crop beside the failure of some image; a smaller one where none has room for it."""
        for length in (side, CROP_SIDES[0]):
            for at in map(int, rng.permutation(pool)):
                area = area_without(self._images[at].boxes, rng, length)
                if area is not None:
                    return Shown(at, area)
        raise AssertionError("a pool without an image that has room")

    def _series(self, source: str) -> list[Pool]:
        """The prints of a source whose frames show how a failure grew, each in order of its frames."""
        framed = [at for at in self._failing[source] if self._images[at].frame is not None]
        framed.sort(key=self._order)
        prints = [tuple(own) for _, own in groupby(framed, key=lambda at: self._images[at].print_id)]
        roomy = set(self._roomy[source])
        boxed = [tuple(at for at in own if self._images[at].boxes) for own in prints]
        return [own for own in boxed if len(own) >= SERIES_FRAMES and roomy.intersection(own)]

    def _order(self, at: int) -> tuple[str, int]:
        return self._images[at].print_id, self._images[at].frame or 0

    def _size(self, at: int) -> float:
        """The share of the picture that fails."""
        return sum(box.width * box.height for box in self._images[at].boxes)

    def _of_one_kind(self, pool: Pool, rng: np.random.Generator) -> Pool:
        """Those of the same kind as one that is drawn."""
        kind = self._images[int(rng.choice(pool))].kind
        return tuple(at for at in pool if self._images[at].kind is kind)

    def _pools(self, wanted: Callable[[RealImage], bool]) -> dict[str, Pool]:
        """The wanted images by source; sources without any are left out."""
        found: dict[str, Pool] = {}
        for at, image in enumerate(self._images):
            if wanted(image):
                found[image.source] = (*found.get(image.source, ()), at)
        return found


def holds(beats: int, rng: np.random.Generator) -> list[int]:
    """How many beats each still stays; together they are ``beats``."""
    lengths: list[int] = []
    while (left := beats - sum(lengths)) > 0:
        lengths.append(min(int(rng.integers(HOLD_BEATS[0], HOLD_BEATS[1], endpoint=True)), left))
    return lengths


def shaken(area: Box, rng: np.random.Generator) -> Box:
    """The area moved by a little, within the picture."""
    x, y = rng.uniform(-SHAKE, SHAKE, 2)
    left = float(np.clip(area.x + x, 0, 1 - area.width))
    return area._replace(x=left, y=float(np.clip(area.y + y, 0, 1 - area.height)))
