"""What a sensor token says of a print's telemetry."""

from __future__ import annotations

import numpy as np
import pytest

from features.channels import FEATURES, LIMIT, NAMES, SENSOR_DIM, SOURCES, SensorToken, sensor_token
from features.flow import SPANS, Flow, FlowState
from features.flow import flow as said_by
from features.sequence import History
from ingest.records import EventKind, Mark, Window
from tests.detector.windows import Script, film, ramp


def token(windows: list[Window], flow: Flow | None = None) -> SensorToken:
    history = History(120)
    for window in windows:
        history.push(window)
    return sensor_token(history, said_by(FlowState()) if flow is None else flow)


def number(told: SensorToken, name: str) -> float:
    at = NAMES.index(name)
    assert told.known[at], name
    return float(told.values[at])


def printing(seconds: int = 120, **changed: Script) -> list[Window]:
    usual: dict[str, Script] = {
        "hotend_c": 210.0, "hotend_target_c": 210.0, "hotend_power": 0.4, "bed_c": 60.0, "bed_target_c": 60.0,
        "bed_power": 0.3, "melt_w": 2.0, "extrusion_mm_s": 3.0,
    }  # fmt: skip
    return film(seconds, **{**usual, **changed})


def test_a_token_has_a_name_and_a_channel_for_each_number() -> None:
    assert SENSOR_DIM == len(NAMES) == len(SOURCES) == len(set(NAMES))
    told = token(printing())
    assert told.values.shape == told.known.shape == (SENSOR_DIM,)
    assert told.values.dtype == np.float32
    assert told.heard


def test_numbers_are_in_physical_units() -> None:
    told = token(printing(hotend_c=200.0))
    assert number(told, "hotend_off_c mean 5 s") == pytest.approx(-10 / 20)
    assert number(told, "hotend_c mean 5 s") == pytest.approx(200 / 250)
    assert number(told, "hotend_power mean 120 s") == pytest.approx(0.4)
    assert number(told, "balance_w mean 30 s") == pytest.approx((40 * 0.4 - 0.08 * 175 - 2) / 10)


def test_a_fall_of_power_under_the_same_flow_shows_in_the_balance() -> None:
    steady = token(printing())
    falling = token(printing(hotend_power=ramp((0, 0.4), (60, 0.4), (120, 0.33))))
    assert abs(number(steady, "balance_w change 60 s")) < 1e-4
    assert number(falling, "balance_w change 60 s") < -0.3


def test_a_reading_that_jumps_is_rough_and_one_that_glides_is_not() -> None:
    jumping = token(printing(hotend_c=lambda t: 150.0 if t == 110 else 210.0))
    gliding = token(printing(hotend_c=ramp((60, 210.0), (120, 180.0))))
    assert number(jumping, "hotend_c roughness 30 s") == pytest.approx(60 / 20)
    assert number(gliding, "hotend_c roughness 30 s") < 0.1


def test_the_heat_balance_stands_in_the_token_as_far_as_it_is_known() -> None:
    told = token(printing(), Flow(np.array([2.0, 4.0, np.nan]), np.full(3, 1.0), np.full(3, np.nan)))
    assert number(told, f"flow missing {SPANS[1]} beats") == pytest.approx(1.0)
    assert number(told, f"flow missing_w {SPANS[2]} beats") == pytest.approx(0.5)
    assert not told.known[NAMES.index(f"flow missing {SPANS[2]} beats")]
    assert not token(printing()).known[NAMES.index(f"flow full {SPANS[0]} beats")]


def test_what_was_never_told_is_zero_and_not_known() -> None:
    told = token(film(120, hotend_c=210.0))
    unknown = [name for name, known in zip(NAMES, told.known, strict=True) if not known]
    assert "bed_c mean 5 s" in unknown
    assert "hotend_off_c mean 5 s" in unknown, "no target was told"
    assert not told.values[~told.known].any()


def test_a_silent_printer_is_not_heard_but_its_setting_is_remembered() -> None:
    windows = [*printing(60), *film(10, first=printing(60)[-1].index + 1, telemetry=lambda _: False)]
    told = token(windows)
    assert not told.heard
    assert not told.known[NAMES.index("hotend_c mean 5 s")]
    assert told.known[NAMES.index("hotend_c mean 5 s") + 1 :].any()


def test_marks_and_events_of_the_beat_are_told_and_older_ones_are_not() -> None:
    windows = film(
        20,
        marks=lambda t: Mark.PAUSED if t >= 17 else Mark.OVERRIDE if t < 10 else Mark.NONE,
        events={18.5: (EventKind.RESEND, "Resend: 4"), 2.0: (EventKind.ERROR, "Error:")},
        hotend_c=210.0,
    )
    told = token(windows)
    assert number(told, "marks PAUSED") == 1.0
    assert number(told, "marks OVERRIDE") == 0.0
    assert number(told, "events RESEND") == 1.0
    assert number(told, "events ERROR") == 0.0


def test_no_number_leaves_its_bounds_or_is_undefined_whatever_is_read() -> None:
    told = token(printing(hotend_c=lambda t: 1e30 * (-1) ** int(t), melt_w=-1e30, resends=1e6))
    assert np.isfinite(told.values).all()
    assert np.abs(told.values).max() <= LIMIT


def test_a_print_that_has_just_begun_has_a_token_too() -> None:
    told = token(printing(1))
    assert np.isfinite(told.values).all()
    assert len(FEATURES) < SENSOR_DIM
