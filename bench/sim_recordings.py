"""What the judges of the simulator read: simulated recordings, what is true of them, and where figures go.

Recordings are read a chunk at a time and frames are picked while they pass: memory does not grow with the
number of prints or with their length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bench.machine import ROOT, origin
from ingest.errors import UsageError
from ingest.recordings.format import CAMERA, Picture, Truth
from ingest.recordings.reader import Recording
from ingest.recordings.writer import SUFFIX
from ingest.records import CHANNEL, COUNTED, NS_PER_S, Reading
from ingest.simulate.faults import BLINDING, SEEN_ONLY

Values: TypeAlias = npt.NDArray[np.float64]

FIGURES = ROOT / "bench" / "simulator.json"


class Shown(NamedTuple):
    """A frame that was picked: when it was taken, its JPEG, and whether the print is failing in it."""

    at_ns: int
    jpeg: bytes
    failing: bool


class Sampling(NamedTuple):
    """Which frames of a recording are picked."""

    each: int = 4  # normal ones and failing ones, at most
    growth_s: float = 30.0  # a failure counts as visible from so long after its onset …
    grown: float = 0.5  # … and from this share of its own growth on, where that is told
    skip_s: float = 120.0  # left out at every print's beginning: an empty bed that heats up
    kinds: frozenset[str] = SEEN_ONLY  # frames of other failures are left out


class _Growth(msgspec.Struct):
    growth_s: float = 0.0


class Second(NamedTuple):
    """What arrived within one second of a print, counted from its first message.

    ``values`` is float64 [channels]: each channel's last value, the sum for counted ones, NaN where nothing
    arrived. ``jpeg`` is the second's last picture, None where the camera said nothing.
    """

    at_s: int
    values: Values
    jpeg: bytes | None


def recordings(folder: Path) -> list[Path]:
    """The recordings in a folder and below it, in a fixed order; hidden folders hold what is in the making.

    Raises UsageError where there are none.
    """
    below = (path.relative_to(folder) for path in folder.rglob(f"*{SUFFIX}"))
    found = sorted(folder / path for path in below if not any(part.startswith(".") for part in path.parts))
    if not found:
        raise UsageError(
            f"{folder}: found no *{SUFFIX}, expected simulated recordings: run the simulator first"
        )
    return found


def simulator(recording: Recording) -> str:
    """Which version of the simulator made it, "" where it does not say."""
    return recording.about.simulator if recording.about is not None else ""


def onset_ns(truths: Sequence[Truth]) -> int | None:
    """When the print began to fail; None for one that did not, whatever befell camera and telemetry."""
    failures = (truth.from_ns for truth in truths if truth.kind is not None and truth.kind not in BLINDING)
    return min(failures, default=None)


def only_blind(truths: Sequence[Truth]) -> bool:
    """Whether something is wrong with the watch and nothing with the print."""
    return onset_ns(truths) is None and any(truth.kind in BLINDING for truth in truths)


def failing_at(truths: Sequence[Truth], at_ns: int, sampling: Sampling) -> bool | None:
    """Whether a frame shows a failure; None where that cannot be said.

    It is shown from when it has grown until its end, and by no frame before the first onset. What lies in
    between, after it, or beside a fault of the camera is left out.
    """
    now = [truth for truth in truths if truth.from_ns <= at_ns <= truth.to_ns]
    if any(truth.kind == "camera_fault" for truth in now):
        return None
    if any(truth.kind in sampling.kinds and at_ns >= grown_ns(truth, sampling) for truth in now):
        return True
    onset = onset_ns(truths)
    return False if onset is None or at_ns < onset else None


def grown_ns(truth: Truth, sampling: Sampling) -> int:
    """From when on a failure counts as visible; ours tell in their text how long they grow."""
    try:
        told = msgspec.json.decode(truth.text, type=_Growth)
    except msgspec.DecodeError:
        told = _Growth()
    return truth.from_ns + round(max(sampling.growth_s, sampling.grown * told.growth_s) * NS_PER_S)


def sampled(recording: Recording, sampling: Sampling, random: np.random.Generator) -> list[Shown]:
    """The frames of a recording that are picked, any of them as likely as any other. Raises SourceError."""
    truths = recording.labels()
    kept: dict[bool, list[Shown]] = {False: [], True: []}
    passed = {False: 0, True: 0}
    begin_ns: int | None = None
    for picture in pictures(recording):
        begin_ns = picture.at_ns if begin_ns is None else begin_ns
        failing = failing_at(truths, picture.at_ns, sampling)
        if failing is None or picture.at_ns - begin_ns < sampling.skip_s * NS_PER_S:
            continue
        passed[failing] += 1
        _keep(
            kept[failing], Shown(picture.at_ns, picture.data, failing), sampling.each, passed[failing], random
        )
    return kept[False] + kept[True]


def pictures(recording: Recording) -> Iterator[Picture]:
    """All pictures of a recording in the order of their arrival. Raises SourceError."""
    for batch in recording.read({CAMERA}, ""):
        for arrival in batch:
            if isinstance(arrival.content, Picture):
                yield arrival.content


def seconds(recording: Recording) -> Iterator[Second]:
    """A print second by second, none left out between its first message and its last. Raises SourceError."""
    at_s, values, jpeg = 0, _nothing(), None
    begin_ns: int | None = None
    for batch in recording.read({CAMERA, *recording.telemetry}, ""):
        for arrival_ns, content in batch:
            begin_ns = arrival_ns if begin_ns is None else begin_ns
            while (arrival_ns - begin_ns) // NS_PER_S > at_s:
                yield Second(at_s, values, jpeg)
                at_s, values, jpeg = at_s + 1, _nothing(), None
            if isinstance(content, Picture):
                jpeg = content.data
            elif isinstance(content, Reading):
                _note(values, content)
    if begin_ns is not None:
        yield Second(at_s, values, jpeg)


def first_ns(recording: Recording) -> int:
    """When a recording's first message arrived, ns; what ``Second.at_s`` counts from."""
    for batch in recording.read({CAMERA, *recording.telemetry}, ""):
        for arrival in batch:
            return arrival.arrival_ns
    return 0


def write_section(name: str, command: str, figures: dict[str, object], file: Path = FIGURES) -> None:
    """Put figures, with where and when they were measured, into a section; the others stay as they are."""
    before = json.loads(file.read_text()) if file.exists() else {}
    told = {**before, name: {"simulated": True, **figures, "origin": origin(command)}}
    file.write_text(json.dumps(told, indent=1) + "\n")


def _keep(kept: list[Shown], shown: Shown, most: int, passed: int, random: np.random.Generator) -> None:
    """Reservoir sampling: after ``passed`` frames each of them is in ``kept`` with the same probability."""
    if len(kept) < most:
        kept.append(shown)
    elif (place := int(random.integers(passed))) < most:
        kept[place] = shown


def _note(values: Values, reading: Reading) -> None:
    column = CHANNEL[reading.channel]
    adds = reading.channel in COUNTED and not np.isnan(values[column])
    values[column] = values[column] + reading.value if adds else reading.value


def _nothing() -> Values:
    return np.full(len(CHANNEL), np.nan)
