"""Beats are counted from the epoch, and show the last frame of a running print."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from features.beats import BEAT_WINDOWS, beat_of, closes_beat, frame_of_beat
from ingest.records import SURFACE_CAMERA, Mark, Window
from tests.detector.windows import film

BEGIN = 1_700_000_000 // BEAT_WINDOWS * BEAT_WINDOWS


def beat(frame: Callable[[float], bool], first: int = BEGIN) -> list[Window]:
    return film(BEAT_WINDOWS, frame=frame, first=first)


def test_the_same_window_closes_the_same_beat_whenever_watching_began() -> None:
    closing = [window.index for window in film(20, first=BEGIN + 3) if closes_beat(window)]
    assert closing == [BEGIN + 4, BEGIN + 9, BEGIN + 14, BEGIN + 19]
    assert [beat_of(window) for window in film(6, first=BEGIN + 4)] == [BEGIN // 5] + [BEGIN // 5 + 1] * 5


def test_a_beat_shows_its_last_frame() -> None:
    windows = beat(lambda t: t in {0, 2})
    assert frame_of_beat(windows) == windows[2].frame


def test_a_frame_of_the_beat_before_is_not_shown() -> None:
    before, now = beat(lambda t: t == 4), beat(lambda _: False, BEGIN + BEAT_WINDOWS)
    assert frame_of_beat([*before, *now]) is None
    assert frame_of_beat([]) is None


@pytest.mark.parametrize("mark", [Mark.IDLE, Mark.PAUSED, Mark.FILAMENT_CHANGE, Mark.PAUSED | Mark.OVERRIDE])
def test_no_frame_is_shown_while_a_print_stands(mark: Mark) -> None:
    windows = beat(lambda t: t in {1, 3})
    stands = replace(windows[3], marks=mark)
    assert frame_of_beat([*windows[:3], stands, windows[4]]) == windows[1].frame


def test_no_frame_is_shown_of_a_finished_part() -> None:
    windows = beat(lambda t: t in {1, 3})
    part = replace(windows[3], frame=replace(windows[3].frame, camera=SURFACE_CAMERA))
    assert frame_of_beat([*windows[:3], part, windows[4]]) == windows[1].frame
