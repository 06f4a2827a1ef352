"""From which score on a real picture is called failing; chosen on held-out ones of the split ``train``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector.learning.image_parts import learn_and_held_out
from detector.learning.real_images import RealImage, picture
from detector.learning.real_lessons import with_and_without
from features.picture import Picture
from ingest.errors import UsageError

SEED = 0
"""Of the part of ``train`` that choices are made on: what ``nozzlewatch train`` holds out by itself."""
FALSE_FRAMES = 0.01
"""Share of normal pictures that whoever is careful bears to be called failing."""

Score = Callable[[Sequence[Picture]], npt.NDArray[np.float64]]
"""The failing logit of each picture."""


class Thresholds(NamedTuple):
    """Logits. From ``even`` on as many failing pictures as can be are called so and as few normal ones;
    ``careful`` is reached by FALSE_FRAMES of what is normal."""

    even: float
    careful: float


def chosen_on_held_out(score: Score, images: Sequence[RealImage]) -> Thresholds:
    """Choose on the held-out ones of these: whole pictures of sources with both labels, and to be careful
    also parts beside the failures of pictures with boxes, which are harder.

    Raises UsageError where no source has both labels.
    """
    held_out = [images[int(at)] for at in learn_and_held_out(images, SEED).held_out] if images else []
    chosen_on = [image for image in held_out if _has_both_labels(held_out, image.source)]
    if not chosen_on:
        raise UsageError(
            "found no real source of the split train with both labels, expected one to choose a threshold on"
        )
    scores = score([picture(image) for image in chosen_on])
    failing = np.array([image.failing for image in chosen_on])
    beside = [parts[1] for image in held_out if (parts := with_and_without(image)) is not None]
    normal = np.concatenate([scores[~failing], score(beside)]) if beside else scores[~failing]
    return Thresholds(_even(scores, failing), float(np.quantile(normal, 1 - FALSE_FRAMES)))


def _even(scores: npt.NDArray[np.float64], failing: npt.NDArray[np.bool_]) -> float:
    levels = np.unique(scores)
    right = [(scores[failing] >= level).mean() + (scores[~failing] < level).mean() for level in levels]
    return float(levels[int(np.argmax(right))])


def _has_both_labels(images: Sequence[RealImage], source: str) -> bool:
    return len({image.failing for image in images if image.source == source}) > 1
