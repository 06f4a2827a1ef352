"""Prints as sequences of tokens for the temporal network, with senses left out as on real farms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from detector.learning.seen import SeenFrames, read_seen
from detector.learning.shards import UNKNOWN, PrintFacts, Shard, read_shard
from detector.model.kinds import VISUAL
from detector.model.past import sights
from detector.model.temporal import Tokens

WITHOUT_A_SENSE = 0.12
"""Share of prints that are shown without camera, and again without telemetry."""
STRETCH_SHARE, STRETCH_BEATS = 0.2, (6, 60)
"""Share of prints in which a sense is away for a while, and for how many beats."""
BEAT_SHARE = 0.05
"""Share of single beats without a frame."""
LATEST_BEGIN = 0.4
"""A print is watched from some beat in this first part of it on."""
DOUBT_S, SURE_S, SURE_GROWTH = 8.0, 40.0, 0.3
"""A failure that can be seen counts from ``DOUBT_S`` after its onset on, and in full from ``SURE_S`` and this
share of its growth on: before, nothing may be seen of it."""


FAILING_BEATS, SHARES = 40.0, (0.3, 6.0)
"""Weight of a print's failing beats together, and the bounds of the factor that this takes."""


class TokenSequence(NamedTuple):
    """A print of n beats as the temporal network is shown it, and what it should say.

    ``embeddings`` float16 [n, SIGHT_DIM], ``seen`` bool [n]: a frame that could be judged; ``sensors``
    float16 and ``known`` bool [n, SENSOR_DIM], ``heard`` bool [n]; ``beats`` int64 [n], holes are left out;
    ``labels`` int16 [n], ``since_s`` float32 [n], NaN before the onset; ``weights`` float32 [n].
    """

    facts: PrintFacts
    embeddings: npt.NDArray[np.float16]
    seen: npt.NDArray[np.bool_]
    sensors: npt.NDArray[np.float16]
    known: npt.NDArray[np.bool_]
    heard: npt.NDArray[np.bool_]
    beats: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int16]
    since_s: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    def part(self, begin: int, end: int) -> TokenSequence:
        """Beats of the rows from ``begin`` up to ``end``."""
        fields = {name: getattr(self, name)[begin:end] for name in self._fields if name != "facts"}
        return self._replace(**fields)


class Batch(NamedTuple):
    """Tokens [n, t, ...] and of each beat its class (UNKNOWN: none), weight and s since the onset (NaN)."""

    tokens: Tokens
    labels: Tensor
    weights: Tensor
    since_s: Tensor


class Filed(NamedTuple):
    """Where a print lies, and what the frame network says of its frames (or of those of a staged one)."""

    shard: Path
    seen: Path


def sequence_of(shard: Shard, seen: SeenFrames) -> TokenSequence:
    """A print with what is seen in its frames."""
    since_s = shard.since_s()
    return TokenSequence(
        facts=shard.facts,
        embeddings=sights(seen.embeddings, shard.clear),
        seen=shard.clear,
        sensors=shard.sensors,
        known=shard.known,
        heard=shard.heard,
        beats=shard.beats,
        labels=shard.labels,
        since_s=since_s,
        weights=weights_of(shard.facts, since_s),
    )


def read_sequence(filed: Filed) -> TokenSequence:
    """A print from its files."""
    return sequence_of(read_shard(filed.shard, pictures=False), read_seen(filed.seen))


def weights_of(facts: PrintFacts, since_s: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How much each beat counts.

    Of a failure that only a picture shows little at first, nothing at once. And all failing beats of a print
    together count as ``FAILING_BEATS``: a heater's fault is over with the firmware's halt after some beats,
    where spaghetti goes on for a hundred.
    """
    failing = ~np.isnan(since_s)
    grown = np.ones(len(since_s))
    if facts.kind in VISUAL:
        sure_s = SURE_S + SURE_GROWTH * facts.growth_s
        grown = np.clip((np.nan_to_num(since_s, nan=np.inf) - DOUBT_S) / (sure_s - DOUBT_S), 0, 1)
    share = np.clip(FAILING_BEATS / max(float(grown[failing].sum()), 1.0), *SHARES)
    return np.where(failing, grown * share, 1).astype(np.float32)


def with_gaps(print_: TokenSequence, rng: np.random.Generator) -> TokenSequence:
    """The print as it might have been sensed: from some beat on, without a sense, or with gaps in both."""
    begin = int(rng.integers(0, int(LATEST_BEGIN * len(print_.beats)) + 1))
    shown = print_.part(begin, len(print_.beats))
    seen, heard = shown.seen.copy(), shown.heard.copy()
    lost = rng.uniform()
    if lost < WITHOUT_A_SENSE:
        seen[:] = False
    elif lost < 2 * WITHOUT_A_SENSE:
        heard[:] = False
    else:
        for sense in (seen, heard):
            if rng.uniform() < STRETCH_SHARE:
                first = int(rng.integers(len(sense)))
                sense[first : first + int(rng.integers(*STRETCH_BEATS))] = False
        seen &= rng.uniform(size=len(seen)) >= BEAT_SHARE
    return shown._replace(seen=seen, heard=heard)


def batch_of(prints: Sequence[TokenSequence]) -> Batch:
    """Prints side by side, each at its own beats, filled up at the end."""
    spans = [int(each.beats[-1] - each.beats[0]) + 1 for each in prints]
    size = (len(prints), max(spans))

    def laid(name: str, fill: float, dtype: torch.dtype) -> Tensor:
        first = getattr(prints[0], name)
        whole = torch.full((*size, *first.shape[1:]), fill, dtype=dtype)
        for row, each in enumerate(prints):
            whole[row, each.beats - each.beats[0]] = torch.from_numpy(getattr(each, name)).to(dtype)
        return whole

    there = torch.zeros(size, dtype=torch.bool)
    for row, each in enumerate(prints):
        there[row, each.beats - each.beats[0]] = True
    return Batch(
        Tokens(
            embeddings=laid("embeddings", 0, torch.float32),
            seen=laid("seen", 0, torch.bool),
            sensors=laid("sensors", 0, torch.float32),
            known=laid("known", 0, torch.bool),
            heard=laid("heard", 0, torch.bool),
            there=there,
        ),
        laid("labels", UNKNOWN, torch.int64),
        laid("weights", 0, torch.float32),
        laid("since_s", float("nan"), torch.float32),
    )
