"""Small made-up prints: 80 s of plain pictures, in which a failure is a chequered square that appears,
and of sensor tokens, in which each kind of failure lifts a number of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from detector.anomaly import Kind
from detector.learning.cutting import SPARED
from detector.learning.shards import BEAT_S, SUFFIX, PrintFacts, Shard, write_shard
from detector.model.kinds import FINE, KINDS, VISUAL
from features.channels import SENSOR_DIM
from features.stills import as_jpeg
from ingest.records import NS_PER_S

BEATS, ONSET = 16, 5
FIRST = 353_445_120
"""The first beat's index: the first of January 2026."""
HEIGHT, WIDTH, SQUARE, LIFT = 96, 128, 48, 3.0


def tiny(
    name: str,
    kind: Kind | None = None,
    *,
    seed: int = 0,
    beats: int = BEATS,
    onset: int = ONSET,
    spared: bool = False,
    blind: bool = False,
) -> Shard:
    """One print; it fails from beat ``onset`` on if it has a kind and is not spared.

    ``blind``: no pictures.
    """
    fails = kind is not None and not spared
    rng = np.random.default_rng(seed)
    level, place = int(rng.integers(60, 120)), rng.integers(0, (HEIGHT - SQUARE, WIDTH - SQUARE))
    failing = (np.arange(beats) >= onset) & fails
    jpegs = [
        b"" if blind else as_jpeg(_picture(level, place if on and kind in VISUAL else None)) for on in failing
    ]
    sensors = rng.normal(0, 0.1, (beats, SENSOR_DIM))
    labels = np.full(beats, FINE, np.int16)
    if kind is not None:
        sensors[failing, KINDS.index(kind)] += LIFT
        labels[failing] = 1 + KINDS.index(kind)
    facts = PrintFacts(
        name=name + SPARED if spared else name,
        simulator="tiny",
        kind=kind if fails else None,
        onset_s=(onset + 0.5) * BEAT_S if fails else None,
        ends_s=beats * BEAT_S,
        spared=spared,
        begin_ns=round(FIRST * BEAT_S) * NS_PER_S,
    )
    return Shard(
        facts=facts,
        beats=np.arange(FIRST, FIRST + beats),
        labels=labels,
        sensors=sensors.astype(np.float16),
        known=np.ones((beats, SENSOR_DIM), np.bool_),
        heard=np.ones(beats, np.bool_),
        clear=np.full(beats, not blind),
        ends=np.cumsum([len(jpeg) for jpeg in jpegs], dtype=np.int64),
        jpegs=np.frombuffer(b"".join(jpegs), np.uint8),
        told=[],
    )


def write_prints(folder: Path, shards: Sequence[Shard]) -> list[Path]:
    """Write them under their names; their paths."""
    paths = [folder / f"{shard.facts.name}{SUFFIX}" for shard in shards]
    for path, shard in zip(paths, shards, strict=True):
        write_shard(path, shard)
    return paths


def write_pairs(folder: Path, kinds: Sequence[Kind], seed: int = 0) -> list[Path]:
    """A failing print of each kind, and each without its failure."""
    return write_prints(
        folder,
        [
            tiny(f"{seed}-{kind}", kind, seed=seed + number, spared=spared)
            for number, kind in enumerate(kinds)
            for spared in (False, True)
        ],
    )


def _picture(level: int, place: npt.NDArray[np.int64] | None) -> npt.NDArray[np.uint8]:
    picture = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    picture[HEIGHT // 2 :] += 20  # the bed
    if place is not None:
        row, column = (int(each) for each in place)
        chequered = np.indices((SQUARE, SQUARE)).sum(0) // 8 % 2
        picture[row : row + SQUARE, column : column + SQUARE] = 40 + 190 * chequered[..., None]
    return picture
