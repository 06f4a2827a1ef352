"""Simulated pictures for the frame network: each failing one beside the same moment without its failure.

What differs between the two is the failure, and where it differs is the failure's place: a label that no
person need draw. A failure that shows in no cell yet is called neither failing nor fine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from detector.anomaly import Kind
from detector.learning.cutting import SPARED
from detector.learning.shards import PrintFacts, Shard, read_shard
from detector.model.kinds import VISUAL
from features.difference import differing
from features.frame import SIDE, decode_frame
from features.picture import Picture

AFTER_ONSET_S = 10.0
"""Pairs are taken from so long after the onset on."""


class PairedBeat(NamedTuple):
    """A moment of a failing print and of the same print without its failure; rows of both."""

    failing: Path
    row: int
    sound: Path
    sound_row: int
    kind: Kind


class Pair(NamedTuple):
    """Two pictures BGR uint8 [SIDE, SIDE, 3] and where they differ, bool [SIDE, SIDE]."""

    failing: Picture
    sound: Picture
    differs: npt.NDArray[np.bool_]
    kind: Kind


class PairedPrints:
    """The pairs of a set of prints, by kind and print. Pictures are read when they are asked for."""

    def __init__(self, shards: Sequence[Path]) -> None:
        paths = {path.stem: path for path in shards}
        self.prints: dict[Kind, list[list[PairedBeat]]] = {kind: [] for kind in VISUAL}
        for name, path in paths.items():
            twin = paths.get(name + SPARED)
            if twin is None:
                continue
            beats = list(_paired(path, twin))
            if beats:
                self.prints[beats[0].kind].append(beats)

    def __len__(self) -> int:
        """How many prints have a pair."""
        return sum(len(prints) for prints in self.prints.values())

    def draw(self, count: int, rng: np.random.Generator) -> list[PairedBeat]:
        """Moments: of each print as many, any moment as likely as another. So the prints decide how much is
        learned of each kind."""
        prints = [beats for those in self.prints.values() for beats in those]
        drawn = []
        for _ in range(count):
            beats = prints[int(rng.integers(len(prints)))]
            drawn.append(beats[int(rng.integers(len(beats)))])
        return drawn


def read_pair(beat: PairedBeat) -> Pair | None:
    """The pictures of a moment; None where one cannot be decoded."""
    one = decode_frame(jpeg_at(beat.failing, beat.row), SIDE)
    other = decode_frame(jpeg_at(beat.sound, beat.sound_row), SIDE)
    if one is None or other is None:
        return None
    return Pair(one, other, differing(one, other), beat.kind)


def jpeg_at(path: Path, row: int) -> bytes:
    """One frame of a print, without reading the others."""
    with safe_open(path, framework="np") as file:
        ends = file.get_slice("ends")[max(row - 1, 0) : row + 1]
        begin, end = (0, int(ends[0])) if row == 0 else (int(ends[0]), int(ends[1]))
        return bytes(file.get_slice("jpegs")[begin:end])


def _paired(path: Path, twin: Path) -> Iterator[PairedBeat]:
    failing = read_shard(path, pictures=False)
    kind = _seen(failing.facts)
    if kind is None:
        return
    sound = read_shard(twin, pictures=False)
    rows = {int(beat): row for row, beat in enumerate(sound.beats)}
    for row in _shown(failing):
        at = rows.get(int(failing.beats[row]))
        if at is not None and sound.clear[at]:
            yield PairedBeat(path, int(row), twin, at, kind)


def _seen(facts: PrintFacts) -> Kind | None:
    return Kind(facts.kind) if facts.kind in VISUAL and facts.onset_s is not None else None


def _shown(shard: Shard) -> npt.NDArray[np.intp]:
    """Rows with a clear frame in which the failure is on."""
    since_s = shard.since_s()
    return np.flatnonzero(shard.clear & (shard.labels > 0) & (np.nan_to_num(since_s) >= AFTER_ONSET_S))
