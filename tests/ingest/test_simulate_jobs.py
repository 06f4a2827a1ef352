"""Jobs of simulated printers: what real files and generated ones come to as moves, and what splits share."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ingest.simulate.jobs import shapes, shapes_apart
from ingest.simulate.jobs.draw import LONGEST_S, SHORTEST_S, draw_plan
from ingest.simulate.jobs.files import files_of
from ingest.simulate.jobs.generate import generate
from ingest.simulate.jobs.habits import HABITS, SHARED
from ingest.simulate.jobs.plan import Extras, JobPlan, Material, Pattern, Placed, Process
from ingest.simulate.jobs.polygons import Canvas, area_mm2, box, hole, inset, regular, walls
from ingest.simulate.jobs.read import read_job
from ingest.simulate.jobs.sample import Job, sample_job
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import BED_MM, FILAMENT_MM2, NO_PART, Feature, Toolpath
from ingest.telemetry.gcode.file import layer_times

PLA = Material("pla", 210.0, 60.0, 1.0)
PLAIN, USUAL = Extras(), Process()
BUILDERS = [*SHARED, *(builder for habits in HABITS.values() for builder in habits.own)]


def plan_of(*parts: Placed, extras: Extras = PLAIN, process: Process = USUAL, seed: int = 1) -> JobPlan:
    return JobPlan(name="test", parts=parts, material=PLA, extras=extras, process=process, seed=seed)


def block(size_mm: float, height_mm: float, x_mm: float = 110.0, y_mm: float = 110.0) -> Placed:
    return Placed(shapes.prism("block", height_mm, [box(size_mm, size_mm)]), x_mm, y_mm)


def lays(path: Toolpath, *features: Feature) -> npt.NDArray[np.bool_]:
    kinds = np.isin(path.feature, features) if features else np.ones(len(path.feature), np.bool_)
    return (path.melted_mm_s > 0) & kinds


# Slicing


def test_an_inset_keeps_its_distance_and_vanishes_where_there_is_no_room() -> None:
    assert area_mm2(inset([box(10, 10)], 2)[0]) == pytest.approx(36)
    assert area_mm2(inset([hole(box(10, 10))], 2)[0]) == pytest.approx(-196)
    assert inset([box(10, 3)], 2) == []
    deep = inset([shapes.rounded_box(20, 10, 1)], 3)[0]  # deeper than its corners are round
    assert np.abs(np.abs(deep) - (7, 2)).max() < 1e-6
    assert walls([regular(10, 40), hole(regular(9, 40))], 2) == []
    assert len(walls([regular(10, 40), hole(regular(5, 40))], 2)) == 2


def test_the_filament_is_what_the_lines_are_thick() -> None:
    process = Process(line_mm=0.45, layer_mm=0.2, first_layer_mm=0.2)
    path = read_job(generate(plan_of(block(20, 5), process=process)))
    for feature in (Feature.OUTER_WALL, Feature.INNER_WALL, Feature.INFILL, Feature.SKIN):
        laid = lays(path, feature)
        way_mm = np.sqrt((np.diff(path.points, axis=0) ** 2).sum(1))[laid].sum()
        filament_mm = (path.melted_mm_s * np.diff(path.times_s))[laid].sum()
        assert filament_mm * FILAMENT_MM2 / way_mm == pytest.approx(0.45 * 0.2, rel=0.05)


def test_a_full_block_holds_as_much_filament_as_it_is_large() -> None:
    process = Process(density=1.0, line_mm=0.45, layer_mm=0.2, first_layer_mm=0.2)
    path = read_job(generate(plan_of(block(20, 4), process=process)))
    filament_mm3 = (path.melted_mm_s * np.diff(path.times_s))[
        lays(path) & (path.part == 0)
    ].sum() * FILAMENT_MM2
    assert filament_mm3 == pytest.approx(20 * 20 * 4, rel=0.05)


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
@pytest.mark.parametrize("seed", range(2))
def test_every_line_lies_in_the_part(builder: shapes.Builder, seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    solid = builder(rng, rng.uniform(0.5, 1.3))(rng.uniform(18, 40))
    process = Process(layer_mm=0.8, first_layer_mm=0.8, pattern=list(Pattern)[2 + 2 * seed], walls=2 + seed)
    path = read_job(generate(plan_of(Placed(solid, 110, 110), process=process)))
    laid = lays(path) & (path.part != NO_PART)
    low = np.array([110.0, 110.0]) - solid.radius_mm - 3
    canvas = Canvas(low, low + 2 * solid.radius_mm + 6, 0.2)
    middles = (path.points[:-1, :2] + path.points[1:, :2])[laid] / 2
    for layer in np.unique(path.layer[laid]):
        rings = [ring + 110.0 for ring in solid.outline(0.8 * layer + 0.4)]
        near = np.asarray(canvas.distance_mm(canvas.fill(rings)) < 0.3, np.uint8)
        points = path.points[1:, :2][laid & (path.layer == layer)]
        assert canvas.holds(near, points).mean() > 0.995
        assert canvas.holds(near, middles[path.layer[laid] == layer]).mean() > 0.97


def test_an_arch_gets_supports_below_it_and_bridges_over_them() -> None:
    arch = shapes_apart.arch(np.random.default_rng(3), 0.8)(40.0)
    path = read_job(generate(plan_of(Placed(arch, 110, 110), extras=Extras(support=True))))
    support = lays(path, Feature.SUPPORT)
    assert path.layer[support].min() == 0
    assert np.abs(path.points[1:, 0][support] - 110).max() < 20
    assert path.layer[lays(path, Feature.BRIDGE)].min() > 20
    assert set(path.part[support]) == {0}


def test_a_vase_rises_all_the_way_round() -> None:
    vase = shapes.vase(np.random.default_rng(3), 1.0)(30.0)
    path = read_job(generate(plan_of(Placed(vase, 110, 110), extras=Extras(spiral=True))))
    wall = lays(path, Feature.OUTER_WALL) & (path.layer > 5)
    rises = np.diff(path.points[:, 2])[wall]
    assert (rises > 0).mean() > 0.98
    assert path.points[:, 2].max() > 29


def test_extras_leave_their_marks() -> None:
    extras = Extras(
        brim_mm=4, raft=True, ironing=True, wipe_tower=True, timelapse=True, fuzzy_mm=0.2,
        colour_layers=(0.5,), messages=True, variable_layers=True,
    )  # fmt: skip
    path = read_job(generate(plan_of(block(20, 6, 80, 80), block(20, 6, 120, 80), extras=extras)))
    features = set(path.feature[lays(path)])
    assert {Feature.BRIM, Feature.SUPPORT, Feature.IRONING, Feature.WIPE_TOWER, Feature.PURGE} <= features
    commands = [order.command for order in path.orders]
    assert commands.count("M600") == 1
    assert commands.count("M240") == path.layer.max() + 1
    heights = np.unique(np.round(np.diff(np.unique(path.points[1:, 2][lays(path)])), 3))
    assert len(heights) > 5
    assert set(path.part[lays(path)]) == {0, 1, 2, NO_PART}  # two blocks and the tower


def test_relative_and_absolute_filament_come_to_the_same() -> None:
    relative = read_job(generate(plan_of(block(20, 4))))
    absolute = read_job(generate(plan_of(block(20, 4), process=Process(absolute_e=True))))
    assert absolute.e_mm[-1] == pytest.approx(relative.e_mm[-1], rel=1e-3)
    assert absolute.duration_s == pytest.approx(relative.duration_s, rel=1e-3)


# Sampling


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    return [
        sample_job(np.random.default_rng([2, at, number]), split)
        for at, split in enumerate(Split)
        for number in range(2)
    ]


def test_jobs_lie_on_the_bed_and_take_minutes_to_hours(jobs: list[Job]) -> None:
    for job in jobs:
        laid = job.path.points[1:][lays(job.path)]
        assert (laid[:, :2] >= 0).all()
        assert (laid[:, :2] <= BED_MM).all()
        assert laid[:, 2].min() > 0
        assert SHORTEST_S <= job.path.duration_s <= LONGEST_S
        assert job.path.melted_mm_s[lays(job.path)].max() < 6.0


def test_jobs_begin_with_their_temperatures(jobs: list[Job]) -> None:
    for job in jobs:
        heated = {
            order.command.split()[0]: float(order.command.split("S")[1])
            for order in job.path.orders
            if order.at_s == 0 and " S" in order.command
        }
        assert (heated["M109"], heated["M190"]) == job.targets_c


def test_a_path_is_what_its_gcode_says(jobs: list[Job]) -> None:
    layers = layer_times(jobs[0].gcode.split("\n"))
    assert layers[-1].index == jobs[0].path.layer.max()
    assert sum(layer.time_s for layer in layers) == pytest.approx(jobs[0].path.duration_s, rel=0.05)


def test_the_same_seed_gives_the_same_text() -> None:
    for split in Split:
        first, second = (sample_job(np.random.default_rng([4, 2]), split) for _ in range(2))
        assert first.gcode == second.gcode
        assert np.array_equal(first.path.points, second.path.points)


def test_splits_share_cubes_and_vases_alone_and_those_in_other_proportions() -> None:
    families = {split: {builder.__name__ for builder in habits.own} for split, habits in HABITS.items()}
    assert not families[Split.TRAIN] & families[Split.VAL]
    assert not families[Split.TEST] & (families[Split.TRAIN] | families[Split.VAL])
    spans = sorted(span for habits in HABITS.values() for span in habits.shared_slender)
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    for split in Split:
        drawn = {
            part.solid.family
            for seed in range(40)
            for part in draw_plan(np.random.default_rng(seed), split).parts
        }
        assert drawn <= families[split] | {"cube", "vase"}
        assert len(drawn) >= 4


def test_every_file_of_a_folder_belongs_to_one_split(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number:02d}.gcode").touch()
    split = [[file.name for file in files_of(tmp_path, split)] for split in Split]
    assert [len(files) for files in split] == [4, 2, 6]
    assert sorted(name for files in split for name in files) == [
        f"{number:02d}.gcode" for number in range(12)
    ]


def test_a_real_file_off_the_bed_is_moved_onto_it(tmp_path: Path) -> None:
    text = re.sub(
        r"X([0-9.]+)", lambda word: f"X{float(word[1]) + 100:.3f}", "\n".join(generate(plan_of(block(20, 8))))
    )
    for number in range(12):
        (tmp_path / f"{number:02d}.gcode").write_text(text)
    drawn = (sample_job(np.random.default_rng(seed), Split.TRAIN, tmp_path) for seed in range(40))
    job = next(job for job in drawn if "real" in job.traits)
    laid = job.path.points[1:][lays(job.path)]
    assert (laid[:, :2].min(0) >= 0).all()
    assert (laid[:, :2].max(0) <= BED_MM).all()
    assert job.targets_c == (210.0, 60.0)
