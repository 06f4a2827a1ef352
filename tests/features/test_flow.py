"""The heat balance tells a nozzle from which less comes, and says nothing of a healthy one."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features.flow import HELD_BEATS, SETTLED_BEATS, Flow, FlowState, Reading, advance, flow, reading
from features.sequence import History
from ingest.records import Mark
from tests.detector.windows import film

BEAT_S = 5.0
NOISE = 0.02  # duty, of a beat


def play(
    beats: int,
    *,
    comes: float = 1.0,
    since: int = 10_000,
    melt_w: float = 2.0,
    told: bool = True,
    heater_w: float = 40.0,
    seed: int = 0,
) -> list[FlowState]:
    """A hot end of 15 W loss; from beat ``since`` on the share ``comes`` of the filament comes out."""
    rng = np.random.default_rng(seed)
    state, states = FlowState(), []
    for beat in range(beats):
        asked_w = melt_w * rng.uniform(0.5, 1.5)
        taken_w = asked_w * (comes if beat >= since else 1.0)
        power = (15.0 + taken_w) / heater_w + NOISE * rng.standard_normal()
        given = Reading(power, 210.0, 210.0, 1.0, asked_w if told else float("nan"), usable=True)
        state = advance(state, given, BEAT_S)
        states.append(state)
    return states


def highest(states: list[FlowState]) -> float:
    return float(np.nanmax([flow(state).missing for state in states[20:]]))


@pytest.mark.parametrize("heater_w", [30.0, 40.0, 60.0])
@pytest.mark.parametrize("told", [True, False])
def test_filament_that_stops_is_told_apart_from_filament_that_comes(told: bool, heater_w: float) -> None:
    stopped = [play(180, comes=0.0, since=100, told=told, heater_w=heater_w, seed=seed) for seed in range(5)]
    healthy = [play(180, told=told, heater_w=heater_w, seed=seed) for seed in range(5)]
    assert min(highest(each[100:160]) for each in stopped) > 4
    assert max(map(highest, healthy)) < 3.5


def test_what_is_missing_is_told_in_watts_and_by_how_much_a_full_stop_would_show() -> None:
    said = [flow(play(148, comes=0.5, since=100, seed=seed)[-1]) for seed in range(5)]
    assert np.mean([each.missing_w[2] for each in said]) == pytest.approx(1.0, abs=0.2)
    assert np.mean([each.full[2] / each.missing[2] for each in said]) == pytest.approx(2.0, abs=0.6)
    little = flow(play(148, melt_w=0.1)[-1])
    assert little.full[2] < 1, "so little filament shows in no heater"


def test_nothing_is_said_before_enough_is_known() -> None:
    assert np.isnan(flow(FlowState()).missing).all()
    assert np.isnan(flow(play(10)[-1]).missing).all()
    assert not np.isnan(flow(play(30)[-1]).missing).any()


def test_beats_that_tell_nothing_change_nothing_but_the_time() -> None:
    state = play(100)[-1]
    paused = Reading(0.1, 180.0, 210.0, 0.0, 0.0, usable=False)
    blank = Reading(*[float("nan")] * 5, usable=True)
    for _ in range(HELD_BEATS // 2):
        state = advance(advance(state, paused, BEAT_S), blank, BEAT_S)
    said: Flow = flow(state)
    assert np.isnan(said.missing).all(), "all that was held back tells nothing"
    assert len(state.held) == HELD_BEATS * 6 * 8


def test_what_a_lower_target_takes_off_the_power_is_no_filament_that_is_missing() -> None:
    state, told = play(100)[-1], []
    for beat in range(40):
        cooling = beat < SETTLED_BEATS
        given = Reading(0.05 if cooling else 0.4, 204.0 if cooling else 200.0, 200.0, 1.0, 2.0, usable=True)
        state = advance(state, given, BEAT_S)
        told.append(flow(state).missing)
    assert np.nanmax(told) < 3.5
    assert state.settled == SETTLED_BEATS


def test_a_state_that_was_written_down_goes_on_bit_by_bit() -> None:
    states = play(60)
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(states[40]), type=FlowState)
    assert read == states[40]
    given = Reading(0.4, 210.0, 210.0, 1.0, 2.0, usable=True)
    assert advance(read, given, BEAT_S) == advance(states[40], given, BEAT_S)


def test_a_beat_is_read_from_what_was_measured_in_it() -> None:
    history = History(30)
    for window in film(
        10, hotend_c=lambda t: 200.0 if t < 5 else 210.0, hotend_target_c=210.0, hotend_power=0.4, melt_w=1.5
    ):
        history.push(window)
    read = reading(history, BEAT_S)
    assert read[:3] == pytest.approx((0.4, 210.0, 210.0))
    assert np.isnan(read.fan)
    assert read.usable
    history.push(film(1, first=history.newest.index + 1, marks=lambda _: Mark.PAUSED, hotend_c=205.0)[0])
    assert not reading(history, BEAT_S).usable
