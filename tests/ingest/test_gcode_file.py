"""G-code files: what layers take, what the slicer says, and that both agree on real files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingest.errors import SourceError, SourceNotFound
from ingest.telemetry.gcode.file import layer_times, read_lines, slicer_filament_mm
from ingest.telemetry.gcode.interpreter import GCode

FILAMENT_SHARE = 0.01
"""Between our filament and the slicer's."""
TIME_SHARE = 0.05
"""Between our time and PrusaSlicer's."""

PRINT = """\
G1 X100 Z0.3 E20 F600 ; purge
G92 E0
;LAYER:0
G1 X0 E5
;LAYER:1
G1 Z0.5
G4 S10
G1 X100 E7
G1 E6
;LAYER:2
G1 X0 E7
"""


def test_each_layer_has_its_own_time_and_filament_and_the_purge_line_belongs_to_none() -> None:
    layers = layer_times(PRINT.splitlines())
    assert [(layer.index, layer.z_mm, layer.filament_mm) for layer in layers] == [
        (0, 0.3, pytest.approx(5)),
        (1, 0.5, pytest.approx(2)),
        (2, 0.5, pytest.approx(0)),
    ]
    assert layers[0].time_s == pytest.approx(10, rel=0.02)
    assert layers[1].time_s == pytest.approx(20, rel=0.05)


def test_layers_are_counted_by_height_where_no_comment_tells_them() -> None:
    bare = [line for line in PRINT.splitlines() if not line.startswith(";")]
    assert [(layer.index, layer.z_mm) for layer in layer_times(bare)] == [(0, 0.3), (1, 0.5)]
    assert layer_times([]) == layer_times(["M104 S200", "nonsense"]) == []


@pytest.mark.parametrize(
    ("text", "used_mm"),
    [
        ("; filament used [mm] = 873.21\n; filament used [cm3] = 2.10\n; filament used [g] = 2.60", 873.21),
        ("; filament used [mm] = 873.21, 26.79", 900),
        ("; filament used = 430.4mm (1.0cm3)\n; filament used = 1.3\n", 430.4),
        ("; filament used = 430.4mm (1.0cm3)\n; filament used = 9.6mm (0.1cm3)\n", 440),
        ("; total filament length [mm] : 180.09,20.01\n; filament used [mm] = 9", 200.1),
        (";Filament used: 1.20047m", 1200.47),
        (";Filament used: 1.2m, 0.8m\r\n", 2000),
        (";   Filament length: 1442.7 mm (1.44 m)", 1442.7),
        ("; filament used = 6.4", None),
        ("; output_filename_format = filament used [mm] = 3", None),
        ("G1 X1 E1", None),
    ],
)
def test_the_slicers_own_filament_is_read_in_its_words(text: str, used_mm: float | None) -> None:
    assert slicer_filament_mm(text.split("\n")) == pytest.approx(used_mm)


def test_a_file_is_read_line_by_line_and_what_is_none_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.gcode"
    path.write_bytes(b"G1 X1\r\n\xff\xfe\nG1 X2\n" + b"x" * 10_000 + b"\nG1 X3")
    lines = list(read_lines(path))
    assert [line.strip() for line in lines if line.startswith("G1")] == ["G1 X1", "G1 X2", "G1 X3"]
    assert max(map(len, lines)) < 5000
    with pytest.raises(SourceNotFound, match="no such file"):
        next(read_lines(tmp_path / "b.gcode"))
    with pytest.raises(SourceError, match="directory"):
        next(read_lines(tmp_path))
    path.write_bytes(b"GCDE\x01\0\0\0")
    with pytest.raises(SourceError, match="binary G-code"):
        next(read_lines(path))


FILES = (
    "icesl_ender3_ringingtower",
    "prusaslicer_ender3_bltouch_and_cable_holder_0.2mm_pla",
    "prusaslicer_ender3_cube_0.2mm_pla",
    "prusaslicer_ender3_pant_ram_v6_0.2mm_pla",
    "prusaslicer_ender3_part53171_featuretest_0.2mm_pla_18m",
    "prusaslicer_ender3_pin_stand_v4_0.2mm_pla",
    "slic3rpe_mk3_c270_mount_0.2mm_pla",
    "slic3rpe_mk3_kawasaki_knob_0.15mm_pet",
    "slic3rpe_mk3_microsd_0.15mm_pla",
    "slic3rpe_mk3_roue_v2_4_0.15mm_pet",
    "slic3rpe_mk3_sd_0.15mm_pla",
    "slic3rpe_mk3_slim_wallet_0.2mm_pet",
)
LAYER_MARK = re.compile(r";(?:LAYER_CHANGE| <layer \d+>)\s*|;BEFORE_LAYER_CHANGE\s*")
"""One of these per layer; PrusaSlicer has the first and the last, and only the first counts there."""


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_a_real_file_comes_to_its_slicers_filament_and_time(data_dir: Path, name: str) -> None:
    lines = list(read_lines(data_dir / "gcode" / f"{name}.gcode"))
    layers = layer_times(lines)
    marks = [line for line in lines if LAYER_MARK.fullmatch(line)]
    assert len(layers) == len(marks) // (2 if name.startswith("prusaslicer") else 1)
    told_mm, told_s = slicer_filament_mm(lines), _slicer_seconds("".join(lines))
    if name.startswith("icesl"):
        assert told_mm is told_s is None  # IceSL says neither
        return
    assert told_mm is not None and told_s is not None
    assert sum(layer.filament_mm for layer in layers) == pytest.approx(told_mm, rel=FILAMENT_SHARE)
    assert _all(lines).time_s == pytest.approx(told_s, rel=TIME_SHARE)


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_a_real_file_comes_to_the_same_without_comments_and_with_line_numbers(
    data_dir: Path, name: str
) -> None:
    lines = list(read_lines(data_dir / "gcode" / f"{name}.gcode"))
    plain = _all(lines)
    bare = (line.partition(";")[0].strip() for line in lines)
    sent = _all([f"N{number} {line}*{number % 256}" for number, line in enumerate(bare) if line])
    for total in ("filament_mm", "pushed_mm", "distance_mm", "time_s", "melt_j", "x", "y", "z", "e"):
        assert getattr(sent, total) == pytest.approx(getattr(plain, total))


def _all(lines: list[str]) -> GCode:
    gcode = GCode()
    for line in lines:
        gcode.take(line)
    return gcode


def _slicer_seconds(text: str) -> int | None:
    """What PrusaSlicer and Slic3r PE expect: "2h 26m 58s"."""
    found = re.search(r"; estimated printing time \(normal mode\) = (.*)", text)
    unit_s = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    return sum(int(n) * unit_s[unit] for n, unit in re.findall(r"(\d+)([dhms])", found[1])) if found else None
