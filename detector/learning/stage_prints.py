"""Staged prints: real pictures in order of growth, beside the simulated telemetry of a print that fails so.

No public data pairs pictures with telemetry. These prints let the temporal network see real pixels, in the
order and at the moments in which a failure would show them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.learning.real_images import RealImage, picture
from detector.learning.real_lessons import UNRELIABLE
from detector.learning.seen import SUFFIX as SEEN
from detector.learning.seen import FrameJudge, SeenFrames, write_seen
from detector.learning.sequences import Filed
from detector.learning.shards import ANY, Shard, facts_of, read_shard, write_shard
from detector.learning.shards import SUFFIX as BEATS
from detector.learning.staged import Stage
from detector.model.kinds import KINDS, VISUAL
from features.frame import SIDE

SILENT_KINDS = frozenset({Kind.SPAGHETTI, Kind.DETACHMENT, Kind.WARPING, Kind.STRINGING, Kind.BLOB})
"""Failures that telemetry says nothing of: theirs stands for any that can be seen alone."""
FAILING_SHARE = 0.5


def stage_prints(
    judge: FrameJudge,
    prints: Sequence[Path],
    images: Sequence[RealImage],
    folder: Path,
    *,
    count: int,
    seed: int,
    done: Callable[[Path], None] = lambda path: None,
) -> list[Filed]:
    """So many staged prints, half of them failing, below ``folder``; those that are there stay.

    ``prints`` give the telemetry. Raises UsageError as ``Stage``, and as ``read_shard``.
    """
    stage, found = Stage(images), []
    for number in range(count):
        path = folder / judge.version / f"staged-{seed}-{number:04d}{BEATS}"
        filed = Filed(path, path.with_suffix(SEEN))
        if not filed.seen.exists():
            rng = np.random.default_rng([seed, number])
            shard = _telemetry(prints, rng, failing=number < FAILING_SHARE * count)
            staged, seen = _staged(judge, shard, stage, images, rng)
            write_shard(filed.shard, staged)
            write_seen(filed.seen, seen)
        found.append(filed)
        done(path)
    return found


def _telemetry(prints: Sequence[Path], rng: np.random.Generator, *, failing: bool) -> Shard:
    """A print that is fine, or fails in a way of which telemetry says nothing."""
    for at in rng.permutation(len(prints)):
        path = prints[int(at)]
        kind = facts_of(path).kind
        if (kind in SILENT_KINDS) if failing else (kind is None):
            break
    return read_shard(path, pictures=False)


def _staged(
    judge: FrameJudge, shard: Shard, stage: Stage, images: Sequence[RealImage], rng: np.random.Generator
) -> tuple[Shard, SeenFrames]:
    begun = np.flatnonzero(shard.labels > 0)
    onset = int(begun[0]) if len(begun) else None
    shown = stage.sequence(len(shard.beats), onset, rng)
    seen = judge.judge([picture(images[one.image], SIDE, one.area) for one in shown])
    labels = shard.labels.copy()
    if onset is not None:
        labels[onset:] = np.where(labels[onset:] > 0, _label(images[shown[-1].image]), labels[onset:])
    frames = np.ones(len(labels), np.bool_)
    facts = replace(shard.facts, name=f"{shard.facts.name}-staged", simulator=f"{shard.facts.simulator}+real")
    nothing = np.zeros(0, np.uint8)
    ends = np.zeros(len(labels), np.int64)
    return shard._replace(facts=facts, labels=labels, clear=frames, jpegs=nothing, ends=ends), seen


def _label(image: RealImage) -> int:
    """The class of a real failure, ANY where its kind is not to be trusted."""
    if image.kind not in VISUAL or image.source in UNRELIABLE:
        return ANY
    return 1 + KINDS.index(image.kind)
