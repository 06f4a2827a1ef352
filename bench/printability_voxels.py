"""How fast parts become voxels, and whether they are those of an independent ray tracer.

    [NOZZLEWATCH_DATA=DIR] python -m bench.printability_voxels [--every N] [--centres] [--out FILE]

Time: two meshes of more than 100,000 triangles at 128³, CPU seconds of one core, the worse median.

Agreement: of every mesh of the folder of real data, every voxel of every Nth plane across x (by default of
all: whole grids) against trimesh's ``contains`` with Embree, which casts oblique rays in single precision
and counts crossings. It is asked of every body by itself, since counting alone takes the overlap of two
bodies for empty; a voxel is inside where more bodies hold it than cavities do. And it is asked NUDGE (2e-4
voxels) beside the centres, as ``voxelize`` asks: whole layers of centres lie exactly on the faces of parts
in round numbers, where the reference is undefined; ``--centres`` asks at the centres all the same. Takes a
second a mesh on a free core; meshes that are in FILE already are not compared again: take it away after a
change.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import trimesh

from bench.machine import data_dir
from features.mesh import Mesh, load_mesh
from features.voxels import NUDGE, SIZE, VoxelGrid, voxelize

ROUNDS = 15
OUT = Path("out/printability-voxels.json")
Nudge = tuple[float, float, float]
PLANES = 16
"""Planes whose centres are asked for at a time."""


def voxel_figures(every: int = 1, out: Path = OUT, nudge: Nudge = NUDGE) -> dict[str, float]:
    """``voxel_seconds_100k``, ``voxel_agreement`` (of the worst mesh) and ``voxel_agreement_mean``."""
    shares = list(agreements(every, out, nudge).values())
    return {
        "voxel_seconds_100k": max(seconds(bumpy_ring()), seconds(pin_field())),
        "voxel_agreement": min(shares),
        "voxel_agreement_mean": statistics.fmean(shares),
    }


def seconds(mesh: Mesh) -> float:
    """CPU time to fill a grid with a mesh, the median of ROUNDS."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        voxelize(mesh)
        took.append(time.process_time() - began)
    return statistics.median(took)


def bumpy_ring() -> Mesh:
    """A ring with bumps all over: 102,400 triangles of about one size."""
    ring = trimesh.creation.torus(30.0, 12.0, major_sections=320, minor_sections=160)
    bumps = 1 + 0.05 * np.sin(ring.vertices).prod(1)
    return Mesh(np.asarray(ring.vertices * bumps[:, None]), np.asarray(ring.faces, np.int64))


def pin_field() -> Mesh:
    """A plate and 400 round pins that stand in it: 102,412 long, thin triangles of overlapping bodies."""
    parts = [trimesh.creation.box((100, 100, 3))]
    for x in np.linspace(-46, 46, 20):
        for y in np.linspace(-46, 46, 20):
            pin = trimesh.creation.cylinder(1.9, 40.0 + x / 10, sections=64)
            parts.append(pin.apply_translation((x, y, 20)))
    field = trimesh.util.concatenate(parts)
    return Mesh(np.asarray(field.vertices), np.asarray(field.faces, np.int64))


def agreements(every: int, out: Path, nudge: Nudge) -> dict[str, float]:
    """The share of voxels that agree, by file; written to ``out`` after every mesh."""
    root, kind = data_dir() / "stl", f" 1/{every}" + ("" if any(nudge) else " at the centres")
    known = json.loads(out.read_text()) if out.exists() else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    for path in sorted(root.glob("*/*.stl")):
        name = f"{path.relative_to(root)}{kind}"
        if name not in known:
            mesh = load_mesh(path).mesh
            known[name] = agreement(mesh, voxelize(mesh), every, nudge)
            out.write_text(json.dumps(known, indent=1))
    return {name: share for name, share in known.items() if name.endswith(kind)}


def agreement(mesh: Mesh, grid: VoxelGrid, every: int, nudge: Nudge) -> float:
    """The share of the voxels of every Nth plane that agree with the reference."""
    planes, parts = np.arange(every // 2, SIZE, every), bodies(mesh)
    differing = 0
    for some in np.array_split(planes, -(-len(planes) // PLANES)):
        voxels = np.stack(np.meshgrid(some, range(SIZE), range(SIZE), indexing="ij"), -1).reshape(-1, 3)
        inside = contains(parts, (voxels + 0.5 + nudge) * grid.mm_per_voxel + grid.origin_mm)
        differing += int((inside != grid.occupied[some].ravel()).sum())
    return 1 - differing / (len(planes) * SIZE**2)


def bodies(mesh: Mesh) -> list[trimesh.Trimesh]:
    whole = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    return list(whole.split(only_watertight=False, repair=False))


def contains(parts: list[trimesh.Trimesh], points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Points [n, 3] in more bodies than cavities [n]."""
    winding = np.zeros(len(points), np.int64)
    for part in parts:
        winding += np.sign(part.volume).astype(np.int64) * part.contains(points)
    return winding > 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1, help="compare one plane of so many")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--centres", action="store_true", help="compare at the very centres")
    told = parser.parse_args()
    nudge = (0.0, 0.0, 0.0) if told.centres else NUDGE
    for name, value in voxel_figures(told.every, told.out, nudge).items():
        print(f"{name}: {value:.6g}")


if __name__ == "__main__":
    main()
