"""Windows of a print: its job, its pauses, the holes of its recording, the picture of the part at its end."""

from __future__ import annotations

from msgspec.structs import replace

from ingest.align import MAX_EMPTY
from ingest.jobs import Change
from ingest.records import (
    SURFACE_CAMERA,
    EventKind,
    Frame,
    Mark,
)
from tests.ingest.aligning import S, add, aligner, at, event, frame, reading, windows


def test_windows_carry_the_job_of_the_last_print_and_say_when_none_runs() -> None:
    one = aligner()
    for second in range(6):
        add(one, reading(second, 200.0 + second))
    one.change_job(Change(at(1.5), "benchy", idle=False))
    one.change_job(Change(at(4.0), "benchy", idle=True))
    told = windows(one.close())
    assert [w.job for w in told] == ["job", *5 * ["benchy"]]
    assert [bool(w.marks & Mark.IDLE) for w in told] == [False, False, False, False, True, True]


def test_a_recording_has_no_silence_of_its_own() -> None:
    one = aligner(camera=False, telemetry=False)
    add(one, reading(0.5), reading(50.5))
    assert not any(w.marks & (Mark.TELEMETRY_SILENT | Mark.CAMERA_SILENT) for w in windows(one.close()))


def test_a_long_hole_is_a_gap_and_not_thousands_of_empty_windows() -> None:
    one = aligner()
    add(one, reading(0.5))
    one.advance(at(3))
    add(one, reading(36_000.5))
    told = windows(one.advance(at(36_004)))
    assert len(told) <= MAX_EMPTY + 4
    after = next(w for w in told if w.index == 37_000)
    assert after.marks & Mark.GAP


def test_what_was_not_recorded_is_no_silence() -> None:
    one = aligner()
    add(one, reading(0.5), event(0.6, EventKind.UNRECORDED), reading(30.5))
    told = windows(one.close())
    assert [w.index - 1000 for w in told] == [0, 30]
    assert told[1].marks & Mark.GAP
    assert not told[1].marks & Mark.TELEMETRY_SILENT


def test_a_changed_target_is_marked_for_a_few_seconds() -> None:
    one = aligner()
    for second in range(30):
        add(one, reading(second + 0.1, 200 if second < 5 else 220, "hotend_target_c"))
    marked = [w.index - 1000 for w in windows(one.close()) if w.marks & Mark.OVERRIDE]
    assert marked == list(range(5, 15))


def test_a_pause_lasts_as_long_as_the_printer_says_so() -> None:
    one = aligner()
    add(one, event(0.1, EventKind.PAUSED, "echo:busy: paused for user"), reading(20.1))
    paused = [w.index - 1000 for w in windows(one.close()) if w.marks & Mark.PAUSED]
    assert paused == list(range(10))


def test_a_pause_by_host_action_lasts_until_it_is_resumed() -> None:
    one = aligner()
    add(one, event(0.1, EventKind.PAUSED, "//action:paused"), reading(30.1), event(40.1, EventKind.RESUMED))
    paused = [w.index - 1000 for w in windows(one.close()) if w.marks & Mark.PAUSED]
    assert paused == list(range(40))


def test_estimated_times_are_marked() -> None:
    one = aligner()
    one.add(reading(0.1), at(0.1), estimated=True)
    assert windows(one.close())[0].marks & Mark.TIME_ESTIMATED


def part(at_s: float) -> Frame:
    return replace(frame(at_s), camera=SURFACE_CAMERA)


def test_a_picture_of_the_part_goes_before_the_cameras_own_and_bears_the_time_of_its_arrival() -> None:
    one = aligner(lateness_s=0)
    one.begin(at(0))
    add(one, frame(3.9))
    one.add_part(part(1.2), at(3.5))
    emitted = one.advance(at(5))
    assert [w.index - 1000 for w in windows(emitted) if w.frame is not None and w.frame.of_surface] == [3]
    assert emitted[-2].frame == replace(part(3.5), jpeg=part(1.2).jpeg)
    assert one.counts["frames_skipped"] == 1
    assert one.counts["late_camera"] == 0


def test_a_picture_of_the_part_does_not_make_the_printers_camera_speak() -> None:
    with_part, without = aligner(), aligner()
    for one in (with_part, without):
        one.begin(at(0))
        add(one, *(reading(second) for second in range(40)))
    with_part.add_part(part(30), at(30.5))
    told = [w.marks for w in windows(with_part.close())]
    assert told == [w.marks for w in windows(without.close())]
    assert told[-1] & Mark.CAMERA_SILENT


def test_the_last_word_of_a_recording_changes_nothing_but_that_its_print_is_over() -> None:
    with_word, without = aligner(), aligner()
    for one in (with_word, without):
        add(one, *(reading(second) for second in range(5)), event(3, EventKind.PAUSED, "paused"))
    *before, last = windows(with_word.close("the end"))
    *expected, plain = windows(without.close())
    assert before == expected
    assert [(one.kind, one.text) for one in last.events] == [(EventKind.JOB_ENDED, "the end")]
    assert last.events[0].at_ns // S == last.index
    assert replace(last, events=plain.events) == plain
    assert plain.marks & Mark.PAUSED
    assert windows(aligner().close("the end")) == []
