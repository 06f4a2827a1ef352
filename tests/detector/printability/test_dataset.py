"""Samples are what they say, and nobody is judged on what was learned from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from detector.printability.dataset import RELATED, VALIDATION, Parts, load, split
from detector.printability.defects import UP, Defect, Hole, HoleRules, drill
from detector.printability.grids import (
    ROTATIONS,
    TURNS,
    UPRIGHT,
    HoleSet,
    as_input,
    halved,
    turned,
)
from detector.printability.part_file import Making
from ingest.errors import UsageError
from tests.detector.printability.boxes import FAMILIES, make_parts, write_box, write_boxes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    meshes = tmp_path_factory.mktemp("meshes")
    write_boxes(meshes)
    write_box(meshes / "ann" / "rod.stl", (100.0, 9.0, 9.0))  # no room for any hole from the top
    write_box(meshes / "ann" / "strip.stl", (100.0, 20.0, 20.0))  # room for narrow holes alone
    return make_parts(meshes, tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def parts(folder: Path) -> Parts:
    return load(folder, HoleSet.TOP)


def families(parts: Parts, indices: np.ndarray) -> set[str]:
    return {parts.parts[group].facts.family for group in parts.groups[indices]}


def test_a_part_has_as_many_printable_samples_as_others(parts: Parts) -> None:
    by_part = {group: parts.labels[parts.groups == group] for group in set(parts.groups.tolist())}
    assert all(labels.mean() == 0.5 for labels in by_part.values())
    files = {parts.parts[group].facts.file: Counter(defects(parts, group)) for group in by_part}
    assert "ann/rod.stl" not in files
    assert files["ann/strip.stl"] == {Defect.NONE: 3, Defect.MIDDLE_SMALL: 3}
    assert files["bob/1.stl"] == dict.fromkeys(Defect, 3)


def defects(parts: Parts, group: int) -> list[Defect]:
    return [parts.samples[index].defect for index in np.flatnonzero(parts.groups == group)]


def test_unbalanced_the_parts_without_room_are_there_and_printable(folder: Path, parts: Parts) -> None:
    everything = load(folder, HoleSet.TOP, balanced=False)
    rod = [index for index in range(len(everything)) if everything.file(index) == "ann/rod.stl"]
    assert [everything.samples[index].defect for index in rod] == [Defect.NONE] * 3
    assert len(everything) > len(parts)


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("holes", HoleSet)
def test_a_sample_is_its_part_without_its_hole(folder: Path, holes: HoleSet, size: int) -> None:
    parts = load(folder, holes)
    for index in range(0, len(parts), 5):
        (drilled, _), before = parts.drilled(index, size), parts.untouched(index, size)
        assert drilled.shape == before.shape == (size,) * 3
        assert not (drilled & ~before).any()
        assert (drilled != before).any() == (parts.samples[index].defect is not Defect.NONE)
        assert parts.labels[index] == parts.samples[index].defect.printable
        assert (parts.occupied(index, size) == turned(drilled, parts.samples[index].turn)).all()


def test_variants_of_a_part_differ(parts: Parts) -> None:
    for defect in Defect:
        own = [index for index in range(len(parts)) if parts.file(index) == "bob/0.stl"]
        grids = [parts.occupied(index, 64) for index in own if parts.samples[index].defect is defect]
        assert len(grids) == 3
        if defect is not Defect.NONE:
            assert (grids[0] != grids[1]).any() and (grids[1] != grids[2]).any()


def test_from_the_top_a_part_stands_as_it_stood(parts: Parts) -> None:
    assert {sample.turn for sample in parts.samples} <= set(UPRIGHT)
    lowest = [np.flatnonzero(parts.untouched(i, 64).any((0, 1))).min() for i in range(0, len(parts), 7)]
    assert set(lowest) == {0}  # layer 1 of 128


def test_a_fresh_hole_is_another_one_of_the_same_kind(parts: Parts) -> None:
    index = next(i for i in range(len(parts)) if parts.samples[i].defect is Defect.MIDDLE_LARGE)
    stored = parts.occupied(index, 128)
    first, again, other = (parts.occupied(index, 128, 0, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any() and (first != stored).any()
    assert first.sum() == pytest.approx(stored.sum(), rel=0.01)


def test_the_honest_split_shares_no_family_and_no_part(parts: Parts) -> None:
    for seed in range(5):
        found = split(parts, "honest", seed)
        sides = [families(parts, indices) for indices in found]
        assert sides[1] == VALIDATION
        assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
        assert set().union(*sides) == set(FAMILIES)
        assert sorted(np.concatenate(found).tolist()) == list(range(len(parts)))


def test_the_published_split_has_variants_of_a_part_on_both_sides(parts: Parts) -> None:
    found = split(parts, "random", 0)
    assert [len(indices) for indices in found] == [88, 13, 25]
    assert sorted(np.concatenate(found).tolist()) == list(range(len(parts)))
    assert set(parts.groups[found.test].tolist()) & set(parts.groups[found.train].tolist())
    assert (found.test != split(parts, "random", 1).test).any()


def test_what_the_manifest_calls_eval_is_the_test(tmp_path: Path) -> None:
    meshes = tmp_path / "meshes"
    write_boxes(meshes, each=1)
    rows = [f"{name}/0.stl,{name},MIT,{'eval' if name == 'eve' else 'train'}" for name in FAMILIES]
    (meshes / "manifest.csv").write_text("file,family,licence,split\n" + "\n".join(rows) + "\n")
    parts = load(make_parts(meshes, tmp_path / "parts", Making(variants=1)), HoleSet.ROTATED)
    found = split(parts, "honest", 3)
    assert families(parts, found.test) == {"eve"}
    assert families(parts, found.train) == {"ann", "bob"}


def test_related_families_are_held_out_together(tmp_path: Path) -> None:
    meshes = tmp_path / "meshes"
    for name in ("ann", "bob", *sorted(RELATED[1])):
        write_box(meshes / name / "0.stl", (60.0, 50.0, 30.0))
    parts = load(make_parts(meshes, tmp_path / "parts", Making(variants=1)), HoleSet.TOP)
    for seed in range(6):
        for indices in split(parts, "honest", seed):
            assert len(families(parts, indices) & RELATED[1]) in (0, len(RELATED[1]))


def test_one_family_cannot_be_split_honestly_and_says_so(tmp_path: Path) -> None:
    write_box(tmp_path / "meshes" / "ann" / "0.stl", (60.0, 50.0, 30.0))
    parts = load(make_parts(tmp_path / "meshes", tmp_path / "parts"), HoleSet.TOP)
    with pytest.raises(UsageError, match=r"--split honest: found 0 samples for train.*three designers"):
        split(parts, "honest")


def test_folders_that_hold_something_else_say_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found no \*\.part"):
        load(tmp_path, HoleSet.TOP)
    (tmp_path / "x.part").write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="found a file that is no part of this version"):
        load(tmp_path, HoleSet.TOP)
    write_box(tmp_path / "meshes" / "0.stl", (60.0, 50.0, 30.0))
    both = make_parts(tmp_path / "meshes", tmp_path / "both", Making(variants=1))
    (both / "other.part").write_bytes(next(folder.rglob("*.part")).read_bytes())
    with pytest.raises(UsageError, match="made in different ways"):
        load(both, HoleSet.TOP)


def test_the_turns_are_the_symmetries_of_the_cube() -> None:
    cube = np.arange(27).reshape(3, 3, 3)
    images = {turned(cube, number).tobytes() for number in range(len(TURNS))}
    assert len(images) == 48
    assert (turned(cube, 0) == cube).all()
    assert (len(ROTATIONS), len(UPRIGHT)) == (24, 8)
    heights = np.broadcast_to(np.arange(3), (3, 3, 3))
    assert [n for n in range(48) if (turned(heights, n) == heights).all()] == list(UPRIGHT)
    quarter = np.rot90(cube, 1, (0, 1))
    assert sum((turned(cube, number) == quarter).all() for number in ROTATIONS) == 1
    mirrored = cube[::-1]
    assert not any((turned(cube, number) == mirrored).all() for number in ROTATIONS)


def test_halving_keeps_the_mean_width_of_walls_and_holes() -> None:
    for width, at in ((1, 10), (1, 11), (2, 10), (2, 11), (4, 10), (4, 11)):
        wall = np.zeros((128, 128, 128), bool)
        wall[at : at + width, 20:60, 20:60] = True
        thick = halved(wall).sum() / (20 * 20)
        assert thick == pytest.approx(max(width / 2, 1), abs=1)
        assert thick >= 1
    full, random = np.ones((128, 128, 128), bool), np.random.default_rng(0)
    holes = [Hole((*random.uniform(60, 64, 2).tolist(), 0.0), UP, 5.0) for _ in range(20)]
    areas = [(~halved(drill(full, hole))).sum() / 64 for hole in holes]
    assert np.mean(areas) == pytest.approx(np.pi * 2.5**2, rel=0.15)


def test_a_grid_fits_the_network_without_loss_where_it_can() -> None:
    small = np.random.default_rng(0).random((64, 64, 64)) < 0.5
    assert as_input(small, 64) is small
    padded = as_input(small, 128)
    assert (padded[32:96, 32:96, 32:96] == small).all() and padded.sum() == small.sum()
    with pytest.raises(UsageError, match="expected 64 or 128"):
        as_input(small, 100)


def test_rules_are_kept_with_the_parts(tmp_path: Path) -> None:
    rules = HoleRules(radius_small=2, radius_large=7, border_near=2, border_far=9, rotated=False)
    write_box(tmp_path / "meshes" / "0.stl", (60.0, 50.0, 30.0))
    parts = load(make_parts(tmp_path / "meshes", tmp_path / "p", Making(top=rules)), HoleSet.TOP)
    radii = {sample.hole.radius for sample in parts.samples if sample.hole is not None}
    assert radii == {2, 7}
    assert parts.making.rules(HoleSet.TOP) == rules
