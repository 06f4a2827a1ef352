"""The rolling view of a printer's last windows."""

from __future__ import annotations

import numpy as np
import pytest

from features.sequence import History
from ingest.records import NS_PER_S, EventKind, Mark, Window
from tests.detector.windows import FIRST, film


def pushed(windows: list[Window], capacity: int = 10) -> History:
    history = History(capacity)
    for window in windows:
        history.push(window)
    return history


def test_a_series_holds_only_what_was_measured_in_the_order_of_time() -> None:
    history = pushed(film(4, every_s=2.0, hotend_c=lambda t: 200.0 + t))
    series = history.series("hotend_c")
    assert series.values.tolist() == [200.0, 202.0]
    assert series.seconds.tolist() == [-4.0, -2.0]
    assert series.span_s == 2.0
    assert not len(history.series("bed_c").values)


def test_since_keeps_what_is_no_older() -> None:
    series = pushed(film(8, hotend_c=lambda t: t)).series("hotend_c")
    assert series.since(3.0).values.tolist() == [5.0, 6.0, 7.0]


def test_the_oldest_windows_leave_the_view_however_long_the_print() -> None:
    windows = film(47, every_s=0.25, hotend_c=lambda t: t)
    for length in range(1, len(windows) + 1):
        values = pushed(windows[:length]).series("hotend_c").values
        assert values.tolist() == [n / 4 for n in range(max(0, length - 10) * 4, length * 4)]


def test_missing_windows_leave_a_hole_of_their_length() -> None:
    windows = film(12, hotend_c=lambda t: t)
    history = pushed([*windows[:4], windows[8]])
    assert history.series("hotend_c").seconds.tolist() == [-9.0, -8.0, -7.0, -6.0, -1.0]
    assert [window.index - FIRST for window in history.windows] == [0, 1, 2, 3, 8]


def test_a_hole_longer_than_the_view_empties_it() -> None:
    windows = film(60, hotend_c=lambda t: t)
    history = pushed([*windows[:15], windows[59]])
    assert history.series("hotend_c").values.tolist() == [59.0]
    assert len(history.windows) == 1


def test_an_older_window_is_refused() -> None:
    windows = film(2, hotend_c=1.0)
    with pytest.raises(ValueError, match="expected a newer one"):
        pushed([windows[1], windows[0]])


def test_together_gives_the_others_at_the_moments_of_the_first() -> None:
    windows = film(3, hotend_c=lambda t: 200.0 + t, hotend_target_c=210.0)
    seconds, values = pushed(windows).together("hotend_c", "hotend_target_c", "bed_c")
    assert values[0].tolist() == [200.0, 201.0, 202.0]
    assert values[1].tolist() == [210.0] * 3
    assert np.isnan(values[2]).all()
    assert len(seconds) == 3


def test_latest_is_the_last_known_value() -> None:
    history = pushed(film(3, every_s=2.0, hotend_c=lambda t: t))
    assert history.latest("hotend_c") == 2.0
    assert np.isnan(history.latest("bed_c"))


def test_events_are_found_by_kind_and_age() -> None:
    said = {1.5: (EventKind.RESEND, "a"), 2.5: (EventKind.ERROR, "b"), 3.5: (EventKind.RESEND, "c")}
    history = pushed(film(5, events=said))
    assert [event.text for event in history.events(10.0, EventKind.RESEND)] == ["a", "c"]
    assert [event.text for event in history.events(2.0, EventKind.RESEND, EventKind.ERROR)] == ["c"]


def test_marks_are_found_by_age() -> None:
    history = pushed(film(6, marks=lambda t: Mark.PAUSED if t == 2 else Mark.NONE))
    assert history.marked(4.0, Mark.PAUSED | Mark.GAP)
    assert not history.marked(3.0, Mark.PAUSED)
    assert not history.marked(6.0, Mark.GAP)


def test_a_moment_is_told_in_utc() -> None:
    history = pushed(film(3, hotend_c=1.0))
    assert history.at_ns(-1.5) == (FIRST + 3) * NS_PER_S - 3 * NS_PER_S // 2


def test_what_is_made_once_is_made_anew_after_a_push() -> None:
    windows = film(2, hotend_c=lambda t: t)
    history = pushed(windows[:1])
    made = [history.once("newest", lambda: history.newest.index) for _ in range(2)]
    history.push(windows[1])
    assert [*made, history.once("newest", lambda: history.newest.index)] == [FIRST, FIRST, FIRST + 1]
