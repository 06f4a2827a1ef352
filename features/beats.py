"""Beats: the steps in which the network looks at a print, each some windows long.

A window is a second; what the network looks for takes many. So it is asked once a beat, about the beat's last
frame and what telemetry said in it. Beats are counted from the epoch, like windows: the same beat has the
same index everywhere. A beat whose last window is missing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from ingest.records import FrameRef, Mark, Window

BEAT_WINDOWS = 5
STANDS = Mark.IDLE | Mark.PAUSED | Mark.FILAMENT_CHANGE
"""A print that stands is not looked at: nothing is laid that could fail, and beside a parked head a picture
shows more of the part than any before."""


def beat_of(window: Window) -> int:
    """Index of the beat that a window belongs to."""
    return window.index // BEAT_WINDOWS


def closes_beat(window: Window) -> bool:
    """Whether a window is its beat's last."""
    return window.index % BEAT_WINDOWS == BEAT_WINDOWS - 1


def frame_of_beat(windows: Iterable[Window]) -> FrameRef | None:
    """The last frame of the newest window's beat while the print went on, None where there is none.

    ``windows`` are a printer's last ones, oldest first; they may reach further back than the beat.
    """
    found, last = None, None
    for window in windows:
        last = window
        if window.frame is not None and not window.frame.of_surface and not window.marks & STANDS:
            found = window
    if found is None or last is None or beat_of(found) != beat_of(last):
        return None
    return found.frame
