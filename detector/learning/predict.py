"""What the watch says of a user's own pictures, and of prints that were recorded.

A picture is judged by itself, by the frame network alone. A print is judged as if it were watched now: both
senses, their past, physics' rules, and the very alarms that serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from detector.anomaly import Anomaly, Kind, State
from detector.learning.alarms import Watched, anomalies
from detector.learning.cutting import shard_of
from detector.learning.methods import of_model
from detector.learning.seen import FrameJudge, judge_print, peaks_of
from detector.learning.sequences import batch_of, sequence_of
from detector.learning.shards import SUFFIX, Shard, read_shard
from detector.model.engine import EngineName, compiled
from detector.model.failure_map import FoundBox, found_boxes
from detector.model.kinds import VISUAL
from detector.model.temporal import Judged
from detector.model.watch_model import WatchModel
from features.frame import SIDE, to_batch
from features.picture import Picture
from features.stills import to_square
from ingest.records import NS_PER_S

FAILING_FROM = 0.5
"""Probability from which a picture is said to show a failure, unless the user says otherwise."""

Floats = npt.NDArray[np.float32]


class PictureSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one picture.

    ``failing``: the probability that it shows a failure; ``kinds``: of each kind that can be seen, if it does
    show one; ``boxes`` where, the surest first; ``where`` float32 [GRID, GRID] in 0..1.
    """

    failing: float
    kinds: dict[str, float]
    boxes: list[FoundBox]
    where: Floats

    @property
    def kind(self) -> str:
        """The likeliest kind; it means something where a failure is shown alone."""
        return max(self.kinds, key=lambda name: self.kinds[name])


class PictureJudge:
    """The frame network of a watch model, ready for pictures. One thread at a time."""

    def __init__(self, model: WatchModel, *, engine: EngineName = "auto", threads: int = 1) -> None:
        self._run = compiled(model.frame, ("where", "failing", "kinds"), SIDE, engine=engine, threads=threads)

    def judge(self, pictures: Sequence[Picture]) -> list[PictureSaid]:
        """Pictures BGR uint8 [height, width, 3] of any size, each stretched to the network's square."""
        if not pictures:
            return []
        where, failing, kinds = self._run(to_batch([to_square(each, SIDE) for each in pictures]).numpy())
        return [
            PictureSaid(
                failing=float(_probability(failing[at])),
                kinds=dict(zip(map(str, VISUAL), _probability(kinds[at]).tolist(), strict=True)),
                boxes=found_boxes(where[at]),
                where=_probability(where[at]),
            )
            for at in range(len(pictures))
        ]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a print from a moment on; seconds since it began. ``kind`` None: nothing fails."""

    at_s: float
    at_ns: int
    kind: str | None
    probability: float
    since_s: float | None


class PrintSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a print, in the order of time: nothing where nothing was ever wrong with it."""

    name: str
    minutes: float
    frames: int
    begin_ns: int
    changes: list[Change]


def print_of(path: Path) -> Shard:
    """A print of preprocess, or a recording as preprocess would make one. Raises UsageError, SourceError."""
    return read_shard(path) if path.suffix == SUFFIX else shard_of(path)


def judged_print(model: WatchModel, judge: FrameJudge, shard: Shard) -> PrintSaid:
    """What would have been told of a print; ``judge`` is of the model's frame network."""
    calibration, limits = of_model(model)
    seen = judge_print(judge, shard)
    sequence = sequence_of(shard, seen)
    with torch.inference_mode():
        said: Judged = model.temporal.eval()(batch_of([sequence]).tokens)
    at = torch.from_numpy(sequence.beats - sequence.beats[0])
    probabilities = calibration.probabilities(said.logits[0, at].numpy())
    onset_s, peaks = said.onset_s()[0, at].numpy(), peaks_of(seen, shard.clear)
    watched = Watched(shard.facts, shard.beats, shard.told, probabilities, onset_s, peaks)
    told = anomalies(watched, limits, states=(State.OPENED, State.CLOSED))
    return PrintSaid(
        name=shard.facts.name,
        minutes=shard.facts.ends_s / 60,
        frames=int(shard.clear.sum()),
        begin_ns=shard.facts.begin_ns,
        changes=_changes(list(told), shard.facts.begin_ns),
    )


def _changes(told: Sequence[Anomaly], begin_ns: int) -> list[Change]:
    """A line for each anomaly that opens, and one where the last open one is over."""
    found, running = list[Change](), set[Kind]()
    for one in told:
        at_s = (one.at_ns - begin_ns) / NS_PER_S
        if one.state is State.OPENED:
            running.add(one.kind)
            since_s = max((one.onset_ns - begin_ns) / NS_PER_S, 0.0)
            found.append(
                Change(at_s=at_s, at_ns=one.at_ns, kind=one.kind, probability=one.score, since_s=since_s)
            )
        else:
            running.discard(one.kind)
            if not running:
                found.append(
                    Change(at_s=at_s, at_ns=one.at_ns, kind=None, probability=one.score, since_s=None)
                )
    return found


def _probability(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))), np.float32)
