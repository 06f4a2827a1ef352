"""The search for a good temporal network and recipe; it goes on where it was stopped, or killed.

The frame network is that of the training in the same folder, which is trained first where it is not there;
what it says of the prints is kept, so that a trial costs the temporal network alone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from detector.learning.real_lessons import real_lessons
from detector.learning.sequences import Filed
from detector.learning.shards import shards_in
from detector.learning.temporal_learner import TemporalLearner, standardise
from detector.learning.train import DetectorTraining, learn_frames, prints_seen
from detector.model.temporal import build_temporal
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place, running
from detector.training.loop import fit
from detector.training.recipe import Options
from detector.training.tracking import NoTracker
from detector.training.tuning import Between, OneOf, Report, Space, Tried, Value, Whole, tune
from ingest.errors import UsageError

SPACE: Space = {
    "rate": Between(1e-4, 5e-3, log=True),
    "width": OneOf((64, 96, 128, 192)),
    "layers": Whole(1, 4),
    "band": OneOf((12, 24, 48, 96)),
    "dropout": Between(0.0, 0.3),
    "batch_size": OneOf((6, 12, 24)),
}
"""Each width is one that the usual four heads divide."""
STUDY: Final = "tuning"


class DetectorTuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried, in order, and the best of what was finished; ``goal`` is that of the temporal network:
    mistakes per 100 held-out prints at its best threshold, and a loss that tells equal ones apart."""

    best: Tried | None
    tried: list[Tried]


class Lesson(NamedTuple):
    """What each trial learns from, and is judged on."""

    prints: Sequence[Filed]
    held_out: Sequence[Filed]


def tuned(asked: DetectorTraining, trials: int, stop: threading.Event) -> DetectorTuned | None:
    """Search until ``trials`` are done, those of earlier calls counted in; what ``asked`` says of the
    temporal network is replaced by each trial's own, but for its epochs, seed and heads.

    None where it was stopped before the first trial. Raises UsageError, SourceError, NotFinite.
    """
    with running() as place:
        if place.world > 1:
            raise UsageError(f"found {place.world} processes, expected one: trials learn one after the other")
        lesson = _lesson(asked, place, stop)
        if lesson is None:
            return None

        def objective(params: Mapping[str, Value], report: Report) -> float:
            return _goal_of(asked, lesson, place, params, report, stop)

        found = tune(
            objective, SPACE, name=f"temporal {asked.temporal.epochs} epochs", trials=trials,
            folder=asked.out / STUDY, seed=asked.temporal.seed, higher_is_better=False, stop=stop,
            quiet=asked.quiet,
        )  # fmt: skip
    return DetectorTuned(best=found.best, tried=found.tried)


def _lesson(asked: DetectorTraining, place: Place, stop: threading.Event) -> Lesson | None:
    prints, held_out = shards_in(asked.prints), shards_in(asked.held_out)
    real = real_lessons(asked.data, asked.frames.seed) if asked.data is not None else None
    network, _ = learn_frames(asked, prints, held_out, real, place, stop)
    if network is None:
        return None
    return Lesson(*prints_seen(asked, network, prints, held_out, real, place))


def _goal_of(
    asked: DetectorTraining,
    lesson: Lesson,
    place: Place,
    params: Mapping[str, Value],
    report: Report,
    stop: threading.Event,
) -> float:
    """Train with these parameters; the best goal of an epoch."""
    shape = replace(
        asked.shape, width=cast(int, params["width"]), layers=cast(int, params["layers"]),
        band=cast(int, params["band"]), dropout=cast(float, params["dropout"]),
    )  # fmt: skip
    network = build_temporal(shape, asked.temporal.seed)
    standardise(network, lesson.prints)
    learner = TemporalLearner(
        network.to(place.device), lesson.prints, lesson.held_out, place,
        batch_size=cast(int, params["batch_size"]), seed=asked.temporal.seed,
    )  # fmt: skip

    def told(epoch: Epoch) -> None:
        report(epoch.number, epoch.metrics[learner.goal])

    options = Options(recipe=replace(asked.temporal, rate=cast(float, params["rate"])), quiet=True)
    fitted = fit(learner, options, place, NoTracker(), stop=stop, told=told)
    return fitted.best.metrics[learner.goal] if fitted.best is not None else float("inf")
