"""A head that stands now and then in the middle of the print: the host, or its line, is too slow for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.anomaly import Kind, Reason
from detector.rules.heaters import graded
from features.sequence import History, Seconds
from ingest.records import CHANNEL, NS_PER_S, STEPS_PER_WINDOW, Bools, Floats, Mark

LATELY_S = 90.0
"""Halts within this time belong together."""

LEAST_STANDS_S = 0.75
"""A stand is longer than this: positions come four times a second at best."""

LEAST_HALTS = 5
SURE_HALTS = 10
"""Halts within ``LATELY_S`` from which a print is starved of moves, and from which it is so without doubt."""

SAME_PLACE_MM = 1.0
"""Stands so near to each other are at one place: a macro parks the head there, or wipes the nozzle."""

LONG_MOVES_SHARE = 0.9
"""Where positions are those of moves that were sent, one move keeps them still: the longer moves count."""

STANDS_BY_ITSELF = Mark.PAUSED | Mark.FILAMENT_CHANGE | Mark.IDLE | Mark.TELEMETRY_SILENT | Mark.GAP
PLACE = slice(CHANNEL["x_mm"], CHANNEL["e_mm"] + 1)
"""x, y, z and e: a slice of the grid takes no copy."""


class Track(NamedTuple):
    """Where the head was told to be, n times within ``LATELY_S``, at least twice."""

    seconds: Seconds  # float64 [n], relative to the newest window's end
    place: Floats  # float32 [4, n]: x, y, z, e in mm, NaN where one was never told
    feed_mm_s: Floats  # float32 [n], NaN where it is not told

    @property
    def moved(self) -> Bools:
        """Whether it had moved since it was told before: bool [n - 1]."""
        moved: Bools = (np.diff(self.place, axis=1) != 0.0).any(0)  # NaN differs from everything
        return moved

    @property
    def move_s(self) -> float:
        """How long the longer ones of single moves take, in s; 0 where the feed is not told."""
        way = np.sqrt(np.square(np.diff(self.place[:3], axis=1)).sum(0))
        feed = self.feed_mm_s[1:]
        told = (way > 0.0) & (feed > 0.0)
        return float(np.quantile(way[told] / feed[told], LONG_MOVES_SHARE)) if told.any() else 0.0


def starved(history: History) -> Reason | None:
    """The head stands again and again, each time elsewhere, while nobody paused the print."""
    if int(history.newest.marks) & int(STANDS_BY_ITSELF):
        return None
    track = _track(history)
    if track is None or np.count_nonzero(~track.moved) < LEAST_HALTS:
        return None
    halts = _elsewhere(_halts(track), track)
    if len(halts) < LEAST_HALTS or history.marked(LATELY_S, STANDS_BY_ITSELF):
        return None
    text = (
        f"the head stood still {len(halts)} times in {LATELY_S:.0f} s in the middle of the print, each time "
        "elsewhere: the host or its line is too slow"
    )
    probability = graded((len(halts) - LEAST_HALTS) / (SURE_HALTS - LEAST_HALTS), least=0.75)
    since_ns = history.at_ns(float(track.seconds[halts[0]]))
    return Reason(Kind.STALL, probability, since_ns, text, {"x_mm": 0.4, "y_mm": 0.4, "feed_mm_s": 0.2})


def _track(history: History) -> Track | None:
    """The places that were told of late; None for fewer than two."""
    step_s = history.newest.span_ns / NS_PER_S / STEPS_PER_WINDOW
    values, measured = history.grid(round(LATELY_S / step_s))
    told = np.flatnonzero(measured[PLACE].any(0))
    if len(told) < 2:  # noqa: PLR2004 - a move takes two places
        return None
    seconds = (told - values.shape[1]) * step_s
    return Track(seconds, values[PLACE][:, told], values[CHANNEL["feed_mm_s"], told])


def _halts(track: Track) -> list[int]:
    """At which of its places the head stood, longer than any usual move takes."""
    edges = np.diff(np.concatenate([[True], track.moved, [True]]).astype(np.int8))
    begins, ends = np.flatnonzero(edges < 0), np.flatnonzero(edges > 0)
    last = len(track.seconds) - 1
    lasted_s = track.seconds[np.minimum(ends + 1, last)] - track.seconds[begins]
    return [int(at) for at in begins[lasted_s >= LEAST_STANDS_S + track.move_s]]


def _elsewhere(halts: list[int], track: Track) -> list[int]:
    """Those that no other one shares its place with."""
    if len(halts) < LEAST_HALTS:
        return []
    at = track.place[:2, halts]
    apart_mm = np.abs(at[:, :, None] - at[:, None, :]).max(0)
    shared = (apart_mm < SAME_PLACE_MM).sum(1) > 1
    return [halt for halt, is_shared in zip(halts, shared, strict=True) if not is_shared]
