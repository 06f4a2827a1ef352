"""What the interpreter makes of lines: positions, filament, time, settings, in every way they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.telemetry.gcode.interpreter import RETRACT_MM, GCode
from ingest.telemetry.gcode.layers import Layers
from ingest.telemetry.gcode.words import usual_move


def after(*lines: str) -> GCode:
    gcode = GCode()
    for line in lines:
        gcode.take(line)
    return gcode


def position(gcode: GCode) -> tuple[float, float, float, float]:
    return gcode.x, gcode.y, gcode.z, gcode.e


WRITTEN = (
    "G1 X10 Y5.5 Z.25 E2 F1800",
    "G1 X10 Y5.5 Z0.25 E2 F1800\r\n",
    "G1 F1800 X10 Y5.5 Z0.25 E2",
    "G1X10Y5.5Z0.25E2F1800",
    "g1 x10 y5.5 z.25 e2 f1800",
    "  G01\tX10  Y+5.5 Z0.25 E2.  F1800 \n",
    "G1 E2 Z0.25 Y5.5 X10 F1800",
    "G0 X10 Y5.5 Z0.25 E2 F1800 ; G1 X99 E99",
    "G1 X10 Y5.5 (Y99) Z0.25 E2 F1800 (and so on",
    "N123 G1 X10 Y5.5 Z0.25 E2 F1800*97",
    "N123G1X10Y5.5Z0.25E2F1800 *97 ; from a host\r\n",
    "n123 g1 x10 y5.5 z0.25 e2 f1800*97",
)


@pytest.mark.parametrize("line", WRITTEN)
def test_a_move_means_the_same_however_it_is_written(line: str) -> None:
    gcode = after(line)
    assert position(gcode) == pytest.approx((10, 5.5, 0.25, 2))
    assert gcode.feed_mm_s == pytest.approx(30)
    assert gcode.extruded_mm == pytest.approx(2)
    assert gcode.path_mm == pytest.approx(math.dist((0, 0, 0), (10, 5.5, 0.25)))


def test_the_quick_reading_of_a_move_and_the_thorough_one_agree() -> None:
    quick = [line for line in WRITTEN if usual_move(line)]
    assert 4 <= len(quick) < len(WRITTEN)  # so the test above has seen both


@pytest.mark.parametrize(
    "line", ["", "\r\n", "G", "G1", "M117 X5", "G92.1 X5", "G1.5 X5", "X5 Y5", ";G1 X5", "*", "N5"]
)
def test_what_is_no_move_moves_nothing(line: str) -> None:
    gcode = after("G1 X1 Y2 Z3 E4", line)
    assert position(gcode) == (1, 2, 3, 4)


def test_relative_moves_and_inches() -> None:
    assert position(after("G1 X10 Y10 E1", "G91", "G1 X-1 Z2 E1", "G90", "G1 Y4")) == (9, 4, 2, 2)
    assert position(after("G20", "G1 X1 E1 F60", "G21", "G1 Y1")) == pytest.approx((25.4, 1, 0, 25.4))
    assert after("G20", "G1 X1 F60").feed_mm_s == pytest.approx(25.4)


@pytest.mark.parametrize(
    ("modes", "expected_mm"),
    [
        ((), -1),
        (("M83",), 2),
        (("M83", "M82"), -1),
        (("G91",), 2),  # Cura's end under M82
        (("G91", "G90"), -1),
        (("M83", "G91", "G90"), 2),  # a macro's way there and back
        (("M83", "G90"), 2),  # a host's or slicer's order of the two does not matter
    ],
)  # fmt: skip
def test_e_is_relative_after_either_g91_or_m83(modes: Iterable[str], expected_mm: float) -> None:
    assert after("G92 E3", *modes, "G1 E2").extruded_mm == expected_mm


def test_g92_renames_the_place_and_moves_nothing() -> None:
    gcode = after("G1 X10 Y10 Z1 E5", "G92 X0 E0", "G1 X1 E1")
    assert position(gcode) == (1, 10, 1, 1)
    assert (gcode.path_mm, gcode.filament_mm) == (1, 6)


def test_homing_ends_at_zero_of_the_axes_that_it_names() -> None:
    move = "G1 X1 Y2 Z3 E4"
    assert position(after(move, "G28")) == position(after(move, "G28 W")) == (0, 0, 0, 4)
    assert position(after(move, "G28 X Y0")) == (0, 0, 3, 4)
    assert after("G28").time_s == 0


def test_filament_that_is_retracted_and_pushed_again_counts_once() -> None:
    gcode = after("M83", "G1 X10 E5", "G1 E-2", "G1 X20", "G1 E2", "G1 X30 E1", "G1 E-4")
    assert gcode.filament_mm == pytest.approx(6)
    assert gcode.pushed_mm == pytest.approx(2)


def test_firmware_retraction_counts_like_any_other_and_leaves_e_alone() -> None:
    gcode = after("G1 X10 E5", "G10", "G10")
    assert (gcode.e, gcode.pushed_mm, gcode.extruded_mm) == (5, 5 - RETRACT_MM, -RETRACT_MM)
    for line in ("G11", "G11"):
        gcode.take(line)
    assert (gcode.pushed_mm, gcode.filament_mm) == (5, 5)
    assert after("G10 P1 X2 L1").pushed_mm == 0  # sets up a tool
    own = after("M207 S1 F600", "M208 S0.5 F600", "G10", "G11")
    assert (own.extruded_mm, own.filament_mm) == (1.5, 0.5)


def test_flow_changes_what_is_pushed_but_not_what_slicers_count() -> None:
    gcode = after("M221 S50", "G1 X10 E4")
    assert (gcode.extruded_mm, gcode.pushed_mm, gcode.filament_mm) == (2, 2, 4)


def test_melting_takes_heat_for_new_filament_alone() -> None:
    heat_j = 5.6e-3 * 2 * (225 - 25)
    gcode = after("M83", "M104 S225", "G1 X100 E2 F600")
    assert gcode.melt_j == pytest.approx(heat_j)
    assert gcode.melt_w == pytest.approx(heat_j / gcode.seconds)
    for line in ("G1 E-1", "G1 X0", "G1 E1"):
        gcode.take(line)
        assert gcode.melt_w == 0
    assert gcode.melt_j == pytest.approx(heat_j)
    assert after("G1 X100 E2 F600").melt_j == 0  # a cold nozzle


@pytest.mark.parametrize(
    ("line", "path_mm"),
    [
        ("G2 X10 Y10 I10 J0", math.pi * 5),  # a quarter over the top left
        ("G3 X10 Y10 I10 J0", math.pi * 15),  # the other three
        ("G3 X10 Y10 I0 J10", math.pi * 5),
        ("G2 X10 Y10 R10", math.pi * 5),
        ("G3 X10 Y10 R10", math.pi * 5),
        ("G2 X10 Y10 R-10", math.pi * 15),
        ("G2 X10 R1", math.pi * 5),  # too short to reach
        ("G2 I5", math.pi * 10),  # a full circle
        ("G3 X0 Y0 I0 J-5", math.pi * 10),
        ("G3 X10 Y10 Z3 I0 J10", math.hypot(math.pi * 5, 3)),  # a screw
        ("g2x10y10i10", math.pi * 5),
    ],
)
def test_an_arc_is_as_long_as_it_is(line: str, path_mm: float) -> None:
    assert after(line).path_mm == pytest.approx(path_mm)


def test_an_arc_ends_where_it_says_and_one_without_sense_moves_nothing() -> None:
    assert position(after("G3 X10 Y10 Z3 I0 J10 E2 F600")) == (10, 10, 3, 2)
    for nonsense in ("G2 X10 Y10", "G2 R5", "G3", "G2 I0 J0 E5"):
        assert position(after(nonsense)) == (0, 0, 0, 0)


def test_an_arc_lasts_as_long_as_its_path_in_small_pieces() -> None:
    pieces = [math.tau * step / 100 for step in range(1, 101)]
    around = [f"G1 X{50 - 50 * math.cos(angle):.4f} Y{50 * math.sin(angle):.4f}" for angle in pieces]
    start = ("G1 F3000", "M204 S1000", "G0 Y-10", "G0 Y0")
    before_s = after(*start).time_s
    whole_s = after(*start, "G2 I50").time_s - before_s
    assert after(*start, *around).time_s - before_s == pytest.approx(whole_s, rel=0.05)


texts = st.text() | st.binary().map(lambda raw: raw.decode("latin-1"))
numbers = st.floats(width=32).map(str) | st.integers().map(str) | st.decimals(-300, 300, places=3).map(str)
letters = st.sampled_from("XYZEFIJRSPTLN;*(")
CODES = (
    "G0 G1 G2 G3 G4 G10 G11 G20 G21 G28 G90 G91 G92 M0 M82 M83 M104 M106 M117 M201 M203 M204 M205 M207 M208 "
    "M220 M221 M600 M73 T1 G G99999 ;LAYER:1 ;LAYER_CHANGE ;Z:"
)
alike = st.builds(
    lambda code, words: code + " ".join(letter + number for letter, number in words),
    st.sampled_from(CODES.split()),
    st.lists(st.tuples(letters, numbers | st.just("")), max_size=6),
)


@given(st.lists(alike | texts, max_size=40))
def test_no_text_at_all_makes_it_raise_or_leave_finite_numbers(lines: list[str]) -> None:
    gcode = after(*lines)
    state = {name: value for name, value in vars(gcode).items() if isinstance(value, float)}
    assert all(math.isfinite(value) for value in state.values()), state
    assert math.isfinite(gcode.feed_mm_s)
    assert isinstance(gcode.layers, Layers)
    assert gcode.time_s >= 0 <= gcode.filament_mm


@given(
    st.sampled_from(["G1 X{}", "G1 E{}", "G92 Y{}", "M104 S{}", "G4 S{}", "G2 X1 I{}"]), st.integers(8, 5000)
)
def test_a_number_too_large_for_any_printer_is_left_out(form: str, digits: int) -> None:
    gcode = after(form.format("9" * digits))
    assert (gcode.hotend_target_c, gcode.time_s if "G2" not in form else 0.0) == (0, 0)
    assert max(map(abs, position(gcode))) <= 1
