"""Power beyond all that a print took, where nobody tells of fan and filament."""

from __future__ import annotations

from typing import Any

import pytest

from detector.anomaly import Kind
from detector.rules.power import Power, advance
from features.sequence import History
from ingest.records import Mark
from tests.detector.test_rules_balance import FAILS_S, filmed, first, growing
from tests.detector.windows import film, largest_memory, step

FULL_FAN = 2.15
"""In the model's units: what the rule allows a fan, 1.4 times what still air takes."""


def told(**print_: Any) -> float | None:
    """When (s) anything is told of a print whose fan and filament nobody tells."""
    found = first(filmed(tells=(), **print_))
    if found is None:
        return None
    seconds, reason = found
    assert reason.kind is Kind.HEATER_FAULT
    assert "or would have with a fan" in reason.text
    return seconds


@pytest.mark.parametrize("over_s", [1.0, 120.0, 240.0])
def test_a_heater_that_lost_half_of_its_power_is_told_although_nobody_tells_of_a_fan(over_s: float) -> None:
    seconds = told(share=growing(0.5, over_s))
    assert seconds is not None
    assert FAILS_S < seconds < FAILS_S + 120.0 + over_s


def test_a_fan_that_comes_on_is_no_heater_fault() -> None:
    assert told(fan=step(FAILS_S, 0.0, FULL_FAN)) is None
    assert told(fan=lambda t: FULL_FAN if t > FAILS_S and t % 200.0 > 100.0 else 0.0) is None


def test_a_fan_and_filament_that_begin_after_minutes_of_waiting_are_no_heater_fault() -> None:
    assert told(fan=step(FAILS_S, 0.0, FULL_FAN), melt_w=step(FAILS_S, 0.0, 2.0)) is None


def test_once_the_fan_has_run_less_is_forgiven() -> None:
    """Half of the power more: as much as a fan takes, but that is on already."""
    share = growing(0.6, 60.0)
    assert told(share=share, fan=step(30.0, 0.0, FULL_FAN)) is not None
    assert told(share=growing(0.75, 60.0), fan=lambda _: 0.0) is None


def test_another_target_is_no_heater_fault() -> None:
    assert told(target_c=step(FAILS_S, 150.0, 230.0), fan=step(FAILS_S, 0.0, FULL_FAN)) is None


@pytest.mark.parametrize("tells", [(), ("fan", "melt_w")])
def test_a_hot_end_at_room_temperature_with_a_target_is_passed_over(tells: tuple[str, ...]) -> None:
    windows = film(400, hotend_c=22.0, hotend_target_c=30.0, hotend_power=0.0, **dict.fromkeys(tells, 0.0))
    assert first(windows) is None


def test_a_pause_is_neither_learned_from_nor_judged() -> None:
    paused = told(share=growing(0.5, 1.0), marks=lambda t: Mark.PAUSED if t >= FAILS_S - 1.0 else Mark.NONE)
    assert paused is None


def test_a_fan_that_is_told_and_goes_up_begins_anew() -> None:
    faster, slower = step(FAILS_S, 0.5, 0.6), step(FAILS_S, 0.5, 0.4)
    assert first(filmed(tells=("fan",), share=growing(0.6, 1.0), fan=slower)) is not None
    assert first(filmed(tells=("fan",), share=growing(0.6, 1.0), fan=faster)) is None


def test_what_is_remembered_does_not_grow_and_survives_a_restart() -> None:
    windows = filmed(tells=(), seconds=700, share=growing(0.5, 60.0))
    assert largest_memory(windows, advance, Power) < 250


def test_nothing_is_remembered_where_the_filament_is_told() -> None:
    history = History(120)
    for window in filmed(seconds=100):
        history.push(window)
    assert advance(Power(job="j"), history) == (None, None)


def test_a_fan_that_is_told_is_not_said_to_be_what_might_have_run() -> None:
    found = first(filmed(tells=("fan",), share=growing(0.6, 1.0)))
    assert found is not None
    assert "with a fan" not in found[1].text
