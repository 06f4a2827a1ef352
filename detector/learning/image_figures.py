"""How well scores tell failing real images from normal ones, source by source; what accuracy.json holds.

In the sources that pictures are gathered from the label nearly follows the source, so that figures over all
of them would reward knowing the camera: each source stands by itself, and the headline is the plain mean
over those that hold both labels. Nothing here chooses anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.learning.box_precision import box_average_precision
from detector.learning.image_parts import prints
from detector.learning.real_images import RealImage
from detector.model.failure_map import found_boxes
from detector.training.auc import Values, auc_interval, draws_of_auc
from detector.training.intervals import Interval, bootstrap
from detector.training.metrics import Floats, confusion, per_class, roc_auc

Figures: TypeAlias = dict[str, Any]

BOTH_LABELS = ("22yeets22", "mysticaldawn_fixedcam", "hiltes")
"""Sources of the split ``eval`` with both labels, whose mean is the headline. Of caxton's nozzle close-ups,
which have both too, the labels are parameters of the print, hardly visible ones."""
BY_PRINT = frozenset({"hiltes"})
"""Sources with several views, whose prints are told one by one too."""
MIN_PRINTS = 2  # of a label: one says nothing of the spread between prints
_FAILING = 1


def image_figures(
    images: Sequence[RealImage],
    scores: Floats,
    threshold: float,
    *,
    maps: Floats | None = None,
    seed: int = 1,
) -> Figures:
    """Figures of images of one split by source, and ``mean_auc`` where all of BOTH_LABELS are there.

    ``scores`` [n] are higher where an image looks like a failure, which it is called from ``threshold`` on;
    ``maps`` [n, rows, columns] are logits of where. Intervals are 95 %, by print. What a source lacks the
    labels, prints or boxes for is left out. Raises ValueError where the lengths differ.
    """
    if len(scores) != len(images) or (maps is not None and len(maps) != len(images)):
        raise ValueError(f"found {len(scores)} scores and perhaps maps, expected one of {len(images)} images")
    figures: Figures = {}
    for source, at in _sources(images):
        those = [images[number] for number in at]
        figures[source] = source_figures(those, scores[at], threshold, seed)
        boxed = None if maps is None else _map50(those, maps[at])
        figures[source] |= {} if boxed is None else {"map50": boxed}
        if source in BY_PRINT:
            figures[source]["by_print"] = _by_print(those, scores[at], threshold, seed)
    return figures | mean_auc(images, scores, seed)


def called_figures(images: Sequence[RealImage], scores: Floats, threshold: float, seed: int = 1) -> Figures:
    """By source, those of ``source_figures`` that go by the threshold alone."""
    figures: Figures = {}
    for source, at in _sources(images):
        those = [images[number] for number in at]
        figures[source] = _called(_failing(those), scores[at] >= threshold, prints(those), seed)
    return figures


def source_figures(images: Sequence[RealImage], scores: Floats, threshold: float, seed: int = 1) -> Figures:
    """Counts; ``auc`` with ``auc_ci``, ``precision``, ``recall``, ``f1`` as far as the labels allow.

    ``false_frames`` is the share of normal images that are called failing.
    """
    failing, groups = _failing(images), prints(images)
    several = all(len(np.unique(groups[failing == label])) >= MIN_PRINTS for label in (False, True))
    figures: Figures = {
        "frames": len(images),
        "failing": int(failing.sum()),
        "prints": len(np.unique(groups)),
    }
    if failing.any() and not failing.all():
        figures["auc"] = roc_auc(scores, failing)
        draws = draws_of_auc(scores, failing, groups, seed=seed) if several else None
        figures |= {} if draws is None else {"auc_ci": _ends(auc_interval(figures["auc"], draws))}
    return figures | _called(failing, scores >= threshold, groups, seed)


def mean_auc(images: Sequence[RealImage], scores: Floats, seed: int = 1) -> Figures:
    """``mean_auc`` and ``mean_auc_ci`` of BOTH_LABELS; empty where one of them is not there.

    Each source's prints are drawn by themselves, and a draw's figure is the mean over the sources.
    """
    values: list[float] = []
    draws: list[Values] = []
    for number, source in enumerate(BOTH_LABELS):
        at = np.array([n for n, image in enumerate(images) if image.source == source], np.int64)
        those = [images[n] for n in at]
        failing = _failing(those)
        if not failing.any() or failing.all():
            return {}
        values.append(roc_auc(scores[at], failing))
        draws.append(draws_of_auc(scores[at], failing, prints(those), seed=seed + number))
    interval = auc_interval(float(np.mean(values)), np.mean(draws, axis=0))
    return {"mean_auc": interval.value, "mean_auc_ci": _ends(interval)}


def _sources(images: Sequence[RealImage]) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Each source and which images are its."""
    for source in dict.fromkeys(image.source for image in images):
        yield source, np.array([number for number, image in enumerate(images) if image.source == source])


def _called(
    failing: npt.NDArray[np.bool_], called: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64], seed: int
) -> Figures:
    """Of images of one source of which some are called failing, what the labels allow to say of that."""
    figures: Figures = {}
    if failing.any() and not failing.all():
        figures |= _judged(failing, called)
    elif failing.any():
        figures["recall"] = float(called.mean())
    if not failing.all():
        figures |= _false_frames(called[~failing], groups[~failing], seed)
    return figures


def _judged(failing: npt.NDArray[np.bool_], called: npt.NDArray[np.bool_]) -> Figures:
    figures = per_class(confusion(failing.astype(np.int64), called.astype(np.int64), 2))
    return {name: float(values[_FAILING]) for name, values in figures._asdict().items()}


def _false_frames(called: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64], seed: int) -> Figures:
    figures: Figures = {"false_frames": float(called.mean())}
    if len(np.unique(groups)) >= MIN_PRINTS:
        interval = bootstrap(lambda at: float(called[at].mean()), groups, seed=seed)
        figures["false_frames_ci"] = _ends(interval)
    return figures


def _map50(images: Sequence[RealImage], maps: Floats) -> float | None:
    """None for a source without boxes. A failing image whose box was a slip says nothing and is left out."""
    known = [number for number, image in enumerate(images) if image.boxes or not image.failing]
    true = [images[number].boxes for number in known]
    if not any(true):
        return None
    return box_average_precision([found_boxes(maps[number]) for number in known], true)


def _by_print(images: Sequence[RealImage], scores: Floats, threshold: float, seed: int) -> Figures:
    names = np.array([image.print_id for image in images])
    parts = {str(name): np.flatnonzero(names == name) for name in np.unique(names) if name}
    return {
        name: source_figures([images[int(number)] for number in at], scores[at], threshold, seed)
        for name, at in parts.items()
    }


def _failing(images: Sequence[RealImage]) -> npt.NDArray[np.bool_]:
    return np.array([image.failing for image in images], np.bool_)


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
