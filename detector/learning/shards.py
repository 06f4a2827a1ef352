"""A print as training reads it: beats with their frames, sensor tokens and truth, one file a print.

Files are safetensors, read through the page cache: a set of prints need not fit into memory. ``preprocess``
makes them out of recordings by the code that serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from detector.files import replacing
from features.beats import BEAT_WINDOWS
from features.channels import NAMES
from ingest.errors import UsageError
from ingest.records import NS_PER_S

BEAT_NS = BEAT_WINDOWS * NS_PER_S
BEAT_S = BEAT_NS / NS_PER_S
SUFFIX = ".beats"
FORMAT = "nozzlewatch beats 1"
UNKNOWN = -1
"""A beat that nobody can label: neither fine nor clearly failing."""
ANY = -2
"""A beat of a print that fails, nobody knows how."""


class PrintFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a print. Times are s since ``begin_ns``, that of its first beat where it is 0."""

    name: str
    simulator: str = ""  # "" for a real one
    kind: str | None = None  # how it fails, None for one that does not
    mechanism: str = ""
    severity: float = 0.0
    growth_s: float = 0.0
    onset_s: float | None = None
    ends_s: float = 0.0
    halted_s: float | None = None  # when the firmware halted by itself
    spared: bool = False  # the same as another print, but without its failure
    begin_ns: int = 0


class Told(NamedTuple):
    """What rules said of a window: as ``detector.anomaly.Reason``, with its window's index.

    Older prints say nothing of the channels behind it.
    """

    window: int
    kind: str
    probability: float
    since_ns: int
    text: str
    channels: Mapping[str, float] = {}


class Shard(NamedTuple):
    """One print. ``n`` beats in ascending order; holes are beats that are missing."""

    facts: PrintFacts
    beats: npt.NDArray[np.int64]  # [n] index
    labels: npt.NDArray[np.int16]  # [n] class of the temporal network, UNKNOWN
    sensors: npt.NDArray[np.float16]  # [n, SENSOR_DIM]
    known: npt.NDArray[np.bool_]  # [n, SENSOR_DIM]
    heard: npt.NDArray[np.bool_]  # [n] telemetry said anything
    clear: npt.NDArray[np.bool_]  # [n] there is a frame that can be judged
    ends: npt.NDArray[np.int64]  # [n] where each beat's JPEG ends in ``jpegs``
    jpegs: npt.NDArray[np.uint8]
    told: list[Told]

    def jpeg(self, beat: int) -> bytes:
        """The frame of the beat in this row, b"" for none."""
        return bytes(self.jpegs[self.ends[beat - 1] if beat else 0 : self.ends[beat]])

    def since_s(self) -> npt.NDArray[np.float32]:
        """Seconds from the onset to each beat's end, NaN before it and in prints that do not fail."""
        at_s = self.at_s()
        onset_s = np.inf if self.facts.onset_s is None else self.facts.onset_s
        return np.where(at_s >= onset_s, at_s - onset_s, np.nan).astype(np.float32)

    def at_s(self) -> npt.NDArray[np.float64]:
        """Each beat's end, s since the print's begin."""
        begin_ns = self.facts.begin_ns or int(self.beats[0]) * BEAT_NS
        return np.asarray(((self.beats + 1) * BEAT_NS - begin_ns) / NS_PER_S, np.float64)


JPEGS = "jpegs"
ARRAYS = ("beats", "labels", "sensors", "known", "heard", "clear", "ends", "jpegs")


def write_shard(path: Path, shard: Shard) -> None:
    """Write a print; it appears whole or not at all."""
    arrays = {name: np.ascontiguousarray(getattr(shard, name)) for name in ARRAYS}
    metadata = {
        "format": FORMAT,
        "names": ",".join(NAMES),
        "facts": msgspec.json.encode(shard.facts).decode(),
        "told": msgspec.json.encode(shard.told).decode(),
    }
    with replacing(path) as fresh:
        fresh.write_bytes(save(arrays, metadata))


def read_shard(path: Path, *, pictures: bool = True) -> Shard:
    """A print, without its JPEGs where these are not wanted: they are nearly all of it.

    Raises UsageError for another file, and for one whose tokens are of another make.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            _check(path, metadata)
            arrays = {name: file.get_tensor(name) for name in ARRAYS if pictures or name != JPEGS}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: found what is no print ({error}), expected one of preprocess") from error
    facts = msgspec.json.decode(metadata["facts"], type=PrintFacts)
    arrays.setdefault(JPEGS, np.zeros(0, np.uint8))
    return Shard(facts, **arrays, told=msgspec.json.decode(metadata["told"], type=list[Told]))


def facts_of(path: Path) -> PrintFacts:
    """What is known of a print, without its beats. Raises UsageError."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: found what is no print ({error}), expected one of preprocess") from error
    _check(path, metadata)
    return msgspec.json.decode(metadata["facts"], type=PrintFacts)


def shards_in(folders: Sequence[Path]) -> list[Path]:
    """The prints in these folders, in a fixed order. Raises UsageError where one holds none."""
    found = []
    for folder in folders:
        here = sorted(folder.glob(f"*{SUFFIX}"))
        if not here:
            raise UsageError(f"{folder}: found no *{SUFFIX}, expected prints made by nozzlewatch preprocess")
        found += here
    return found


def _check(path: Path, metadata: dict[str, str]) -> None:
    if metadata.get("format") != FORMAT or metadata.get("names") != ",".join(NAMES):
        raise UsageError(
            f"{path}: found {metadata.get('format', 'another file')}"
            f"{'' if metadata.get('format') != FORMAT else ' with other sensor tokens'}, expected {FORMAT} "
            "with those of this version: run nozzlewatch preprocess again"
        )
