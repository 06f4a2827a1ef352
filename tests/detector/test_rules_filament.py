"""Filament that does not come, told by the hot end's power, in prints of scripted power with noise."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from detector.anomaly import Kind, Reason
from detector.rules import HotendPast, judge_on
from detector.rules.filament import BEATS, MISSING, Filament, follow, reason_of
from detector.senses import leading
from features.beats import BEAT_WINDOWS
from features.channels import BALANCE
from features.flow import Flow
from features.sequence import History
from ingest.records import NS_PER_S, EventKind, Mark, Window
from tests.detector.windows import FIRST, film, largest_memory

SECONDS, STOPS_S = 700, 500
NOISE = 0.02  # duty, of a second
BEAT_NS = BEAT_WINDOWS * NS_PER_S


def printed(
    *,
    comes: float = 1.0,
    melt_w: float = 3.0,
    told: bool = True,
    seed: int = 0,
    marks: Callable[[float], Mark] = lambda _: Mark.NONE,
    events: dict[float, tuple[EventKind, str]] | None = None,
) -> list[Window]:
    """A hot end of 40 W that loses 15; from ``STOPS_S`` on the share ``comes`` of the filament comes out."""
    rng = np.random.default_rng(seed)
    asked_w = np.repeat(melt_w * rng.uniform(0.5, 1.5, SECONDS // 20), 20)
    share = np.where(np.arange(SECONDS) < STOPS_S, 1.0, comes)
    power = (15.0 + asked_w * share) / 40.0 + NOISE * rng.standard_normal(SECONDS)
    channels = {"hotend_power": lambda t: float(power[int(t)])}
    if told:
        channels["melt_w"] = lambda t: float(asked_w[int(t)])
    return film(
        SECONDS, marks=marks, events=events, hotend_c=210.0, hotend_target_c=210.0, fan=1.0, **channels
    )


def judged(windows: list[Window]) -> list[tuple[float, Reason]]:
    """What is told of the filament, with the seconds at which it is."""
    history, past, said = History(120), None, []
    for window in windows:
        history.push(window)
        past, reasons = judge_on(past, history)
        lacking = [each for each in reasons if each.kind in (Kind.NO_EXTRUSION, Kind.UNDER_EXTRUSION)]
        said += [((window.end_ns / NS_PER_S) - FIRST, each) for each in lacking]
    return said


@pytest.mark.parametrize("seed", range(3))
def test_filament_that_stops_is_told_within_minutes_and_since_when(seed: int) -> None:
    seconds, reason = judged(printed(comes=0.0, seed=seed))[0]
    assert STOPS_S + BEATS * BEAT_WINDOWS < seconds < STOPS_S + 150
    assert reason.kind is Kind.NO_EXTRUSION
    assert STOPS_S < reason.since_ns / NS_PER_S - FIRST <= seconds - BEATS * BEAT_WINDOWS
    assert leading(reason.channels) == BALANCE
    assert "no filament seems to come out" in reason.text


def test_filament_of_which_half_comes_is_told_as_too_little() -> None:
    said = judged(printed(comes=0.5, melt_w=5.0))
    assert {reason.kind for _, reason in said[-20:]} == {Kind.UNDER_EXTRUSION}


def test_once_told_it_is_told_in_every_window_while_it_lasts() -> None:
    seconds = [when for when, _ in judged(printed(comes=0.0))]
    assert seconds == list(np.arange(seconds[0], SECONDS + 1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("told", [True, False])
def test_of_filament_that_comes_nothing_is_told(told: bool, seed: int) -> None:
    assert judged(printed(told=told, seed=seed)) == []


def test_where_a_host_does_not_say_what_it_extrudes_nothing_is_told() -> None:
    assert judged(printed(comes=0.0, told=False)) == []


def test_where_so_little_is_asked_that_no_heater_shows_it_nothing_is_told() -> None:
    assert judged(printed(comes=0.0, melt_w=0.2)) == []


def test_a_printer_that_stands_halted_is_not_judged() -> None:
    halted = {STOPS_S + 1.0: (EventKind.HALTED, "kill() called")}
    said = judged(printed(comes=0.0, events=halted))
    assert all(when > STOPS_S + 120 for when, _ in said), "as long as the history knows of the halt"


def test_another_print_begins_anew() -> None:
    idle = judged(printed(comes=0.0, marks=lambda t: Mark.IDLE if STOPS_S <= t < STOPS_S + 5 else Mark.NONE))
    assert idle == []
    windows = printed(comes=0.0)
    later = [msgspec.structs.replace(each, job="k") for each in windows[STOPS_S:]]
    assert judged(windows[:STOPS_S] + later) == []


def said_of(missing: float, full: float = 6.0) -> Flow:
    return Flow(np.full(3, missing), np.full(3, 1.0), np.full(3, full))


def after(*said: Flow) -> Reason | None:
    filament = Filament(job="j")
    for beat, each in enumerate(said):
        filament = follow(filament, each, beat * BEAT_NS)
    return reason_of(filament)


def test_heat_must_be_missing_for_half_a_minute_without_a_gap() -> None:
    much, little = said_of(MISSING + 0.1), said_of(MISSING - 0.1)
    assert after(*[much] * (BEATS - 1)) is None
    assert after(*[much] * (BEATS - 1), little, *[much] * (BEATS - 1)) is None
    told = after(little, *[much] * BEATS)
    assert told is not None
    assert told.since_ns == BEAT_NS
    assert after(*[much] * BEATS, little) is None


def test_it_is_the_surer_the_more_is_missing() -> None:
    sure = [after(*[said_of(missing, full=8.0)] * BEATS) for missing in (4.0, 6.0, 8.0, 9.0)]
    assert [round(each.probability, 2) for each in sure if each] == [0.6, 0.8, 1.0, 1.0]


def test_more_than_the_filament_would_take_is_none_of_its_heat() -> None:
    assert after(*[said_of(8.0, full=3.0)] * BEATS) is None
    assert after(*[said_of(4.2, full=15.0)] * BEATS) is None, "less than filaments vary"


def test_filament_that_came_again_within_the_last_minute_is_not_told() -> None:
    again = said_of(5.0)
    again.missing[0] = 0.0
    assert after(*[again] * BEATS) is None


def test_what_one_minute_alone_lacks_tells_nothing() -> None:
    said = said_of(0.0)
    said.missing[0] = 9.0
    assert after(*[said] * BEATS) is None


def test_what_is_not_known_tells_nothing() -> None:
    assert after(*[said_of(float("nan"), float("nan"))] * BEATS) is None


def test_what_is_remembered_does_not_grow_and_survives_a_restart() -> None:
    assert largest_memory(printed(comes=0.0), judge_on, HotendPast) < 3000
