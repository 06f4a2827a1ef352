"""What commands other than moves tell: targets, factors, progress, pauses, the card, layers, limits, time."""

from __future__ import annotations

import pytest

from ingest.telemetry.gcode.interpreter import GCode


def after(*lines: str) -> GCode:
    gcode = GCode()
    for line in lines:
        gcode.take(line)
    return gcode


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("M104 S215", "hotend_target_c", 215),
        ("N7 M109 R195*33", "hotend_target_c", 195),
        ("M104 T0 S200", "hotend_target_c", 200),
        ("M104 T1 S200", "hotend_target_c", 0),
        ("M104", "hotend_target_c", 0),
        ("M104 S-5", "hotend_target_c", 0),
        ("M140 S60", "bed_target_c", 60),
        ("M190 R60", "bed_target_c", 60),
        ("m141s45", "chamber_target_c", 45),
        ("M106 S127.5", "fan", 0.5),
        ("M106", "fan", 1),
        ("M106 S999", "fan", 1),
        ("M106 P0 S51", "fan", 0.2),
        ("M106 P1 S255", "fan", 0),
        ("M220 S150", "feed_factor", 1.5),
        ("M221 S95", "flow_factor", 0.95),
        ("M73 P42 R10", "progress", 0.42),
        ("M73 Q42 S10", "progress", None),
        ("M117 Layer 3 of 9\r\n", "message", "Layer 3 of 9"),
        ("T1", "tool", 1),
    ],
)
def test_a_setting_is_what_its_command_says(line: str, name: str, value: float | str | None) -> None:
    assert getattr(after(line), name) == value


def test_m220_changes_the_speed_of_moves_and_m107_stops_the_fan() -> None:
    gcode = after("M106", "G1 F1200", "M220 S50", "M107")
    assert (gcode.feed_mm_s, gcode.fan) == (10, 0)
    assert after("M220 S50", "G1 X1000 F600").seconds == pytest.approx(200, rel=0.01)


@pytest.mark.parametrize("pause", ["M0", "M1 Look at it", "M25", "M226", "M601"])
@pytest.mark.parametrize("resume", ["M24", "M108", "M602", "G1 X5 E5"])
def test_a_pause_lasts_until_it_is_ended_or_the_head_prints_on(pause: str, resume: str) -> None:
    gcode = after(pause, "G0 Z10", "G1 E-1", "M104 S180")
    assert gcode.is_paused
    gcode.take(resume)
    assert not gcode.is_paused


def test_a_filament_change_is_told_until_the_head_prints_on() -> None:
    gcode = after("M600", "G92 E0", "G1 E50")
    assert gcode.is_changing_filament
    assert not gcode.is_paused
    gcode.take("G1 X5 E51")
    assert not gcode.is_changing_filament


def test_a_print_from_the_card_is_known_by_its_file() -> None:
    gcode = after("M23 PRINTS/Benchy.gco*75", "M27")
    assert (gcode.sd_file, gcode.is_sd_printing) == ("PRINTS/Benchy.gco", False)
    gcode.take("M24")
    assert gcode.is_sd_printing
    gcode.take("M25")
    assert gcode.is_paused
    gcode.take("M524")
    assert not gcode.is_sd_printing
    assert after("M32 !cube.gco#").sd_file == "cube.gco"


LAYERS = {
    "Cura": (";LAYER:{n}", 0),
    "IceSL": ("; <layer {n}>", 0),
    "Simplify3D": ("; layer {n}, Z = 0.200", 1),
    "PrusaSlicer and Orca": (";LAYER_CHANGE\n;BEFORE_LAYER_CHANGE\n;AFTER_LAYER_CHANGE", 0),
    "Bambu": ("; CHANGE_LAYER", 0),
    "Slic3r PE": (";BEFORE_LAYER_CHANGE", 0),
}


@pytest.mark.parametrize("slicer", LAYERS)
def test_layers_count_from_zero_in_every_slicers_words(slicer: str) -> None:
    mark, first = LAYERS[slicer]
    gcode = after("G1 X100 Z0.3 E20 ; purge")
    for layer in range(3):
        for line in mark.format(n=layer + first).split("\n"):
            gcode.take(line + "\r\n")
        gcode.take(f"G1 Z{0.2 * (layer + 1):.1f}")
        gcode.take("G1 X5 E30")
        gcode.take("G1 X9 Z9 E31 ; whatever the height")
        assert gcode.layer == layer


def test_without_comments_a_layer_begins_where_filament_is_laid_higher() -> None:
    gcode = after("M83", "G1 Z5")
    assert gcode.layer is None
    seen = []
    for z in ("0.28", "0.2", "0.4", "0.4", "0.6"):  # a purge line, then the print
        for line in (f"G1 Z{z}", "G1 E-1", "G1 Z8", "G1 X1", f"G1 Z{z}", "G1 E1", "G1 X2 E1"):
            gcode.take(line)
        seen.append(gcode.layer)
    assert seen == [0, 0, 1, 1, 2]


def test_without_comments_a_vase_grows_a_layer_per_turn_at_most() -> None:
    gcode = after("M83", *(f"G1 X{step % 2} Z{step / 100} E1" for step in range(101)))  # 1 mm in 100 steps
    assert gcode.layer in (4, 5)


@pytest.mark.parametrize(
    ("line", "feature"),
    [
        (";TYPE:WALL-OUTER", "WALL-OUTER"),
        (";TYPE:External perimeter\r\n", "External perimeter"),
        ("; FEATURE: Outer wall", "Outer wall"),
        ("; feature outer perimeter", "outer perimeter"),
        ("; filament_type = PLA", None),
    ],
)
def test_the_feature_is_told_in_the_slicers_words(line: str, feature: str | None) -> None:
    assert after(line).feature == feature


def test_the_height_of_a_layer_is_told_or_that_of_its_first_path() -> None:
    assert after(";LAYER_CHANGE", ";Z:0.45", "G1 X1 Z0.5 E1").layers.z_mm == 0.45
    assert after("; CHANGE_LAYER", "; Z_HEIGHT: 0.2").layers.z_mm == 0.2
    assert after(";LAYER:7", "G0 Z9", "G1 Z0.5", "G1 X1 E1", "G1 X2 Z0.6 E2").layers.z_mm == 0.5


def test_dwells_take_their_time() -> None:
    assert after("G4 S2", "G4 P500").time_s == 2.5


def test_a_lone_move_accelerates_cruises_and_brakes() -> None:
    """From and to 8 mm/s (the jerk) at 1000 mm/s²: 92 mm/s more each way, over 4.968 mm each."""
    gcode = after("M204 S1000", "M205 X8", "G1 X100 F6000")
    assert gcode.seconds == pytest.approx(2 * 0.092 + (100 - 2 * 4.968) / 100)


def test_a_straight_way_in_pieces_takes_no_longer_than_its_cruise_and_a_turn_back_does() -> None:
    straight = after("G1 X10 F3000", "G1 X20", "G1 X30")
    assert straight.seconds == pytest.approx(10 / 50)
    back = after("G1 X10 F3000", "G1 X0")
    assert back.seconds > 10 / 50


def test_limits_of_the_axes_slow_a_move() -> None:
    assert after("M203 Z10", "G1 Z20 F18000").seconds > 2
    assert after("M203 X10", "G1 X20 F18000").seconds > 2
    assert after("M203 E10", "G1 E20 F18000").seconds > 2
    slow, quick = after("M201 X100", "G1 X10 F6000"), after("M201 X5000", "M204 S5000", "G1 X10 F6000")
    assert slow.seconds > 2 * quick.seconds
