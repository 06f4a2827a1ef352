"""The heat balance against the print's own past, in prints of a small thermal model: a block, air, a control.

The model is of these tests alone; it shares nothing with the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import pytest

from detector.anomaly import Kind, Reason
from detector.rules import judge_on
from detector.rules.balance import Balance, advance
from features.sequence import History
from ingest.records import NS_PER_S, Mark, Window
from tests.detector.windows import film, largest_memory, step

ROOM_C, TARGET_C = 22.0, 215.0
FAILS_S = 400.0
Curve = Callable[[float], float]


def hotend(
    *,
    seconds: int = 900,
    share: Curve = lambda _: 1.0,
    reads: Curve = lambda _: 1.0,
    fan: Curve = lambda _: 1.0,
    melt_w: Curve = lambda _: 2.0,
    target_c: Curve = lambda _: TARGET_C,
    full_w: float = 40.0,
    heat_j_k: float = 17.0,
) -> tuple[list[float], list[float]]:
    """Readings and duty of each second under a PI control. ``share`` of its power the heater gives; the
    sensor tells ``reads`` of its excess over the room."""
    block_c = sensed_c = target_c(0.0)
    loss_w_k = 0.08
    held = (loss_w_k + 0.015 * fan(0.0)) * (block_c - ROOM_C) / full_w
    told, given = [], []
    for second in range(seconds):
        felt_c = ROOM_C + (block_c - ROOM_C) * reads(second)
        sensed_c += (felt_c - sensed_c) / 2.0
        error_k = target_c(second) - sensed_c
        held = min(max(held + 0.002 * error_k, 0.0), 1.0)
        duty = min(max(held + 0.05 * error_k, 0.0), 1.0)
        to_air_w = (loss_w_k + 0.015 * fan(second)) * (block_c - ROOM_C)
        block_c += (duty * share(second) * full_w - to_air_w - melt_w(second)) / heat_j_k
        told.append(sensed_c)
        given.append(duty)
    return told, given


def filmed(
    *,
    tells: Collection[str] = ("fan", "melt_w"),
    marks: Callable[[float], Mark] = lambda _: Mark.NONE,
    **kwargs: object,
) -> list[Window]:
    """Such a print; ``tells``: which of fan and filament is told."""
    celsius, duty = hotend(**kwargs)  # type: ignore[arg-type]
    channels = {
        "hotend_c": lambda t: celsius[int(t)],
        "hotend_power": lambda t: duty[int(t)],
        "hotend_target_c": kwargs.get("target_c", TARGET_C),
    }
    channels |= {
        name: kwargs.get(name, usual) for name, usual in (("fan", 1.0), ("melt_w", 2.0)) if name in tells
    }
    return film(len(celsius), marks=marks, **channels)  # type: ignore[arg-type]


def told_by_balance(**print_: Any) -> tuple[float, Reason] | None:
    """When (s) and what the balance tells first of such a print."""
    return first(filmed(**print_))


def first(windows: list[Window]) -> tuple[float, Reason] | None:
    history, balance = History(120), None
    for window in windows:
        history.push(window)
        balance, reasons = judge_on(balance, history)
        for reason in reasons:
            return (window.end_ns - windows[0].start_ns) / NS_PER_S, reason
    return None


def growing(to: float, over_s: float) -> Curve:
    """From 1 at ``FAILS_S`` to ``to``."""
    return lambda t: 1.0 + (to - 1.0) * min(max((t - FAILS_S) / over_s, 0.0), 1.0)


@pytest.mark.parametrize("over_s", [1.0, 120.0, 300.0])
def test_a_heater_that_lost_a_fifth_of_its_power_is_told_although_the_target_is_held(over_s: float) -> None:
    found = told_by_balance(share=growing(0.8, over_s))
    assert found is not None
    seconds, reason = found
    assert FAILS_S < seconds < FAILS_S + 60.0 + over_s
    assert reason.kind is Kind.HEATER_FAULT
    assert "power where this print took" in reason.text


def test_a_sensor_that_slips_out_of_its_hole_is_told_by_the_power_it_takes() -> None:
    """It misses a tenth of the excess: the block is 21 K hotter and nothing else shows it."""
    found = told_by_balance(reads=growing(0.88, 150.0))
    assert found is not None
    assert found[0] > FAILS_S


@pytest.mark.parametrize(("full_w", "heat_j_k"), [(25.0, 13.0), (75.0, 15.0), (60.0, 40.0)])
def test_the_print_teaches_what_its_own_hot_end_needs(full_w: float, heat_j_k: float) -> None:
    assert told_by_balance(full_w=full_w, heat_j_k=heat_j_k) is None
    assert told_by_balance(share=growing(0.75, 60.0), full_w=full_w, heat_j_k=heat_j_k) is not None


def test_a_fan_is_no_heater_fault() -> None:
    assert told_by_balance(fan=step(FAILS_S, 0.0, 1.0)) is None
    assert told_by_balance(fan=lambda t: 1.0 if t % 200.0 > 100.0 else 0.3) is None


def test_what_a_new_fan_takes_is_learned_before_it_is_judged() -> None:
    """A minute's gust takes a fifth more: it is told beside a fan that is known, and not beside a new one."""

    def gust(t: float) -> float:
        return 0.78 if 460.0 <= t < 520.0 else 1.0

    assert told_by_balance(seconds=600, share=gust, fan=step(FAILS_S, 0.0, 1.0)) is None
    assert told_by_balance(seconds=600, share=gust) is not None


def test_more_filament_is_no_heater_fault() -> None:
    assert told_by_balance(melt_w=step(FAILS_S, 1.0, 5.0)) is None


def test_another_target_is_no_heater_fault() -> None:
    assert told_by_balance(target_c=step(FAILS_S, 200.0, 230.0)) is None


def test_a_pause_is_neither_learned_from_nor_judged() -> None:
    found = told_by_balance(
        melt_w=lambda t: 0.0 if 100.0 <= t < 300.0 else 4.0,
        marks=lambda t: Mark.PAUSED if 100.0 <= t < 320.0 else Mark.NONE,
    )
    assert found is None


def test_a_new_job_begins_anew() -> None:
    windows = filmed(seconds=900, share=growing(0.7, 1.0))
    later = [
        msgspec.structs.replace(window, job="other") if number >= FAILS_S else window
        for number, window in enumerate(windows)
    ]
    assert first(windows) is not None
    assert first(later) is None


def test_what_is_remembered_of_a_print_does_not_grow_and_survives_a_restart() -> None:
    assert largest_memory(filmed(seconds=600, share=growing(0.8, 60.0)), advance, Balance) < 300
