"""Simple scores of a print, second by second: what a rule with one threshold could be set on.

A track is what one channel or one plain look at the picture tells, float64 [seconds]; a score is computed
from one track and looks back only.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from bench.sim_recordings import seconds
from detector import novelty
from detector.model.build import build_encoder
from detector.model.encoder import CHUNK, SIDE
from features import quality
from features.frame import decode_frame
from features.picture import Picture
from ingest.recordings.reader import Recording
from ingest.records import CHANNEL, NS_PER_S

Values: TypeAlias = npt.NDArray[np.float64]

PICTURED = ("brightness", "contrast", "edges", "saturation", "frame_change", "novelty")
OFF_TARGET = {"hotend_off_c": ("hotend_c", "hotend_target_c"), "bed_off_c": ("bed_c", "bed_target_c")}
SETTLED_C = 3.0
"""So near to a new target a heater counts as having reached it."""
WINDOW_S = 60
"""Span of the moving standard deviation."""


def tracked(recording: Recording, with_novelty: bool) -> dict[str, Values]:
    """Every channel and what simple looks at the picture tell, float64 [seconds]; NaN where nothing came."""
    rows, looks = [], _Looks(with_novelty)
    for second in seconds(recording):
        looks.take(second.at_s, second.jpeg)
        rows.append(second.values)
    table = np.array(rows)
    tracks = {name: table[:, column] for name, column in CHANNEL.items()}
    tracks |= looks.tracks(len(rows))
    tracks["telemetry_gap_s"] = _run(np.cumsum(~np.isnan(table).all(axis=1)).astype(np.float64))
    tracks["camera_gap_s"] = _run(np.cumsum(~np.isnan(tracks["brightness"])).astype(np.float64))
    return tracks | dict(_off_target(tracks))


def scored(tracks: dict[str, Values]) -> Iterator[tuple[str, Values]]:
    """Every score of every track, with its name; each looks back only."""
    for name, track in tracks.items():
        known = _held(track)
        if not np.isnan(known).all():
            for title, score in SCORES.items():
                yield f"{title} {name}".strip(), score(known)


class _Looks:
    """What is seen second by second: plain figures of each picture, and novelty where it is asked for."""

    def __init__(self, with_novelty: bool) -> None:
        self._found: list[tuple[int, list[float]]] = []
        self._before: Picture | None = None
        self._novelty = _Novelty() if with_novelty else None

    def take(self, at_s: int, jpeg: bytes | None) -> None:
        """Look at the second's picture, if there is one that can be read."""
        small = (
            None if jpeg is None else cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
        )
        if jpeg is None or small is None:
            return
        picture = np.asarray(small, np.uint8)
        self._found.append((at_s, _plain(picture, self._before)))
        self._before = picture
        if self._novelty is not None:
            self._novelty.take(at_s, jpeg)

    def tracks(self, length: int) -> dict[str, Values]:
        """float64 [length] for each of PICTURED, NaN in seconds without a picture."""
        table = np.full((length, len(PICTURED)), np.nan)
        for at_s, figures in self._found:
            table[at_s, : len(figures)] = figures
        for at_s, z in self._novelty.told() if self._novelty is not None else ():
            table[at_s, -1] = z
        return {name: table[:, column] for column, name in enumerate(PICTURED)}


class _Novelty:
    """The detector's novelty of each picture, as its judge computes it: a marked picture teaches nothing."""

    def __init__(self) -> None:
        self._encoder = build_encoder("cpu")
        self._camera: quality.QualityState | None = None
        self._past: novelty.NoveltyState | None = None
        self._waiting: list[tuple[int, Picture]] = []
        self._told: list[tuple[int, float]] = []

    def take(self, at_s: int, jpeg: bytes) -> None:
        picture = decode_frame(jpeg, SIDE)
        if picture is None:
            return
        self._camera, marks = quality.advance(self._camera, quality.look(picture), at_s * NS_PER_S)
        if not marks:
            self._waiting.append((at_s, picture))
        if self._camera.moved_for_good:
            self._judge()
            self._past = None
        if len(self._waiting) == CHUNK:
            self._judge()

    def told(self) -> list[tuple[int, float]]:
        """Second and z of every picture that was judged."""
        self._judge()
        return self._told

    def _judge(self) -> None:
        embeddings = self._encoder.encode([picture for _, picture in self._waiting])
        for (at_s, _), embedding in zip(self._waiting, embeddings, strict=True):
            self._past, found = novelty.advance(self._past, embedding, at_s * NS_PER_S)
            if found.z is not None:
                self._told.append((at_s, found.z))
        self._waiting.clear()


def _plain(picture: Picture, before: Picture | None) -> list[float]:
    """Brightness, contrast, edges (Canny's share), saturation, mean change since the picture before."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    saturation = cv2.mean(cv2.cvtColor(picture, cv2.COLOR_BGR2HSV))[1]
    edges = cv2.countNonZero(cv2.Canny(grey, 60, 150)) / grey.size
    change = np.nan
    if before is not None and before.shape == picture.shape:
        change = cv2.norm(picture, before, cv2.NORM_L1) / picture.size
    return [float(grey.mean()), float(grey.std()), edges, saturation, change]


def _off_target(tracks: dict[str, Values]) -> Iterator[tuple[str, Values]]:
    """How far a heater is from its target; the second kind from when it first came near it on."""
    for name, (value, target) in OFF_TARGET.items():
        asked, off = _held(tracks[target]), np.abs(_held(tracks[value]) - _held(tracks[target]))
        yield name, off
        settled, reached = np.full(len(off), np.nan), False
        for at, missing in enumerate(off):
            reached = missing <= SETTLED_C or (reached and asked[at] == asked[at - 1])
            settled[at] = missing if reached else np.nan
        yield f"settled_{name}", settled


def _held(track: Values) -> Values:
    """Each second's last known value, NaN before the first."""
    at = np.maximum.accumulate(np.where(np.isnan(track), -1, np.arange(len(track))))
    return np.where(at >= 0, track[at], np.nan)


def _from_median(known: Values) -> Values:
    """Distance from the median of all that came before."""
    seen: list[float] = []
    found = np.full(len(known), np.nan)
    for at, value in enumerate(known):
        if value == value:  # noqa: PLR0124 - NaN
            middle = len(seen) // 2
            found[at] = abs(value - (seen[middle] + seen[~middle]) / 2) if seen else np.nan
            insort(seen, value)
    return found


def _run(known: Values) -> Values:
    """Seconds for which the value has been the same."""
    changed = np.append(True, np.diff(known) != 0)
    now = np.arange(len(known), dtype=np.float64)
    return np.asarray(now - np.maximum.accumulate(np.where(changed, now, 0)), np.float64)


def _deviation(known: Values, span_s: int | None = None) -> Values:
    """Standard deviation of all that came so far, or of the last ``span_s`` seconds."""
    valid = ~np.isnan(known)
    shifted = np.where(valid, known - np.nanmedian(known), 0.0)  # else large values lose their last digits
    sums = np.array([np.cumsum(part) for part in (valid.astype(float), shifted, shifted**2)])
    if span_s is not None:
        sums[:, span_s:] = sums[:, span_s:] - sums[:, :-span_s].copy()
    number = np.maximum(sums[0], 1)
    spread = np.sqrt(np.maximum(sums[2] / number - (sums[1] / number) ** 2, 0))
    return np.where(sums[0] > 1, spread, np.nan)


def _step(known: Values) -> Values:
    return np.abs(np.diff(known, prepend=np.nan))


SCORES: dict[str, Callable[[Values], Values]] = {
    "": np.asarray,
    "from median:": _from_median,
    "unchanged s:": _run,
    "deviation:": _deviation,
    f"{WINDOW_S} s deviation:": partial(_deviation, span_s=WINDOW_S),
    "step:": _step,
}
