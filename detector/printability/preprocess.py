"""Meshes into parts that training reads; what is there already is not made again.

MESHES/manifest.csv    columns file, family, licence, split; or, without one,
MESHES/FAMILY/x.stl    any folder of meshes, a sub-folder being what one designer made
"""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from detector.printability.defects import Defect, place
from detector.printability.grids import HoleSet
from detector.printability.part_file import SUFFIX, Facts, Made, Making, read_part, write_part
from features.mesh import SUFFIXES, MeshError, load_mesh
from features.silhouettes import Occupied
from features.voxels import voxelize
from ingest.errors import SourceError, UsageError
from ingest.simulate import workers

MANIFEST = "manifest.csv"
COLUMNS = ("file", "family", "licence", "split")
STOP_LOOK_S = 0.2
"""How often it is asked whether to stop, while workers are busy."""


class Source(NamedTuple):
    """A mesh and where it comes from; ``file`` is its path below the folder of meshes, with slashes."""

    path: Path
    file: str
    family: str = ""
    licence: str = ""
    split: str = ""


class Done(NamedTuple):
    """A mesh that was gone through; ``trouble`` says why it became no part, "" where it did."""

    source: Source
    trouble: str = ""
    there: bool = False


def sources_in(folder: Path) -> list[Source]:
    """The meshes of a folder, in the order of their names. Raises UsageError where there are none."""
    manifest = folder / MANIFEST
    if manifest.is_file():
        return list(_listed(folder, manifest))
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UsageError(
            f"{folder}: found no {MANIFEST} and no mesh ({', '.join(SUFFIXES)}), expected a folder of "
            "meshes, with a sub-folder for each designer"
        )
    return [_found(folder, path) for path in found]


def preprocess(
    sources: Sequence[Source],
    folder: Path,
    making: Making,
    jobs: int,
    tell: Callable[[Done], None] = lambda done: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Make the parts of these meshes in a folder, on ``jobs`` processes; False where it was stopped before.

    A mesh that cannot be used is told and passed over; what is finished stays. Raises SourceError where a
    worker dies or the disk fails.
    """
    if min(jobs, len(sources)) > 1:
        return _apart(sources, folder, making, min(jobs, len(sources)), tell, is_stopped)
    for source in sources:
        if is_stopped():
            return False
        tell(_make(source, folder, making))
    return True


def part_path(folder: Path, source: Source) -> Path:
    """Where the part of a mesh lies: as the meshes do."""
    return folder / (source.file + SUFFIX)


def samples_of(grids: dict[HoleSet, Occupied], file: str, making: Making) -> Iterator[Made]:
    """Every sample of a part for which it has room; the same for the same file, whatever lies beside it."""
    own = int.from_bytes(hashlib.sha256(file.encode()).digest()[:8])
    for holes, grid in grids.items():
        for variant in range(making.variants):
            random = np.random.default_rng((making.seed, own, list(HoleSet).index(holes), variant))
            turn = int(random.choice(holes.turns)) if variant else 0
            yield Made(holes=holes, defect=Defect.NONE, variant=variant, turn=turn)
            for defect in list(Defect)[1:]:
                hole = place(grid, defect, making.rules(holes), random)
                if hole is not None:
                    yield Made(holes=holes, defect=defect, variant=variant, turn=turn, hole=hole)


def _apart(
    sources: Sequence[Source],
    folder: Path,
    making: Making,
    jobs: int,
    tell: Callable[[Done], None],
    is_stopped: Callable[[], bool],
) -> bool:
    context = multiprocessing.get_context("spawn")
    start = (context.Event(), os.getpid())
    with ProcessPoolExecutor(jobs, context, initializer=workers.begin, initargs=start) as pool:
        running = {pool.submit(_make, source, folder, making) for source in sources}
        try:
            while running:
                done, running = wait(running, timeout=STOP_LOOK_S, return_when=FIRST_COMPLETED)
                if is_stopped():
                    return False
                for one in done:
                    tell(one.result())
        except BrokenProcessPool as error:
            raise SourceError(
                "found a worker that died, expected its part: was it killed for want of memory? "
                "Run the same again, perhaps with fewer --jobs"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
    return True


def _make(source: Source, folder: Path, making: Making) -> Done:
    path = part_path(folder, source)
    try:
        digest = hashlib.sha256(source.path.read_bytes()).hexdigest()
        if _is_there(path, source, digest, making):
            return Done(source, there=True)
        loaded = load_mesh(source.path)
        made = {holes: voxelize(loaded.mesh, holes.grid) for holes in HoleSet}
    except (MeshError, OSError) as error:
        return Done(source, _trouble(source, error))
    grids = {holes: grid.occupied for holes, grid in made.items()}
    if not all(grid.any() for grid in grids.values()):
        return Done(
            source, f"{source.path}: found walls thinner than half a voxel alone, expected a solid part"
        )
    facts = Facts(
        file=source.file, family=source.family, licence=source.licence, split=source.split, digest=digest,
        making=making, mm_per_voxel={holes: grid.mm_per_voxel for holes, grid in made.items()},
        notes=loaded.notes, samples=tuple(samples_of(grids, source.file, making)),
    )  # fmt: skip
    try:
        write_part(path, facts, grids)
    except OSError as error:
        raise SourceError(
            f"{folder}: found {error.strerror}, expected room for parts: make room, run the same again"
        ) from error
    return Done(source)


def _trouble(source: Source, error: MeshError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{source.path}: found {error.strerror}, expected a readable mesh"
    return str(error) if str(source.path) in str(error) else f"{source.path}: {error}"


def _is_there(path: Path, source: Source, digest: str, making: Making) -> bool:
    """Whether this very mesh was made in this very way."""
    if not path.is_file():
        return False
    try:
        found = read_part(path).facts
    except UsageError:
        return False
    said = (found.family, found.licence, found.split)
    return found.digest == digest and found.making == making and said == source[2:]


def _listed(folder: Path, manifest: Path) -> Iterator[Source]:
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise UsageError(
                f"{manifest}: found no column {', '.join(missing)}, expected {', '.join(COLUMNS)}"
            )
        for row in rows:
            file_name = row["file"] or ""
            if not file_name or ".." in PurePosixPath(file_name).parts or file_name.startswith("/"):
                raise UsageError(
                    f"{manifest}: line {rows.line_num}: found the file {file_name!r}, "
                    "expected a path below this folder"
                )
            yield Source(folder / file_name, *(row[name] or "" for name in COLUMNS))


def _found(folder: Path, path: Path) -> Source:
    file = path.relative_to(folder)
    return Source(path, file.as_posix(), file.parts[0] if len(file.parts) > 1 else "")
