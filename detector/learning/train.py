"""Training of the detector, from prints and pictures to one file of weights, from top to bottom.

    nozzlewatch preprocess prints/train -o beats/train
    nozzlewatch preprocess prints/val -o beats/val
    nozzlewatch train beats/train --held-out beats/val -o model

Before it, ``nozzlewatch simulate --pairs`` makes the prints. On several processes: ``torchrun
--nproc-per-node 2 -m nozzlewatch train …``.

1. The frame network learns where a failure shows: simulated pairs, real pictures with a stated licence. It
   begins with close-ups, without its attention, and goes on with whole pictures.
2. It judges every frame once; what it says is kept beside the prints.
3. Staged prints are put together: real pictures, simulated telemetry.
4. The temporal network learns what fails and since when from all of these.
5. It is calibrated on held-out prints, and from when on it alarms is chosen on them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import torch
from msgspec.structs import replace
from torch import nn

from detector.learning.beat_learner import BeatLearner
from detector.learning.calibrate import LEAST_SURE
from detector.learning.frame_learner import FrameLearner
from detector.learning.keeping import kept, restored
from detector.learning.limits import with_limits
from detector.learning.methods import PrintSet
from detector.learning.paired import PairedPrints
from detector.learning.real_lessons import RealLessons, real_lessons
from detector.learning.seen import FrameJudge, see, version_of
from detector.learning.sequences import Filed
from detector.learning.shards import facts_of, shards_in
from detector.learning.stage_prints import stage_prints
from detector.learning.temporal_learner import TemporalLearner, standardise
from detector.model.frame_network import (
    Backbone,
    FrameNetwork,
    build_frame_network,
    take_over,
    trunk_within,
    without_attention,
)
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalNetwork, TemporalShape, build_temporal
from detector.model.watch_model import WatchAbout, WatchModel, save_watch_model
from detector.surface.train import trunk_of
from detector.training.distributed import Place, running
from detector.training.loop import fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import tracking
from features.channels import SENSOR_DIM

EXPERIMENT = "detector"
TRUNK_RATE = 0.5
"""A trunk that begins with trained weights learns at this share of the rate of what begins at random."""


class DetectorTraining(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    ``prints`` and ``held_out``: folders of preprocess; ``pictures``: those of prints that the frame network
    learns from, ``prints`` where empty. Better others: of pictures that it has learned it is too sure, and
    the temporal network would trust it too much; many prints with few pictures teach it more, too. ``out``:
    of weights and caches; ``data``: real pictures, None to do without; ``trunk``: SqueezeNet's weights to
    begin with, None for random ones; ``pairs_an_epoch`` moments are shown to the frame network an epoch, each
    with its twin and, where there are real pictures, one of these; ``validated`` held-out moments choose its
    best epoch. ``beat_epochs``: the temporal network learns to read single beats first. For comparison:
    ``grey``, pictures lose their colours; ``blind``, the temporal network is shown no frames, ``deaf``, no
    telemetry.
    """

    prints: tuple[Path, ...]
    held_out: tuple[Path, ...]
    out: Path
    pictures: tuple[Path, ...] = ()
    data: Path | None = None
    trunk: Path | None = None
    backbone: Backbone = "attention"
    close_ups: Recipe | None = Recipe(epochs=10, rate=1e-3, warmup_steps=100)
    frames: Recipe = Recipe(epochs=10, rate=6e-4, warmup_steps=100, averaging=0.99)
    pairs_an_epoch: int = 3600
    pictures_a_batch: int = 48
    validated: int = 320
    beat_epochs: int = 90
    temporal: Recipe = Recipe(epochs=16, rate=1e-3, warmup_steps=100, averaging=0.99)
    shape: TemporalShape = TemporalShape(embedding=SIGHT_DIM, sensors=SENSOR_DIM)
    prints_a_batch: int = 12
    staged: int = 240
    grey: bool = False
    blind: bool = False
    deaf: bool = False
    tracked_in: Path | None = None
    resume: bool = False
    quiet: bool = False


class TrainedDetector(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; figures of the best epochs, on held-out prints."""

    out: str
    prints: int
    held_out: int
    frames: dict[str, float]
    temporal: dict[str, float]
    threshold: float


def train(asked: DetectorTraining, stop: threading.Event) -> TrainedDetector | None:
    """Train what is not trained yet in ``out``; None on ranks that do not lead, and where it was stopped.

    A training that was stopped goes on with ``resume``; whatever was finished is not done again. Raises
    UsageError, SourceError, NotFinite.
    """
    prints, held_out = shards_in(asked.prints), shards_in(asked.held_out)
    real = real_lessons(asked.data, asked.frames.seed) if asked.data is not None else None
    with running() as place:
        shown = shards_in(asked.pictures) if asked.pictures else prints
        network, frame_figures = learn_frames(asked, shown, held_out, real, place, stop)
        if network is None:
            return None
        to_learn, to_choose = prints_seen(asked, network, prints, held_out, real, place)
        temporal, figures = learn_temporal(asked, to_learn, to_choose, place, stop)
        if temporal is None or not place.leads:
            return None
    model = with_limits(PrintSet(finished(asked, network, temporal, figures), to_choose))
    save_watch_model(asked.out / "watch.safetensors", model)
    return TrainedDetector(
        out=str(asked.out), prints=len(prints), held_out=len(held_out), frames=frame_figures,
        temporal=figures, threshold=model.about.threshold,
    )  # fmt: skip


def learn_frames(
    asked: DetectorTraining,
    prints: Sequence[Path],
    held_out: Sequence[Path],
    real: RealLessons | None,
    place: Place,
    stop: threading.Event,
) -> tuple[FrameNetwork | None, dict[str, float]]:
    """The frame network with the weights of its best epoch; None where it was stopped."""
    network = build_frame_network(asked.backbone, trunk_of(asked.trunk), asked.frames.seed)
    if (figures := restored(network, asked.out / "frames.safetensors")) is not None:
        return network, figures
    lessons = FrameLessons(PairedPrints(prints), PairedPrints(held_out), real)
    if asked.close_ups is not None and asked.backbone != "shufflenet":
        plain, _ = _taught(
            asked, without_attention(network), asked.close_ups, "close-ups", lessons, place, stop
        )
        if plain is None:
            return None, {}
        take_over(network, plain)
    return _taught(asked, network, asked.frames, "frames", lessons, place, stop)


class FrameLessons(NamedTuple):
    """What the frame network learns from: pairs, held-out ones, real pictures."""

    pairs: PairedPrints
    held_out: PairedPrints
    real: RealLessons | None


def _taught(
    asked: DetectorTraining,
    network: FrameNetwork,
    recipe: Recipe,
    name: Literal["close-ups", "frames"],
    lessons: FrameLessons,
    place: Place,
    stop: threading.Event,
) -> tuple[FrameNetwork | None, dict[str, float]]:
    """A stage of ``learn_frames``: the network with the weights of its best epoch; None where it was
    stopped."""
    file = asked.out / f"{name}.safetensors"
    if (figures := restored(network, file)) is not None:
        return network, figures
    if asked.trunk is not None:
        # Edges and colours are the same in all pictures, and a fifth of a step goes into learning them.
        trunk_within(network).get_submodule("features.0").requires_grad_(False)
    _channels_last(network, place)
    learner = FrameLearner(
        network, *lessons, place, pairs_an_epoch=asked.pairs_an_epoch, batch_size=asked.pictures_a_batch,
        seed=recipe.seed, trunk_rate=TRUNK_RATE if asked.trunk is not None else 1.0, grey=asked.grey,
        validated=asked.validated, close_ups=name == "close-ups",
    )  # fmt: skip
    with tracking(asked.tracked_in, EXPERIMENT, name, place) as tracker:
        fitted = fit(learner, _options(asked, recipe, name), place, tracker, stop=stop)
    return kept(network.to("cpu"), file, fitted, place)


def prints_seen(
    asked: DetectorTraining,
    network: FrameNetwork,
    prints: Sequence[Path],
    held_out: Sequence[Path],
    real: RealLessons | None,
    place: Place,
) -> tuple[list[Filed], list[Filed]]:
    """What the temporal network learns from, staged prints among it, and what is held out."""
    judge = FrameJudge(network)
    filed = [_filed(asked, judge, paths, place) for paths in (prints, held_out)]
    staged = _staged(asked, judge, prints, real, place) if real is not None and asked.staged else []
    return filed[0] + staged, filed[1]


def learn_temporal(
    asked: DetectorTraining,
    prints: Sequence[Filed],
    held_out: Sequence[Filed],
    place: Place,
    stop: threading.Event,
) -> tuple[TemporalNetwork | None, dict[str, float]]:
    """The temporal network with the weights of its best epoch; None where it was stopped."""
    network = build_temporal(asked.shape, asked.temporal.seed)
    file = asked.out / "temporal.safetensors"
    if (figures := restored(network, file)) is not None:
        return network, figures
    standardise(network, prints)
    network.to(place.device)
    with tracking(asked.tracked_in, EXPERIMENT, "beats", place) as tracker:
        beats = BeatLearner(
            network, prints, held_out, place, seed=asked.temporal.seed, blind=asked.blind, deaf=asked.deaf
        )
        recipe = replace(asked.temporal, epochs=asked.beat_epochs)
        if fit(beats, _options(asked, recipe, "beats"), place, tracker, stop=stop).ended == "asked to stop":
            return None, {}
    learner = TemporalLearner(
        network, prints, held_out, place, batch_size=asked.prints_a_batch, seed=asked.temporal.seed,
        blind=asked.blind, deaf=asked.deaf,
    )  # fmt: skip
    with tracking(asked.tracked_in, EXPERIMENT, "temporal", place) as tracker:
        fitted = fit(learner, _options(asked, asked.temporal, "temporal"), place, tracker, stop=stop)
    trained, figures = kept(network.to("cpu"), file, fitted, place)
    if trained is not None and place.leads:
        (asked.out / "beats.training").unlink(missing_ok=True)
    return trained, figures


def finished(
    asked: DetectorTraining,
    frame: FrameNetwork,
    temporal: TemporalNetwork,
    figures: dict[str, float],
) -> WatchModel:
    """Both networks with what the detector needs to know of them; its limits are still to be chosen."""
    simulators = {facts_of(path).simulator for path in shards_in(asked.prints)}
    real = ("prottos", "p3rc", "mysticaldawn") if asked.data is not None else ()
    about = WatchAbout(
        version=f"watch-{version_of(frame)[:6]}{version_of(temporal)[:6]}",
        backbone=frame.kind,
        temporal=temporal.shape,
        threshold=LEAST_SURE,
        min_beats=1,
        within_beats=1,
        simulator=" ".join(sorted(simulators)),
        figures=figures,
        data=("simulated prints", *real),
    )
    return WatchModel(frame, temporal, about)


def _filed(asked: DetectorTraining, judge: FrameJudge, shards: Sequence[Path], place: Place) -> list[Filed]:
    """Each print with what is seen in its frames; each rank looks at its share."""
    cache = asked.out / "seen"
    see(judge, [shards[int(at)] for at in place.share(range(len(shards)))], cache)
    place.wait()
    return [Filed(shard, seen) for shard, seen in zip(shards, see(judge, shards, cache), strict=True)]


def _staged(
    asked: DetectorTraining, judge: FrameJudge, prints: Sequence[Path], real: RealLessons, place: Place
) -> list[Filed]:
    seed = asked.temporal.seed
    folder = asked.out / "staged"
    if place.leads:
        stage_prints(judge, prints, real.learn, folder, count=asked.staged, seed=seed)
    place.wait()
    return stage_prints(judge, prints, real.learn, folder, count=asked.staged, seed=seed)


def _options(asked: DetectorTraining, recipe: Recipe, name: str) -> Options:
    return Options(
        recipe=recipe, checkpoint=asked.out / f"{name}.training", resume=asked.resume,
        log_file=asked.out / f"{name}.jsonl", quiet=asked.quiet,
    )  # fmt: skip


def _channels_last(network: nn.Module, place: Place) -> None:
    # Convolutions on a CPU take less time so.
    network.to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
