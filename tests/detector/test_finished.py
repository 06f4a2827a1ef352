"""When a print is over and by which pictures its part is judged: windows in, what is due out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest
from msgspec.structs import replace

from detector.finished import WAIT_NS, Due, Finish, follow
from detector.state import PrinterState
from ingest.jobs import IDLE_JOB
from ingest.records import NS_PER_S, SURFACE_CAMERA, EventKind, FrameRef, Mark, Window, decode, encode
from tests.detector.windows import FIRST, printing

PRINT = "benchy 2023-11-14T22:13:20Z"
NEXT = "cube 2023-11-14T23:00:00Z"
RECORDED = "prints/benchy"
ENDED = {30.5: (EventKind.JOB_ENDED, "done")}
MOST = 3


def windows(
    seconds: int,
    job: str = PRINT,
    *,
    idle_from: float = 1e9,
    surface_at: float = -1,
    first: int = FIRST,
    events: dict[float, tuple[EventKind, str]] | None = None,
) -> list[Window]:
    """A picture a second, of the surface camera in one of them."""
    made = printing(
        seconds,
        first=first,
        events=events,
        frame=lambda _: True,
        marks=lambda second: Mark.IDLE if second >= idle_from else Mark.NONE,
    )
    camera = {surface_at: SURFACE_CAMERA}
    return [
        replace(one, job=job, frame=replace(one.frame, camera=camera.get(one.index - first, "c")))
        for one in made
    ]


def due_of(
    told: Sequence[Window], *, clear: Callable[[int], bool] = lambda _: True, awaited: bool = False
) -> list[tuple[int, Due]]:
    """What is due, with the second in which it is; the state is saved and read again after each window."""
    state: Finish | None = None
    found = []
    for window in told:
        second = window.index - FIRST
        state, due = follow(state, window, clear=clear(second), most=MOST, awaited=awaited)
        saved = PrinterState(printer="p", job=window.job, last_index=window.index, finish=state)
        state = decode(encode(saved), PrinterState).finish
        found += [(second, one) for one in due]
    return found


def seconds_of(pictures: Sequence[FrameRef]) -> list[int]:
    return [ref.captured_ns // NS_PER_S - FIRST for ref in pictures]


def end_of(second: int) -> int:
    return (FIRST + second + 1) * NS_PER_S


def test_a_live_print_is_due_once_in_its_first_idle_window_by_its_last_pictures() -> None:
    ((second, due),) = due_of(windows(60, idle_from=30))
    assert (second, due.job, due.at_ns) == (30, PRINT, end_of(30))
    assert seconds_of(due.pictures) == [15, 20, 25]  # 5 s apart, and none from after the end


def test_a_recorded_print_is_due_once_when_its_end_is_told() -> None:
    ((second, due),) = due_of(windows(60, RECORDED, events=ENDED))
    assert (second, due.at_ns, seconds_of(due.pictures)) == (30, end_of(30), [20, 25, 30])


def test_a_print_is_due_when_the_next_one_begins_without_an_end_in_between() -> None:
    next_print = windows(40, NEXT, first=FIRST + 100, idle_from=20)
    (second, due), (later, next_due) = due_of([*windows(12), *next_print])
    assert (second, due.job, due.at_ns, seconds_of(due.pictures)) == (100, PRINT, end_of(11), [0, 5, 10])
    assert (later, next_due.job, seconds_of(next_due.pictures)) == (120, NEXT, [105, 110, 115])


def test_an_end_that_is_told_in_the_next_prints_first_window_is_not_the_end_of_that_one() -> None:
    events = {0.2: (EventKind.JOB_ENDED, "done"), 0.6: (EventKind.JOB_STARTED, "cube")}
    found = due_of([*windows(12), *windows(40, NEXT, first=FIRST + 12, idle_from=20, events=events)])
    assert [(second, due.job) for second, due in found] == [(12, PRINT), (32, NEXT)]


def test_what_lies_before_the_first_print_is_never_due() -> None:
    told = [*windows(10, IDLE_JOB, idle_from=5), *windows(10, f"{IDLE_JOB}-17", first=FIRST + 10, events={})]
    assert due_of([*told, *windows(5, PRINT, first=FIRST + 20)]) == []


def test_what_lies_before_the_first_print_of_a_recording_is_not_due() -> None:
    found = due_of([*windows(10, RECORDED, idle_from=3), *windows(20, PRINT, first=FIRST + 10, idle_from=10)])
    assert [due.job for _, due in found] == [PRINT]


def test_a_print_that_nobody_saw_running_is_not_due() -> None:
    assert due_of(windows(20, idle_from=0)) == []


def test_pictures_that_are_not_clear_are_not_judged() -> None:
    ((_, due),) = due_of(windows(60, idle_from=30), clear=lambda second: second in {1, 2, 8, 29})
    assert seconds_of(due.pictures) == [1, 8, 29]
    ((_, due),) = due_of(windows(60, idle_from=30), clear=lambda _: False)
    assert due.pictures == ()


def test_the_surface_cameras_picture_is_waited_for_and_goes_before_the_prints_own() -> None:
    ((second, due),) = due_of(windows(60, idle_from=30, surface_at=37), awaited=True)
    assert (second, due.at_ns, seconds_of(due.pictures)) == (37, end_of(30), [37])
    assert due.pictures[0].of_surface


def test_a_surface_camera_that_never_answers_leaves_the_prints_last_pictures() -> None:
    ((second, due),) = due_of(windows(200, idle_from=30), awaited=True)
    assert (second, seconds_of(due.pictures)) == (30 + WAIT_NS // NS_PER_S, [15, 20, 25])


@pytest.mark.parametrize("job", [NEXT, IDLE_JOB])
def test_the_next_job_ends_the_wait_for_a_surface_camera(job: str) -> None:
    told = [*windows(40, idle_from=30), *windows(10, job, first=FIRST + 40)]
    ((second, due),) = due_of(told, awaited=True)
    assert (second, due.job, seconds_of(due.pictures)) == (40, PRINT, [15, 20, 25])


def test_a_picture_of_the_surface_camera_is_none_of_the_prints_last_ones() -> None:
    ((_, due),) = due_of(windows(60, idle_from=30, surface_at=25))
    assert seconds_of(due.pictures) == [15, 20, 26]


def test_the_state_of_a_detector_that_inspected_nothing_is_still_read() -> None:
    old = {"printer": "p", "job": "j", "last_index": 7, "version": 1}
    assert decode(msgspec.msgpack.encode(old), PrinterState).finish is None
