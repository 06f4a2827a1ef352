"""G-code as the simulator reads it: real files and others, whole or without comments, as moves and orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ingest.simulate.jobs import shapes
from ingest.simulate.jobs.generate import generate
from ingest.simulate.jobs.plan import JobPlan, Material, Placed, Process
from ingest.simulate.jobs.polygons import box
from ingest.simulate.jobs.read import read_job
from ingest.simulate.toolpath import NO_PART, Feature, Toolpath
from ingest.telemetry.gcode.file import layer_times


def lays(path: Toolpath, *features: Feature) -> npt.NDArray[np.bool_]:
    kinds = np.isin(path.feature, features) if features else np.ones(len(path.feature), np.bool_)
    return (path.melted_mm_s > 0) & kinds


TWO_OBJECTS = """
M104 S200
G28
M82
G1 Z0.2 F600
;LAYER_CHANGE
;TYPE:Skirt/Brim
G1 X40 Y40 F6000
G1 X160 Y40 E3 F1800
M106 S255
;TYPE:External perimeter
G1 X50 Y50 F6000
G1 X60 Y50 E4 F1800
G1 X60 Y60 E5
G1 X50 Y60 E6
G1 X50 Y50 E7
G4 P500
G1 X80 Y50 F6000
;TYPE:Internal infill
G1 X90 Y60 E8 F1800
G1 E6 F1800
G1 X100 Y100 F6000
G1 E8 F1800
M600
G1 X100 Y60 F6000
"""


def test_moves_orders_features_and_parts_are_read_from_a_file() -> None:
    path = read_job(TWO_OBJECTS.splitlines())
    assert [order.command for order in path.orders] == ["M104 S200", "G28", "M106 S255", "G4 P500", "M600"]
    assert [order.at_s == 0 for order in path.orders] == [True, True, False, False, False]
    walls = lays(path, Feature.OUTER_WALL)
    assert walls.sum() == 4
    assert set(path.part[walls]) == {0}
    assert set(path.part[lays(path, Feature.INFILL)]) == {1}
    assert set(path.part[lays(path, Feature.BRIM)]) == {NO_PART}
    assert path.e_mm[-1] == pytest.approx(8.0)  # what was retracted melts once


def test_a_dwell_is_a_move_that_stays() -> None:
    path = read_job(TWO_OBJECTS.splitlines())
    dwell = next(order for order in path.orders if order.command.startswith("G4"))
    assert path.at(dwell.at_s + 0.1)[:2] == path.at(dwell.at_s + 0.4)[:2] == (50.0, 50.0)
    assert path.filament_mm_s(dwell.at_s + 0.2) == 0.0


def test_a_flow_of_half_melts_half() -> None:
    whole, half = read_job(TWO_OBJECTS.splitlines()), read_job(["M221 S50", *TWO_OBJECTS.splitlines()])
    assert half.e_mm[-1] == pytest.approx(whole.e_mm[-1] / 2)


@pytest.mark.parametrize(
    ("word", "feature"),
    [
        ("TYPE:WALL-OUTER", Feature.OUTER_WALL), ("TYPE:Outer wall", Feature.OUTER_WALL),
        ("FEATURE: Sparse infill", Feature.INFILL), ("TYPE:FILL", Feature.INFILL),
        ("TYPE:SKIN", Feature.SKIN),
        ("FEATURE: Bottom surface", Feature.SKIN), ("TYPE:Support material interface", Feature.SUPPORT),
        ("TYPE:Prime tower", Feature.WIPE_TOWER), ("FEATURE: Internal Bridge", Feature.BRIDGE),
        ("TYPE:Ironing", Feature.IRONING), ("TYPE:SKIRT", Feature.BRIM), ("TYPE:Custom", Feature.OTHER),
    ],
)  # fmt: skip
def test_slicers_words_are_known(word: str, feature: Feature) -> None:
    lines = ["G28", ";LAYER_CHANGE", "M83", "G1 X50 Y50 Z0.2 F6000", f";{word}", "G1 X60 Y50 E1 F1800"]
    # a wall beside it, so that the file counts as one that names its features
    path = read_job([*lines, ";TYPE:External perimeter", "G1 X60 Y60 E1"])
    assert path.feature[lays(path)][0] == feature


def test_without_comments_the_rim_is_the_outer_wall_and_lines_inside_are_filling() -> None:
    solid = shapes.prism("block", 6.0, [box(30, 30)])
    plan = JobPlan(
        name="block",
        parts=(Placed(solid, 110, 110),),
        material=Material("pla", 210.0, 60.0, 1.0),
        process=Process(density=0.3),
    )
    told = read_job(generate(plan))
    lines = [line for line in generate(plan) if not line.startswith(";")]
    guessed = read_job(lines)
    assert len(guessed.feature) == len(told.feature)
    outer = lays(told, Feature.OUTER_WALL)
    assert (guessed.feature[outer] == Feature.OUTER_WALL).mean() > 0.95
    inner = lays(told, Feature.INFILL)
    assert np.isin(guessed.feature[inner], (Feature.INFILL, Feature.SKIN)).mean() > 0.95
    assert (guessed.feature[lays(told, Feature.PURGE)] == Feature.PURGE).all()


@pytest.mark.parametrize(
    "text", ["", "?", "G1", "G1 X", "M104", "G28\nG1 E5", "G2 X1 Y1 I1", "\x00\xff;;;", "G4 S1"]
)
def test_whatever_the_text_it_is_read(text: str) -> None:
    path = read_job(text.split("\n"))
    assert path.at(0.0) is not None
    assert path.duration_s > 0


@pytest.mark.data
@pytest.mark.parametrize("number", range(12))
def test_real_files_take_as_long_as_their_layers(number: int, data_dir: Path) -> None:
    file = sorted((data_dir / "gcode").glob("*.gcode"))[number]
    lines = file.read_text().splitlines()
    path, layers = read_job(lines), layer_times(lines)
    in_layers_s = sum(layer.time_s for layer in layers)
    assert path.duration_s - in_layers_s == pytest.approx(0, abs=40)  # the purge line
    assert path.layer.max() == layers[-1].index
    assert set(path.feature[lays(path)]) >= {Feature.OUTER_WALL, Feature.SKIN}
    assert path.part[lays(path, Feature.OUTER_WALL)].max() < 9
