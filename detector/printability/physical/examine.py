"""The physical judgement of a part: everything that this printer will not print as drawn."""

from __future__ import annotations

import numpy as np

from detector.printability.physical.bridges import carried
from detector.printability.physical.finding import GRAVITY, Finding
from detector.printability.physical.hanging import bare_shares, hanging
from detector.printability.physical.holes import small_holes
from detector.printability.physical.islands import islands
from detector.printability.physical.overhangs import finding, hanging_patches
from detector.printability.physical.process import Process
from detector.printability.physical.rays import cast, extents_mm
from detector.printability.physical.surface import Surface, surface_of
from detector.printability.physical.walls import thin_walls
from features.mesh_records import Mesh

CROSSINGS = 400_000
"""About how often all rays together meet a part's surface: what half a second allows."""

ROWS = 1_000_000
"""Most rows of rays that faces are cut into, for each axis: slender faces in the hundreds of thousands."""

FINEST_MM = 0.05
"""Rays closer than this see nothing more."""


def examine(mesh: Mesh, process: Process) -> tuple[Finding, ...]:
    """All findings of a part as it lies, z up, worst first."""
    surface = surface_of(mesh)
    step = ray_step_mm(surface)
    rays = tuple(cast(surface, axis, step) for axis in range(3))
    patches = hanging(surface, process, bare_shares(surface, rays[2], process))
    found = [*thin_walls(surface, rays, process), *small_holes(surface, process)]
    begun = list(islands(surface, patches, rays[2], process))
    told = {int(patch) for island in begun for patch in np.unique(patches.patch[island.faces])}
    drooping = hanging_patches(surface, patches, carried(patches), process)
    found += [finding(surface, patches, patch) for patch in drooping if patch.number not in told]
    return tuple(sorted([*found, *begun], key=lambda one: (GRAVITY[one.severity], -one.area_mm2)))


def ray_step_mm(surface: Surface) -> float:
    """How far apart rays are, so that along all three axes they meet the surface CROSSINGS times."""
    seen = (surface.areas_mm2[:, None] * np.abs(surface.normals)).sum()
    rows = np.sort(extents_mm(surface))[1]  # of the two axes across, rows step along the shorter
    return max(FINEST_MM, float(np.sqrt(seen / CROSSINGS)), float(rows / ROWS))
