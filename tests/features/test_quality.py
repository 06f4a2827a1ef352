"""What keeps a camera's pictures from being judged, and what does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache

import cv2
import msgspec
import numpy as np
import pytest

from features.frame import decode_frame
from features.picture import Picture
from features.quality import (
    BLURRED_S,
    HELD_NS,
    MATURE,
    MOVED_S,
    Quality,
    QualityState,
    advance,
    look,
)
from ingest.records import NS_PER_S
from ingest.simulate.simulated import SimulatedPrinter

PRINTER = SimulatedPrinter("p", 1, begin_s=300.0)
WIDTH, HEIGHT = PRINTER.picture_size
LEARNED = MATURE + 10
"""Looks after which a camera is known."""


@cache
def printing(second: int) -> Picture:
    """A simulated print at work, as its camera sees it."""
    return PRINTER.scene.render(PRINTER.moment_at(float(second)))


def decoded(picture: Picture) -> Picture:
    pixels = decode_frame(cv2.imencode(".jpg", picture)[1].tobytes(), 128)
    assert pixels is not None
    return pixels


def run(
    pictures: Iterable[Picture], state: QualityState | None = None, first: int = 0, every_s: float = 1.0
) -> tuple[QualityState, list[Quality]]:
    marks = []
    for number, picture in enumerate(pictures, first):
        state, mark = advance(state, look(decoded(picture)), round(number * every_s * NS_PER_S))
        marks.append(mark)
    assert state is not None
    return state, marks


@pytest.fixture(name="known", scope="module")
def _known() -> QualityState:
    state, marks = run(printing(second) for second in range(LEARNED))
    assert set(marks) == {Quality.NONE}
    return state


def after(
    known: QualityState, change: Callable[[Picture, int], Picture], looks: int = 12
) -> tuple[QualityState, list[Quality]]:
    """What a known camera's pictures bear once something has happened to them."""
    return run((change(printing(LEARNED + number), number) for number in range(looks)), known, first=LEARNED)


def noisy(picture: np.ndarray[tuple[int, ...], np.dtype[np.float64]], number: int) -> Picture:
    noise = np.random.default_rng(number).normal(0, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def shifted(picture: Picture, right: float, down: float = 0.0) -> Picture:
    moves = np.array([[1, 0, right * WIDTH], [0, 1, down * HEIGHT]], np.float32)
    return np.asarray(
        cv2.warpAffine(picture, moves, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


SKIN = np.broadcast_to(np.array((120.0, 150.0, 200.0)), (HEIGHT, WIDTH, 3))
FAULTS: dict[Quality, Callable[[Picture, int], Picture]] = {
    Quality.DARK: lambda picture, number: noisy(picture * 0.05, number),
    Quality.OVEREXPOSED: lambda picture, number: noisy(picture * 5.0 + 100.0, number),
    Quality.COVERED: lambda picture, number: noisy(SKIN * np.linspace(0.5, 1, WIDTH)[:, None], number),
    Quality.BLURRED: lambda picture, number: noisy(cv2.GaussianBlur(picture, (0, 0), 6) * 1.0, number),
}


@pytest.mark.parametrize("mark", FAULTS)
def test_what_hides_the_scene_is_marked_at_once_and_no_longer_than_it_lasts(
    known: QualityState, mark: Quality
) -> None:
    state, marks = after(known, FAULTS[mark])
    assert marks == [mark] * 12
    assert state.held_s(mark) == 11.0
    state, marks = run((printing(LEARNED + 12 + n) for n in range(5)), state, first=LEARNED + 12)
    assert marks == [Quality.NONE] * 5
    assert state.held_s(mark) == 0.0


@pytest.mark.parametrize("mark", [Quality.DARK, Quality.OVEREXPOSED, Quality.COVERED])
def test_a_first_picture_may_bear_what_needs_no_past(mark: Quality) -> None:
    assert run([FAULTS[mark](printing(0), 0)])[1] == [mark]


def test_the_same_pixels_are_frozen_although_the_bytes_differ(known: QualityState) -> None:
    still = printing(LEARNED)

    def with_clock(_: Picture, number: int) -> Picture:
        return cv2.putText(
            still.copy(), f"{number:02d}", (2, 10), cv2.FONT_HERSHEY_PLAIN, 0.6, (255, 255, 255)
        )

    state, marks = after(known, with_clock)
    assert marks == [Quality.NONE] + [Quality.FROZEN] * 11
    assert state.held_s(Quality.FROZEN) == 11.0


def test_a_printer_that_stands_still_before_a_camera_with_noise_is_not_frozen() -> None:
    still = SimulatedPrinter("p", 1, begin_s=300.0).moment_at(1.0)
    _, marks = run(PRINTER.scene.render(still._replace(at_s=float(second))) for second in range(30))
    assert set(marks) == {Quality.NONE}


@pytest.mark.parametrize(("right", "down"), [(0.1, 0.0), (-0.1, 0.06), (0.0, -0.2), (0.2, 0.1)])
def test_a_moved_camera_is_told_once_and_its_new_place_is_its_past(
    known: QualityState, right: float, down: float
) -> None:
    told_after = round(MOVED_S)
    state, marks = after(known, lambda picture, _: shifted(picture, right, down), told_after + 1)
    assert marks[3:] == [Quality.MOVED] * (told_after - 2)
    assert state.moved_for_good
    across, along = state.elsewhere.shift
    assert abs(across / 24 - right) < 0.05
    assert abs(along / 24 - down) < 0.05
    first = LEARNED + told_after + 1
    state, marks = run((shifted(printing(first + n), right, down) for n in range(60)), state, first=first)
    assert set(marks) == {Quality.NONE}
    assert state.count == 60


def test_a_camera_that_sees_another_scene_has_moved(known: QualityState) -> None:
    _, marks = after(known, lambda picture, _: np.asarray(cv2.flip(picture, -1), np.uint8))
    assert marks[1:] == [Quality.MOVED] * 11


def hand(picture: Picture, number: int) -> Picture:
    at = (100 + 17 * number % 120, 80 + 13 * number % 80)
    return np.asarray(cv2.ellipse(picture.copy(), at, (80, 50), 30, 0, 360, (120, 150, 200), -1), np.uint8)


def lamp(picture: Picture, _: int) -> Picture:
    side = np.linspace(0.4, 1.6, WIDTH)[:, None]
    return np.clip(picture * side + 10, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [hand, lamp, lambda picture, _: (picture * 0.5).astype(np.uint8)])
def test_hands_and_lamps_are_no_fault_of_the_camera(
    known: QualityState, change: Callable[[Picture, int], Picture]
) -> None:
    assert set(after(known, change, 30)[1]) == {Quality.NONE}


def test_a_gap_ends_what_lasted_and_keeps_what_was_learned(known: QualityState) -> None:
    state, _ = after(known, FAULTS[Quality.DARK])
    late_s = LEARNED + 12 + HELD_NS // NS_PER_S
    again, marks = run([FAULTS[Quality.DARK](printing(0), 0)], state, first=late_s)
    assert (marks, again.held_s(Quality.DARK)) == ([Quality.DARK], 0.0)
    assert (again.count, again.usual) == (known.count, known.usual)


def test_a_clock_that_was_set_back_begins_a_new_past(known: QualityState) -> None:
    assert run([printing(0)], known, first=3)[0].count == 1


def test_blur_that_nobody_minds_becomes_the_past(known: QualityState) -> None:
    every_s, first = 19, LEARNED + 1
    looks = math.ceil(BLURRED_S / every_s) + 2
    blurred = (FAULTS[Quality.BLURRED](printing(number % LEARNED), number) for number in range(looks))
    began = msgspec.structs.replace(known, last_ns=LEARNED * every_s * NS_PER_S)
    state, marks = run(blurred, began, first, every_s)
    assert set(marks[:-1]) == {Quality.BLURRED}
    assert marks[-1] is Quality.NONE
    assert state.count == 1


def test_a_state_that_was_saved_and_read_again_says_the_same(known: QualityState) -> None:
    state: QualityState | None = None
    kept: QualityState | None = None
    for second in range(LEARNED + 10):
        seen = look(decoded(shifted(printing(second), 0.1 if second > LEARNED else 0.0)))
        state, mark = advance(state, seen, second * NS_PER_S)
        saved = msgspec.msgpack.encode(kept)
        read = msgspec.msgpack.decode(saved, type=QualityState | None)
        kept, same = advance(read, seen, second * NS_PER_S)
        assert (kept, same) == (state, mark)
        assert len(saved) < 5_000
    assert mark is Quality.MOVED
