"""The rules over scores: when they hold, and when they open an alarm."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evaluation.rules import HIGH, LOW, PAUSE_S, Series, moving_average_rule, threshold_rule


def beats(*scores: float, every_s: float = 5.0) -> Series:
    return Series(np.arange(len(scores)) * every_s, np.array(scores))


def frames(*stretches: tuple[int, float], every_s: float = 10.0) -> Series:
    """Stretches of so many frames with one score each."""
    return beats(*(score for count, score in stretches for _ in range(count)), every_s=every_s)


def test_a_threshold_opens_once_the_score_has_stayed_for_so_many_beats() -> None:
    series = beats(0.9, 0.1, 0.9, 0.8, 0.9, 0.1)
    assert threshold_rule(0.8, 3)(series).alarms_s == [20.0]
    assert threshold_rule(0.8, 1)(series).alarms_s == [0.0]
    assert threshold_rule(0.85, 3)(series).alarms_s == []
    assert threshold_rule(0.8, 9)(series).alarms_s == []


def test_a_score_that_flickers_is_one_alarm_and_one_that_comes_back_is_another() -> None:
    quiet = int(PAUSE_S // 5) + 1
    flickers = beats(0.9, 0.0, 0.9, *[0.0] * (quiet - 2), 0.9)
    assert threshold_rule(0.8)(flickers).alarms_s == [0.0]
    returns = beats(0.9, *[0.0] * quiet, 0.9)
    assert threshold_rule(0.8)(returns).alarms_s == [0.0, (quiet + 1) * 5.0]


def test_no_scores_are_no_alarm() -> None:
    assert threshold_rule(0.8, 3)(beats()).alarms_s == []
    assert moving_average_rule()(beats()).alarms_s == []


def test_the_moving_average_is_the_published_one() -> None:
    # One frame of 0.75: weights 2 / 13 for the exponential mean, 1 / 2 for both rolling ones.
    held = moving_average_rule(noise_frames=0)(frames((40, 0.75)))
    mean, rolling = 0.0, 0.0
    for count in range(1, 41):
        mean = 0.75 * 2 / 13 + mean * 11 / 13
        rolling += (0.75 - rolling) / (count + 1)
    assert held.levels[-1] == pytest.approx(mean - rolling)


def test_the_first_frames_of_a_print_are_safe() -> None:
    rule = moving_average_rule(noise_frames=7200)
    held = rule(frames((60, 1.0)))
    assert held.alarms_s == [29 * 10.0]
    assert not held.holds[:29].any()


def test_a_failure_is_told_some_frames_after_it_shows_and_a_single_frame_is_not() -> None:
    rule = moving_average_rule(noise_frames=7200)
    (at_s,) = rule(frames((60, 0.0), (30, 1.0))).alarms_s
    assert 600 + 20 <= at_s <= 600 + 100
    assert rule(frames((60, 0.0), (1, 1.0), (60, 0.0))).alarms_s == []


def test_what_the_printer_always_looks_like_is_no_failure() -> None:
    always = frames((200, 0.9))
    assert moving_average_rule(noise=0.0, noise_frames=7200)(always).alarms_s
    assert not moving_average_rule(noise=0.9, noise_frames=7200)(always).alarms_s
    assert not moving_average_rule()(always).alarms_s  # a new printer takes this print for its noise


def test_between_the_limits_it_depends_on_how_this_print_looked_so_far() -> None:
    def told(so_far: float) -> bool:
        middle = (LOW + HIGH) / 2
        held = moving_average_rule(noise_frames=7200)(frames((300, so_far), (30, middle)))
        return bool(held.alarms_s)

    assert told(0.0)
    assert not told(0.25)


def test_it_looks_at_one_frame_in_ten_seconds_however_many_there_are() -> None:
    rule = moving_average_rule(noise_frames=7200)
    sparse, dense = frames((100, 0.9)), frames((1000, 0.9), every_s=1.0)
    assert rule(dense).alarms_s == rule(sparse).alarms_s
    assert rule(dense).points.tolist() == list(range(0, 1000, 10))
