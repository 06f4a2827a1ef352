"""What each split prints, and how: bodies, slicer settings, materials and extras, in ranges of its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from ingest.simulate.jobs import shapes, shapes_apart
from ingest.simulate.jobs.plan import Material, Pattern
from ingest.simulate.jobs.shapes import Builder
from ingest.simulate.ranges import Range
from ingest.simulate.splits import Split


class Habits(NamedTuple):
    """One split's. Ranges are drawn from evenly; ``shares`` are how often a job has a trait."""

    own: tuple[Builder, ...]
    shared_slender: tuple[Range, ...]  # heights of the shared bodies in sizes; no other split has these
    own_slender: Range
    patterns: tuple[Pattern, ...]
    materials: tuple[Material, ...]
    layers_mm: tuple[float, ...]
    line_mm: Range
    density: Range
    outer_mm_s: Range
    fast: Range  # inner walls and infill, in outer speeds
    mm_s2: Range
    retract_mm: Range
    sizes_mm: Range
    purge_styles: tuple[int, ...]
    shares: MappingProxyType[str, float]


SHARED = (shapes.cube, shapes.vase)

TRAIN = Habits(
    own=(
        shapes.drilled_box, shapes.tube, shapes.cone, shapes.towers, shapes.bracket,
        shapes.flat_plate, shapes.organiser, shapes.dome,
    ),
    shared_slender=((0.45, 1.15),),
    own_slender=(0.5, 1.3),
    patterns=(Pattern.LINES, Pattern.LINES, Pattern.GRID, Pattern.TRIANGLES),
    materials=(
        Material("pla", 205, 60, 1.0), Material("pla", 215, 55, 1.0), Material("petg", 235, 75, 0.5),
        Material("petg", 242, 80, 0.4), Material("abs", 240, 100, 0.1), Material("tpu", 225, 50, 0.6),
    ),
    layers_mm=(0.16, 0.2, 0.2, 0.24, 0.28),
    line_mm=(0.42, 0.5),
    density=(0.1, 0.25),
    outer_mm_s=(25, 80),
    fast=(1.2, 1.8),
    mm_s2=(500, 2500),
    retract_mm=(1.5, 6.0),
    sizes_mm=(14, 110),
    purge_styles=(0, 0, 3),
    shares=MappingProxyType({
        "several_parts": 0.28, "vase": 0.07, "brim": 0.2, "raft": 0.06, "support": 0.6, "ironing": 0.08,
        "fuzzy_skin": 0.1, "wipe_tower": 0.07,
        "timelapse": 0.12, "colour_change": 0.1, "variable_layers": 0.08,
        "messages": 0.3,
    }),
)  # fmt: skip
VAL = Habits(
    own=(shapes_apart.gear, shapes_apart.arch, shapes_apart.comb, shapes_apart.twisted_prism),
    shared_slender=((1.2, 1.7),),
    own_slender=(0.5, 1.4),
    patterns=(Pattern.LINES, Pattern.GRID, Pattern.HONEYCOMB),
    materials=(
        Material("pla", 200, 65, 1.0), Material("petg", 230, 70, 0.7), Material("abs", 250, 95, 0.2),
    ),
    layers_mm=(0.15, 0.2, 0.3),
    line_mm=(0.4, 0.55),
    density=(0.12, 0.3),
    outer_mm_s=(35, 100),
    fast=(1.1, 1.6),
    mm_s2=(800, 3500),
    retract_mm=(0.8, 4.0),
    sizes_mm=(14, 110),
    purge_styles=(1, 3),
    shares=MappingProxyType({
        "several_parts": 0.3, "vase": 0.1, "brim": 0.25, "raft": 0.08, "support": 0.7, "ironing": 0.12,
        "fuzzy_skin": 0.12, "wipe_tower": 0.1,
        "timelapse": 0.15, "colour_change": 0.12, "variable_layers": 0.12,
        "messages": 0.5,
    }),
)  # fmt: skip
TEST = Habits(
    own=(
        shapes_apart.hull, shapes_apart.lattice, shapes_apart.letters, shapes_apart.stairs,
        shapes_apart.star, shapes_apart.ring_on_edge,
    ),
    shared_slender=((0.2, 0.42), (1.75, 2.6)),
    own_slender=(0.5, 1.5),
    patterns=(Pattern.LINES, Pattern.GYROID, Pattern.GYROID, Pattern.TRIANGLES),
    materials=(
        Material("pla", 198, 50, 0.8), Material("pla", 222, 68, 1.0), Material("petg", 248, 88, 0.3),
        Material("abs", 258, 106, 0.0), Material("tpu", 232, 42, 0.4),
    ),
    layers_mm=(0.12, 0.18, 0.25, 0.32),
    line_mm=(0.4, 0.6),
    density=(0.1, 0.4),
    outer_mm_s=(30, 120),
    fast=(1.0, 1.7),
    mm_s2=(700, 5000),
    retract_mm=(0.5, 6.5),
    sizes_mm=(12, 120),
    purge_styles=(0, 1, 2, 3),
    shares=MappingProxyType({
        "several_parts": 0.32, "vase": 0.1, "brim": 0.25, "raft": 0.1, "support": 0.75, "ironing": 0.14,
        "fuzzy_skin": 0.15, "wipe_tower": 0.12,
        "timelapse": 0.18, "colour_change": 0.14, "variable_layers": 0.15,
        "messages": 0.4,
    }),
)  # fmt: skip

HABITS = MappingProxyType({Split.TRAIN: TRAIN, Split.VAL: VAL, Split.TEST: TEST})
OVERHANGING = frozenset({"bracket", "arch", "stairs", "letters", "ring_on_edge", "lattice"})
"""Families of which some part hangs over: others need no support."""
HOLLOW = frozenset({"cube", "vase", "twisted_prism", "star"})
"""Families that can be printed as one rising wall."""
