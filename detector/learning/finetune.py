"""Teaches the watch a user's own prints, in minutes on a CPU, without forgetting what it knew.

The frame network stays as it is: it judges the own frames once. The temporal network learns on at a low rate,
each batch half own prints, half old ones that are replayed; then probabilities are calibrated anew where that
helps. What is held out of both says whether anything was gained; if not, nothing is written.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from msgspec.structs import replace

from detector.learning.calibrate import Calibration, fit_calibration
from detector.learning.cutting import SPARED
from detector.learning.finetune_learner import FinetuneLearner, Sets, Side, judged_prints
from detector.learning.methods import of_model
from detector.learning.own_labels import OwnLabel, check_names, read_labels, relabelled
from detector.learning.preprocess import Preprocessed, Stopped, preprocess, recordings_in
from detector.learning.replay_file import REPLAY, read_replay
from detector.learning.seen import FrameJudge, read_seen, see, version_of
from detector.learning.sequences import Filed, TokenSequence, read_sequence, sequence_of
from detector.learning.shards import SUFFIX, Shard, read_shard, shards_in
from detector.model.watch_model import WatchModel, load_watch_model, save_watch_model
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place
from detector.training.loop import fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker
from ingest.errors import SourceError, UsageError
from ingest.recordings.reader import Recording

HELD_OUT = 0.25
"""Share of own prints, and of replayed ones, that are held out."""
FEWEST = 4
"""Labelled prints: with fewer, none can be held out to see whether anything was gained."""
OWN = "own prints"
WARMUP_STEPS = 20


class Finetuning(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    ``sources``: recordings or folders of them; ``labels``: a file of ``own_labels``, None for labels within
    the recordings; ``replay``: folders of preprocessed prints, none for the file that comes along; ``cache``
    keeps what is made of recordings, and is used again.
    """

    sources: tuple[Path, ...]
    output: Path
    cache: Path
    labels: Path | None = None
    replay: tuple[Path, ...] = ()
    recipe: Recipe = Recipe(epochs=24, patience=8, rate=1e-4, warmup_steps=WARMUP_STEPS)
    batch_size: int = 12
    jobs: int = 1
    quiet: bool = False


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """How a network does on held-out prints, its own alarms counted."""

    own: Side
    replayed: Side


class Finetuned(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. ``gained``: held-out prints say that it was worth it, and ``output`` was written.

    ``left_out``: recordings that cannot be read, or of which nobody has said what happened.
    """

    output: str
    gained: bool
    prints: int
    held_out: int
    left_out: list[str]
    before: Sides
    after: Sides
    epochs: int
    calibrated: bool
    seconds: float


def finetune(
    model: WatchModel,
    asked: Finetuning,
    stop: threading.Event,
    *,
    made: Callable[[Preprocessed], None] = lambda done: None,
    told: Callable[[Epoch], None] | None = None,
) -> Finetuned:
    """Learn own prints, and write the network that knows them, too, to ``output`` where it is better.

    ``made`` hears of each recording that is preprocessed, ``told`` of each epoch. Raises UsageError,
    SourceError, NotFinite, and Stopped before the first epoch.
    """
    began_s, left_out = time.monotonic(), list[str]()
    own = own_prints(model, asked, stop, left_out, made)
    _check_enough(own, left_out)
    sets = Sets(*split(own, asked.recipe.seed), *split(replayed_prints(model, asked), asked.recipe.seed))
    calibration, limits = of_model(model)
    learner = FinetuneLearner(
        model.temporal, sets, calibration, limits, batch_size=asked.batch_size, seed=asked.recipe.seed
    )
    first = {name: tensor.clone() for name, tensor in model.temporal.state_dict().items()}
    # In full precision, so that before and after are measured alike.
    options = Options(recipe=replace(asked.recipe, mixed_precision=False), quiet=asked.quiet)
    place = Place(0, 1, torch.device("cpu"))
    fitted = fit(learner, options, place, NoTracker(), stop=stop, told=told)
    if learner.goal_of(learner.sides()) >= learner.goal_of(learner.before):
        model.temporal.load_state_dict(first)
    chosen = _calibration(learner, model, sets, calibration)
    after = learner.sides(chosen)
    gained = learner.goal_of(after) < learner.goal_of(learner.before)
    if gained:
        _save(model, chosen, own, asked.output)
    return Finetuned(
        output=str(asked.output), gained=gained, prints=len(own), held_out=len(sets.own_held_out),
        left_out=left_out, before=Sides(**learner.before), after=Sides(**after), epochs=len(fitted.history),
        calibrated=chosen != calibration, seconds=time.monotonic() - began_s,
    )  # fmt: skip


def own_prints(
    model: WatchModel,
    asked: Finetuning,
    stop: threading.Event,
    left_out: list[str],
    made: Callable[[Preprocessed], None] = lambda done: None,
) -> list[TokenSequence]:
    """The user's prints that bear labels; what is left out is added to ``left_out``, with why."""
    recordings = recordings_in(asked.sources)
    labels = read_labels(asked.labels) if asked.labels is not None else {}
    if asked.labels is not None:
        check_names(asked.labels, labels, [path.stem for path in recordings])
    known = [path for path in recordings if _is_labelled(path, labels, left_out)]
    _drop_stale(known, asked.cache)

    def tell(done: Preprocessed) -> None:
        if done.trouble:
            left_out.append(done.trouble)
        made(done)

    preprocess(known, asked.cache, asked.jobs, tell, stop.is_set)
    shards = [path for each in known if (path := _shard_path(each, asked.cache)).exists()]
    seen = see(FrameJudge(model.frame), shards, asked.cache / "seen", _end_if(stop))
    return [
        sequence_of(_as_labelled(read_shard(shard), labels, asked.labels), read_seen(frames))
        for shard, frames in zip(shards, seen, strict=True)
    ]


def replayed_prints(model: WatchModel, asked: Finetuning) -> list[TokenSequence]:
    """Old prints: those of the folders that are named, else those that come along. Raises UsageError."""
    if not asked.replay:
        if not REPLAY.is_file():
            raise UsageError(f"--replay: found none and no {REPLAY}, expected folders of preprocessed prints")
        return read_replay(REPLAY, version_of(model.frame))
    shards = shards_in(asked.replay)
    seen = see(FrameJudge(model.frame), shards, asked.cache / "replayed")
    return [read_sequence(Filed(shard, frames)) for shard, frames in zip(shards, seen, strict=True)]


def split(prints: Sequence[TokenSequence], seed: int) -> tuple[list[TokenSequence], list[TokenSequence]]:
    """To learn from and held out: of each kind the same share, by chance; a print and its twin together."""
    rng = np.random.default_rng(seed)
    order = [prints[int(at)] for at in rng.permutation(len(prints))]
    order.sort(key=lambda one: (one.facts.kind is None, one.facts.kind or ""))
    every = round(1 / HELD_OUT)
    held_out = [one for number, one in enumerate(order) if number % every == 1]
    names = {one.facts.name.removesuffix(SPARED) for one in held_out}
    learn = [one for one in prints if one.facts.name.removesuffix(SPARED) not in names]
    return learn, [one for one in prints if one.facts.name.removesuffix(SPARED) in names]


def _check_enough(own: Sequence[TokenSequence], left_out: Sequence[str]) -> None:
    if len(own) < FEWEST:
        told = "".join(f"\n{why}" for why in left_out)
        raise UsageError(
            f"found {len(own)} prints with labels, expected {FEWEST} or more: some are held out to see "
            f"whether anything is gained{told}"
        )


def _calibration(learner: FinetuneLearner, model: WatchModel, sets: Sets, before: Calibration) -> Calibration:
    """That of before, or one that is fitted to all held-out prints where that is better."""
    held_out = [*sets.own_held_out, *sets.replayed_held_out]
    fitted = fit_calibration(judged_prints(model.temporal, held_out)[0])
    goals = [learner.goal_of(learner.sides(each)) for each in (before, fitted)]
    return before if goals[0] <= goals[1] else fitted


def _save(model: WatchModel, calibration: Calibration, own: Sequence[TokenSequence], output: Path) -> None:
    classes, about = model.temporal.classes, model.about
    told = hashlib.sha256()
    for tensor in model.temporal.state_dict().values():
        told.update(tensor.contiguous().numpy().tobytes())
    about = replace(
        about,
        version=f"{about.version.partition('+')[0]}+own-{told.hexdigest()[:6]}",
        temperatures=calibration.temperatures(classes),
        biases=calibration.biases(classes),
        data=(*(each for each in about.data if not each.endswith(OWN)), f"{len(own)} {OWN}"),
        figures={},
    )
    save_watch_model(output, model._replace(about=about))
    load_watch_model(output)  # what cannot be read again is told now


def _is_labelled(path: Path, labels: Mapping[str, Iterable[OwnLabel]], left_out: list[str]) -> bool:
    """Whether anybody has said what happened; a print without labels is not one that is fine."""
    try:
        if path.stem in labels or Recording(path).labels():
            return True
    except SourceError as error:
        left_out.append(str(error))
        return False
    left_out.append(f"{path}: found no labels in it nor of it, expected a line of the labels file")
    return False


def _as_labelled(shard: Shard, labels: Mapping[str, Sequence[OwnLabel]], file: Path | None) -> Shard:
    own = labels.get(shard.facts.name, ())
    return relabelled(shard, own, file) if own and file is not None else shard


def _drop_stale(recordings: Sequence[Path], cache: Path) -> None:
    """Forget what was made of a recording that has changed since."""
    for recording in recordings:
        path = _shard_path(recording, cache)
        if path.exists() and path.stat().st_mtime_ns < recording.stat().st_mtime_ns:
            path.unlink()


def _end_if(stop: threading.Event) -> Callable[[Path], None]:
    """What ends the looking at frames, print by print."""

    def done(path: Path) -> None:
        if stop.is_set():
            raise Stopped(f"{path}: was stopped: the same call goes on with what is cached")

    return done


def _shard_path(recording: Path, cache: Path) -> Path:
    return cache / f"{recording.stem}{SUFFIX}"
