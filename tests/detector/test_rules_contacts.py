"""Loose contacts of sensors, and heads that stand in the middle of a print."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from detector.anomaly import Kind
from ingest.records import Mark, Window
from tests.detector.windows import began_s, film, kinds_told, printing, told

LOOSE_S = 100.0


def falling_by(fall_k: float, every_s: float) -> Callable[[float], float]:
    """A hot end at 210 °C whose reading falls for one second, again and again."""
    return lambda t: 210.0 - (fall_k if t >= LOOSE_S and int(t) % int(every_s) == 0 else 0.0)


@pytest.mark.parametrize("sensor", ["hotend_c", "bed_c"])
def test_small_falls_that_come_back_are_a_loose_contact(sensor: str) -> None:
    """None of them is more than a heater could make in 5 s; together they are more than one does."""
    readings = falling_by(4.0, 10.0)
    windows = printing(200, **{sensor: readings, f"{sensor[:-2]}_target_c": 210.0})
    seconds, reason = told(windows, Kind.SENSOR_FAULT)
    assert seconds < LOOSE_S + 60.0
    assert "loose contact" in reason.text
    assert began_s(reason) == pytest.approx(LOOSE_S, abs=1.0)


def test_three_falls_in_a_minute_are_a_glitch() -> None:
    assert kinds_told(printing(200, hotend_c=falling_by(4.0, 25.0))) == set()


def test_a_fall_that_stays_is_no_loose_contact() -> None:
    steps = [(110.0, 3.0), (125.0, 6.0), (140.0, 9.0), (155.0, 12.0)]

    def cools(t: float) -> float:
        return 210.0 - max((fall for at, fall in steps if t >= at), default=0.0)

    assert kinds_told(printing(200, hotend_c=cools, hotend_power=0.1)) == set()


def test_a_noisy_sensor_is_no_loose_contact() -> None:
    """Of the size of platinum at a poor converter: 1 K from reading to reading, now and then 3 K."""
    noise = (0.9, -0.4, 1.3, -1.5, 0.2, 0.7, -0.8, 1.6, -1.1, 0.4, -1.3, 1.1)
    assert kinds_told(printing(300, hotend_c=lambda t: 210.0 + noise[int(t) % 12])) == set()


def test_a_light_hot_end_that_swings_by_itself_is_no_loose_contact() -> None:
    """From a real log: 149.6 to 152 °C with a period of 2.4 s, its power on and off."""

    def swings(t: float) -> float:
        return 150.8 + 1.4 * math.sin(2.0 * math.pi * t / 2.4)

    assert kinds_told(printing(300, hotend_c=swings, hotend_target_c=150.0)) == set()


@pytest.mark.parametrize("fall_k", [4.0, 40.0])
def test_a_garbled_line_is_no_loose_contact(fall_k: float) -> None:
    windows = printing(200, hotend_c=falling_by(fall_k, 10.0), garbled=lambda t: float(t % 20.0 == 0.0))
    assert Kind.SENSOR_FAULT not in kinds_told(windows)


# A head that stands

SLOW_S = 100.0


def moving(
    seconds: int,
    stands: Callable[[float], bool],
    *,
    every_s: float = 0.25,
    marks: Callable[[float], Mark] = lambda _: Mark.NONE,
    parks_at_mm: float | None = None,
) -> list[Window]:
    """A head that goes 50 mm/s along both axes, and stands where ``stands`` says so, or parks there. A board
    that tells where it is once a second tells no feed."""
    feed: dict[str, Any] = {"feed_mm_s": 70.0} if every_s < 1.0 else {}
    steps = [0.0]
    for number in range(1, 4 * seconds):
        steps.append(steps[-1] + (0.0 if stands(number / 4.0) else 12.5))

    def there_and_back(t: float, until_mm: float) -> float:
        if parks_at_mm is not None and stands(t):
            return parks_at_mm
        return abs((steps[int(t * 4.0)] + until_mm) % (2.0 * until_mm) - until_mm)

    return film(
        seconds,
        every_s=every_s,
        marks=marks,
        x_mm=lambda t: there_and_back(t, 197.0),
        y_mm=lambda t: there_and_back(t, 151.0),
        z_mm=5.0,
        e_mm=lambda t: steps[int(t * 4.0)] * 0.03,
        **feed,
    )


def now_and_then(t: float) -> bool:
    return t >= SLOW_S and t % 11.0 < 2.0


@pytest.mark.parametrize("every_s", [0.25, 1.0])
def test_a_head_that_stands_again_and_again_is_starved(every_s: float) -> None:
    seconds, reason = told(moving(220, now_and_then, every_s=every_s), Kind.STALL)
    assert seconds < SLOW_S + 80.0
    assert "the host or its line is too slow" in reason.text
    assert began_s(reason) == pytest.approx(SLOW_S, abs=12.0)


def test_a_head_that_never_stands_or_stands_thrice_is_not_starved() -> None:
    assert kinds_told(moving(200, lambda _: False)) == set()
    assert kinds_told(moving(200, lambda t: t % 40.0 < 2.0)) == set()


def test_a_head_that_parks_for_a_picture_of_each_layer_is_not_starved() -> None:
    assert kinds_told(moving(220, now_and_then, parks_at_mm=5.0)) == set()


def test_a_pause_is_no_starvation() -> None:
    windows = moving(220, now_and_then, marks=lambda t: Mark.PAUSED if t >= SLOW_S else Mark.NONE)
    assert kinds_told(windows) == set()


def test_long_moves_of_which_only_their_ends_are_told_are_no_halts() -> None:
    """A host's lines tell where a move ends: 150 mm at 50 mm/s keep the position for 3 s."""
    windows = film(
        200,
        every_s=0.25,
        x_mm=lambda t: 150.0 * (int(t / 3.0) % 2),
        y_mm=lambda t: 0.5 * int(t / 3.0),
        z_mm=5.0,
        e_mm=lambda t: 5.0 * int(t / 3.0),
        feed_mm_s=50.0,
    )
    assert kinds_told(windows) == set()
