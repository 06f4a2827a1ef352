"""Meshes become parts once; what is killed in the middle goes on, what is broken is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from detector.printability.defects import Defect
from detector.printability.grids import HoleSet
from detector.printability.part_file import Making, read_part
from detector.printability.preprocess import Done, part_path, preprocess, sources_in
from features.mesh import load_mesh
from features.voxels import voxelize
from ingest.errors import UsageError
from tests.detector.printability.boxes import make_parts, write_box, write_boxes
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.part"))}


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("meshes")
    write_boxes(folder, each=1)
    return folder


@pytest.fixture(scope="module")
def whole(meshes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All parts as one process makes them."""
    return files(make_parts(meshes, tmp_path_factory.mktemp("whole")))


def run(meshes: Path, folder: Path, jobs: int = 1, stop_after: int = 10**6) -> list[Done]:
    told: list[Done] = []
    preprocess(sources_in(meshes), folder, Making(), jobs, told.append, lambda: len(told) >= stop_after)
    return told


def test_a_part_holds_the_voxels_of_its_mesh_and_every_sample(
    meshes: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "x.part").write_bytes(whole["bob/0.stl.part"])
    part = read_part(tmp_path / "x.part")
    for holes, size in ((HoleSet.TOP, 128), (HoleSet.ROTATED, 64)):
        grid = voxelize(load_mesh(meshes / "bob" / "0.stl").mesh, size)
        assert (part.grid(holes) == grid.occupied).all()
        assert part.facts.mm_per_voxel[holes] == grid.mm_per_voxel == pytest.approx(60 / (size - 2))
        own = [(made.defect, made.variant) for made in part.facts.samples if made.holes is holes]
        assert sorted(own) == sorted((defect, variant) for defect in Defect for variant in range(3))
    assert (part.facts.file, part.facts.family) == ("bob/0.stl", "bob")


def test_several_processes_make_what_one_makes(meshes: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    assert not any(done.trouble for done in run(meshes, tmp_path, jobs=2))
    assert files(tmp_path) == whole


def test_what_is_there_is_not_made_again(meshes: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    assert len(run(meshes, tmp_path, stop_after=2)) == 2
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.part")}
    assert len(made) == 2
    again = run(meshes, tmp_path)
    assert [done.there for done in again] == [True] * 2 + [False] * 3
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert files(tmp_path) == whole


def test_killed_in_the_middle_it_goes_on_and_ends_alike(
    meshes: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from detector.printability.part_file import Making;"
        "from detector.printability.preprocess import preprocess, sources_in;"
        "preprocess(sources_in(Path(sys.argv[1])), Path(sys.argv[2]), Making(), 1)"
    )
    running = subprocess.Popen([sys.executable, "-c", program, str(meshes), str(tmp_path)], cwd=ROOT)
    wait_until(lambda: len(files(tmp_path)) >= 1, limit_s=60)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    for name, content in files(tmp_path).items():
        assert content == whole[name]
    run(meshes, tmp_path)
    assert files(tmp_path) == whole


def test_another_mesh_or_another_way_is_made_anew(tmp_path: Path) -> None:
    write_box(tmp_path / "m" / "a.stl", (60.0, 50.0, 30.0))
    make_parts(tmp_path / "m", tmp_path / "p")
    first = files(tmp_path / "p")
    write_box(tmp_path / "m" / "a.stl", (60.0, 40.0, 30.0))
    make_parts(tmp_path / "m", tmp_path / "p")
    second = files(tmp_path / "p")
    make_parts(tmp_path / "m", tmp_path / "p", Making(seed=1))
    assert len({first["a.stl.part"], second["a.stl.part"], files(tmp_path / "p")["a.stl.part"]}) == 3
    damaged = part_path(tmp_path / "p", sources_in(tmp_path / "m")[0])
    damaged.write_bytes(b"cut off")
    make_parts(tmp_path / "m", tmp_path / "p")
    assert files(tmp_path / "p") == second


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_broken_mesh_is_told_and_passed_over(tmp_path: Path, jobs: int) -> None:
    write_box(tmp_path / "m" / "a.stl", (60.0, 50.0, 30.0))
    (tmp_path / "m" / "b.stl").write_bytes(b"solid nothing\n")
    (tmp_path / "m" / "manifest.csv").write_text(
        "file,family,licence,split\na.stl,x,MIT,train\nb.stl,x,MIT,train\ngone.stl,x,MIT,train\n"
    )
    told = {done.source.file: done.trouble for done in run(tmp_path / "m", tmp_path / "p", jobs)}
    assert told["a.stl"] == ""
    assert "b.stl" in told["b.stl"]
    assert "gone.stl: found No such file" in told["gone.stl"]
    assert list(files(tmp_path / "p")) == ["a.stl.part"]


def test_a_manifest_that_makes_no_sense_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found no manifest\.csv and no mesh"):
        sources_in(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,family\n")
    with pytest.raises(UsageError, match="found no column licence, split"):
        sources_in(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,family,licence,split\n../../etc/x.stl,a,b,c\n")
    with pytest.raises(UsageError, match=r"line 2: found the file '\.\./\.\./etc/x\.stl'"):
        sources_in(tmp_path)


@pytest.mark.data
def test_real_meshes_become_parts(data_dir: Path, tmp_path: Path) -> None:
    sources = sources_in(data_dir / "stl")
    assert len({source.family for source in sources}) == 20
    told: list[Done] = []
    preprocess(sources[::60], tmp_path, Making(variants=1), 1, told.append)
    assert len(told) == len(sources[::60])
    assert not [done.trouble for done in told if done.trouble]
