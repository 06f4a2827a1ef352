from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingest.align import Aligner, Timing
from ingest.records import (
    EventKind,
    Mark,
)
from ingest.writer import Captured
from tests.ingest.aligning import HOTEND, LINES, T0, S, add, aligner, at, event, frame, reading, windows


def test_a_window_closes_when_the_watermark_has_passed_its_end() -> None:
    one = aligner()
    add(one, reading(0.1), reading(1.1))
    assert windows(one.advance(at(2.99))) == []
    assert [w.index for w in windows(one.advance(at(3.0)))] == [1000]
    assert [w.index for w in windows(one.advance(at(4.0)))] == [1001]


def test_values_fall_into_the_steps_of_their_times_and_are_held_in_between() -> None:
    one = aligner()
    add(one, reading(0.3, 200), reading(0.9, 201), reading(1.6, 202))
    first, second = windows(one.close())
    assert math.isnan(first.values()[0, HOTEND])
    assert first.values()[1:, HOTEND].tolist() == [200, 200, 201]
    assert first.mask()[:, HOTEND].tolist() == [False, True, False, True]
    assert second.values()[:, HOTEND].tolist() == [201, 201, 202, 202]


def test_a_late_item_within_the_lateness_is_in_its_window() -> None:
    one = aligner()
    add(one, reading(0.1), reading(2.5))
    one.add(reading(0.6, 210), at(2.6))
    assert windows(one.close())[0].values()[2, HOTEND] == 210


def test_an_item_after_its_window_was_closed_is_counted_and_left_out() -> None:
    one = aligner()
    add(one, reading(0.1))
    one.advance(at(5))
    one.add(reading(0.2, 999), at(5))
    one.add(frame(0.3), at(5))
    assert one.counts["late_telemetry"] == one.counts["late_camera"] == 1


def test_the_last_frame_of_a_window_is_kept_whatever_the_order_of_arrival() -> None:
    one = aligner()
    for own_s in (0.1, 0.7, 0.4):
        one.add(frame(own_s), at(0.8))
    (captured,) = one.close()
    assert captured.frame == frame(0.7)
    assert captured.window.frame is not None
    assert captured.window.frame.captured_ns == at(0.7)
    assert one.counts["frames_skipped"] == 2


def test_duplicates_are_taken_once_and_counted_lines_are_not_duplicates() -> None:
    one = aligner()
    add(one, frame(0.1), frame(0.1), reading(0.2), reading(0.2), event(0.2, EventKind.ERROR, "x"))
    add(one, event(0.2, EventKind.ERROR, "x"), reading(0.2, 1, "lines"), reading(0.2, 1, "lines"))
    (window,) = windows(one.close())
    assert one.counts["duplicate"] == 3
    assert len(window.events) == 1
    assert window.values()[:, LINES].sum() == 2


def test_out_of_order_items_give_the_same_windows_as_ordered_ones() -> None:
    items = [frame(0.2), reading(0.1), reading(0.6, 201), event(0.5, EventKind.RESEND), reading(1.2, 202)]
    ordered, shuffled = aligner(), aligner()
    for item in items:
        ordered.add(item, at(1.3))
    for item in reversed(items):
        shuffled.add(item, at(1.3))
    assert windows(ordered.close()) == windows(shuffled.close())


def test_a_clock_that_was_set_back_an_hour_is_anchored_to_the_arrival() -> None:
    one = aligner()
    add(one, reading(0.1), reading(1.1))
    one.add(reading(2.1 - 3600, 205), at(2.1))
    one.add(reading(3.1 - 3600, 206), at(3.1))
    told = windows(one.close())
    assert [w.index for w in told] == [1000, 1001, 1002, 1003]
    assert told[3].values()[-1, HOTEND] == 206
    assert one.counts["clock_jump_telemetry"] == 1
    assert [bool(w.marks & Mark.CLOCK_JUMP) for w in told] == [False, False, True, False]


def test_an_item_from_far_ahead_of_its_arrival_does_not_empty_the_future() -> None:
    one = aligner()
    add(one, reading(0.1))
    one.add(reading(7200, 205), at(1.1))
    assert [w.index for w in windows(one.close())] == [1000, 1001]


def test_one_source_whose_clock_jumps_does_not_move_the_other() -> None:
    one = aligner()
    add(one, frame(0.1), reading(0.1))
    one.add(reading(1.2 + 600), at(1.2))
    one.add(frame(1.3), at(1.3))
    last = one.close()[-1]
    assert last.window.index == 1001
    assert last.frame == frame(1.3)


def test_silence_is_marked_once_it_is_one_and_ends_with_the_next_word() -> None:
    one = aligner()
    add(one, frame(0.5), reading(0.5))
    for second in range(1, 40):
        add(one, frame(second + 0.5))
    marks = {w.index - 1000: w.marks for w in windows(one.advance(at(41)))}
    assert not marks[14] & Mark.TELEMETRY_SILENT
    assert marks[15] & Mark.TELEMETRY_SILENT
    add(one, reading(41.5), frame(41.6))
    assert not windows(one.close())[-1].marks & Mark.TELEMETRY_SILENT


def test_a_live_print_whose_sources_never_speak_is_told_as_silent() -> None:
    one = aligner()
    one.begin(at(0))
    told = windows(one.advance(at(45)))
    assert told[-1].marks & Mark.TELEMETRY_SILENT
    assert told[-1].marks & Mark.CAMERA_SILENT


def test_a_camera_that_repeats_itself_is_frozen_until_it_shows_something_new() -> None:
    one = aligner(telemetry=False)
    for second in range(30):
        picture = replace(frame(second), jpeg=b"same" if second < 20 else b"%d" % second)
        add(one, picture)
    frozen = [bool(w.marks & Mark.CAMERA_FROZEN) for w in windows(one.advance(at(40)))]
    assert frozen[:30] == [10 <= second < 20 for second in range(30)]


def test_each_source_is_moved_by_the_delay_that_the_farm_file_gives_it() -> None:
    timing = Timing(camera_delay_ns=int(0.4 * S), telemetry_delay_ns=int(0.1 * S))
    one = Aligner("ender", "job", timing, camera=True, telemetry=True)
    add(one, reading(5.35, 201.0), frame(5.65))
    told = one.close()[-1]
    assert told.frame is not None
    assert told.frame.captured_ns == told.window.frame.captured_ns == at(5.25)  # type: ignore[union-attr]
    assert told.window.mask()[:, HOTEND].tolist() == [False, True, False, False]


arrivals = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 6_000), st.sampled_from(["frame", "reading", "event"])),
    max_size=60,
)


@given(arrivals, st.lists(st.integers(0, 1_500), max_size=30))
def test_whatever_arrives_each_window_comes_once_in_order_and_nothing_is_unaccounted_for(
    items: list[tuple[int, int, str]], waits: list[int]
) -> None:
    one = aligner()
    told: list[Captured] = []
    made = {"frame": frame, "reading": reading, "event": lambda s: event(s, EventKind.RESEND)}
    ticks = iter(waits)
    for own_ms, delay_ms, what in sorted(items, key=lambda item: item[0] + item[1]):
        now_ns = T0 + (own_ms + delay_ms) * 1_000_000
        one.add(made[what](own_ms / 1000), now_ns)
        told += one.advance(now_ns + next(ticks, 0) * 1_000_000)
    told += one.close()
    indices = [captured.window.index for captured in told]
    assert indices == sorted(set(indices))
    frames = sum(what == "frame" for _, _, what in items)
    kept = sum(captured.frame is not None for captured in told)
    counts = one.counts
    duplicates = counts["duplicate"]
    lost = counts["late_camera"] + counts["frames_skipped"]
    assert kept + lost <= frames <= kept + lost + duplicates
