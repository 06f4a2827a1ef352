"""Draws what a split prints: bodies of a size that takes the time, settings, extras."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

from ingest.simulate.jobs.habits import HABITS, HOLLOW, OVERHANGING, SHARED, Habits
from ingest.simulate.jobs.plan import Extras, JobPlan, Pattern, Placed, Process, Solid, Speeds
from ingest.simulate.jobs.polygons import area_mm2, length_mm
from ingest.simulate.jobs.script import MOST_MM3_S
from ingest.simulate.jobs.shapes import Shape
from ingest.simulate.ranges import Range
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import BED_MM

SHARED_SHARE = 0.25
USUAL_S, SPREAD = 26 * 60.0, 0.6
SHORTEST_S, LONGEST_S = 8 * 60.0, 3 * 3600.0
EDGE_MM = 12.0  # of the bed that nothing is put on
GAP_MM = (6.0, 18.0)  # between parts
TALLEST_MM = 150.0
OVERHEAD = 1.7  # travels, corners, retractions: a print takes so much longer than its lines at full speed
LOOP_S = 0.4  # to get to a loop and to start and end it
SECTIONS = 14
HALVINGS = 7
MIXED_SHARE = 0.3  # of the plates hold different bodies
_T = TypeVar("_T")


def draw_plan(rng: np.random.Generator, split: Split, bed_mm: tuple[float, float] = BED_MM) -> JobPlan:
    """A job as the split prints it. The same state of ``rng`` gives the same plan."""
    habits = HABITS[split]
    process = _process(rng, habits)
    seconds = float(np.clip(USUAL_S * math.exp(SPREAD * rng.normal()), 1.25 * SHORTEST_S, 0.7 * LONGEST_S))
    parts = int(rng.choice((2, 2, 3, 4, 4, 5, 6, 9))) if _has(rng, habits, "several_parts") else 1
    kinds = parts if parts > 1 and rng.random() < MIXED_SHARE else 1
    shapes = [_shape(rng, habits) for _ in range(kinds)]
    spiral = parts == 1 and shapes[0](20.0).family in HOLLOW and rng.random() < 4 * habits.shares["vase"]
    solids = [
        _sized(shape, seconds / parts, process, parts, spiral, _room_mm(habits, parts, bed_mm))
        for shape in shapes
    ]
    placed = _placed(rng, [solids[number % kinds] for number in range(parts)], bed_mm)
    extras = _extras(rng, habits, placed, spiral=spiral)
    return JobPlan(
        name="_".join(dict.fromkeys(solid.family for solid in solids)),
        parts=placed,
        material=habits.materials[int(rng.integers(len(habits.materials)))],
        process=process,
        extras=extras,
        seed=int(rng.integers(2**31)),
        bed_mm=bed_mm,
    )


def _has(rng: np.random.Generator, habits: Habits, trait: str) -> bool:
    return bool(rng.random() < habits.shares[trait])


def _in(rng: np.random.Generator, span: Range) -> float:
    return float(rng.uniform(*span))


def _one(rng: np.random.Generator, things: tuple[_T, ...]) -> _T:
    return things[int(rng.integers(len(things)))]


def _shape(rng: np.random.Generator, habits: Habits) -> Shape:
    if rng.random() < SHARED_SHARE:
        return _one(rng, SHARED)(rng, _in(rng, _one(rng, habits.shared_slender)))
    return _one(rng, habits.own)(rng, _in(rng, habits.own_slender))


def _process(rng: np.random.Generator, habits: Habits) -> Process:
    layer_mm, outer = _one(rng, habits.layers_mm), _in(rng, habits.outer_mm_s)
    fast, mm_s2 = _in(rng, habits.fast), _in(rng, habits.mm_s2)
    return Process(
        layer_mm=layer_mm,
        first_layer_mm=round(max(layer_mm, 0.2) * rng.uniform(1.0, 1.25), 2),
        line_mm=round(_in(rng, habits.line_mm), 2),
        walls=int(rng.integers(2, 4)),
        pattern=_one(rng, habits.patterns),
        density=_in(rng, habits.density),
        bottom_layers=int(rng.integers(2, 5)),
        top_layers=int(rng.integers(3, 6)),
        speeds=_speeds(rng, outer, fast),
        print_mm_s2=round(mm_s2),
        outer_mm_s2=round(mm_s2 * rng.uniform(0.5, 1.0)),
        travel_mm_s2=round(mm_s2 * rng.uniform(1.0, 1.5)),
        retract_mm=round(_in(rng, habits.retract_mm), 1),
        hop_mm=float(rng.choice((0.0, 0.2, 0.4))),
        least_layer_s=_in(rng, (5.0, 14.0)),
        absolute_e=bool(rng.random() < 0.4),  # noqa: PLR2004 - share
        outer_first=bool(rng.random() < 0.15),  # noqa: PLR2004 - share
        random_seam=bool(rng.random() < 0.2),  # noqa: PLR2004 - share
    )


def _speeds(rng: np.random.Generator, outer: float, fast: float) -> Speeds:
    return Speeds(
        outer=round(outer),
        inner=round(min(outer * fast, 180)),
        infill=round(min(outer * fast * rng.uniform(1.0, 1.4), 200)),
        skin=round(outer * rng.uniform(0.8, 1.3)),
        support=round(outer * fast * rng.uniform(0.8, 1.1)),
        bridge=round(rng.uniform(20, 45)),
        first_layer=round(rng.uniform(18, 32)),
        travel=round(rng.uniform(120, 200)),
        ironing=round(rng.uniform(20, 40)),
    )


def _extras(rng: np.random.Generator, habits: Habits, parts: tuple[Placed, ...], *, spiral: bool) -> Extras:
    has = {trait: _has(rng, habits, trait) for trait in sorted(habits.shares)}
    hangs = any(part.solid.family in OVERHANGING for part in parts)
    purge = _one(rng, habits.purge_styles)
    return Extras(
        spiral=spiral,
        skirt_loops=0 if has["brim"] or has["raft"] else int(rng.integers(1, 4)),
        brim_mm=round(rng.uniform(3, 8), 1) if has["brim"] else 0.0,
        raft=has["raft"] and not spiral,
        support=has["support"] and hangs,
        ironing=has["ironing"] and not spiral,
        fuzzy_mm=round(rng.uniform(0.12, 0.3), 2) if has["fuzzy_skin"] and not spiral else 0.0,
        wipe_tower=has["wipe_tower"] and not spiral,
        timelapse=has["timelapse"] and not spiral,
        variable_layers=has["variable_layers"] and not spiral,
        colour_layers=tuple(rng.uniform(0.15, 0.85, int(rng.integers(1, 3)))) if has["colour_change"] else (),
        messages=has["messages"],
        purge_style=purge,
    )


# Sizes and places


def _room_mm(habits: Habits, parts: int, bed_mm: tuple[float, float]) -> Range:
    """Smallest and largest size of a part where so many share the bed."""
    across = math.ceil(math.sqrt(parts))
    room = (min(bed_mm) - 2 * EDGE_MM) / across - GAP_MM[0]
    return habits.sizes_mm[0], min(habits.sizes_mm[1], room / math.sqrt(2) if parts > 1 else room)


def _sized(
    shape: Shape, seconds: float, process: Process, parts: int, spiral: bool, sizes_mm: Range
) -> Solid:
    """The solid of the size that takes about so long."""
    low, high = sizes_mm
    for _ in range(HALVINGS):
        size_mm = (low + high) / 2
        solid = shape(size_mm)
        if expected_s(solid, process, parts=parts, spiral=spiral) > seconds or solid.height_mm > TALLEST_MM:
            high = size_mm
        else:
            low = size_mm
    return shape(low)


def expected_s(solid: Solid, process: Process, *, parts: int = 1, spiral: bool = False) -> float:
    """About how long a solid takes to print, from its sections, where so many share the layers."""
    layers = solid.height_mm / process.layer_mm
    shares = (np.arange(SECTIONS) + 0.5) / SECTIONS
    each = [_section_s(solid, share * solid.height_mm, layers, process, spiral=spiral) for share in shares]
    each = [max(section_s, process.least_layer_s / parts) for section_s in each]
    return layers * float(np.mean(each))


def _section_s(solid: Solid, z_mm: float, layers: float, process: Process, *, spiral: bool) -> float:
    rings = solid.outline(z_mm)
    around_mm, inside_mm2 = sum(map(length_mm, rings)), sum(map(area_mm2, rings))
    speeds = process.speeds
    most_mm_s = MOST_MM3_S / (process.line_mm * process.layer_mm)
    walls_s = around_mm / min(speeds.outer, most_mm_s) + LOOP_S * len(rings)
    if spiral:
        return walls_s * OVERHEAD
    walls_s += (process.walls - 1) * (around_mm / min(speeds.inner, most_mm_s) + LOOP_S * len(rings))
    left_mm2 = max(inside_mm2 - process.walls * process.line_mm * around_mm, 0.0)
    skins = min((process.top_layers + process.bottom_layers) / layers, 1.0)
    infill_s = (1 - skins) * process.density / min(speeds.infill, most_mm_s) + skins / speeds.skin
    return (walls_s + left_mm2 / process.line_mm * infill_s) * OVERHEAD


def _placed(rng: np.random.Generator, solids: list[Solid], bed_mm: tuple[float, float]) -> tuple[Placed, ...]:
    """One near the bed's middle, several in rows and columns around it."""
    across = math.ceil(math.sqrt(len(solids)))
    down = math.ceil(len(solids) / across)
    reach = max(solid.radius_mm for solid in solids)
    pitch = 2 * reach + _in(rng, GAP_MM)
    pitch = min(pitch, (min(bed_mm) - 2 * EDGE_MM - 2 * reach) / max(across - 1, 1))
    free = [
        max(bed_mm[axis] / 2 - EDGE_MM - reach - (n - 1) / 2 * pitch, 0.0)
        for axis, n in ((0, across), (1, down))
    ]
    middle = [bed_mm[axis] / 2 + np.clip(rng.normal(0, 14), -free[axis], free[axis]) for axis in (0, 1)]
    turn = float(rng.choice((0.0, 0.0, math.pi / 2, rng.uniform(0, math.tau))))
    return tuple(
        Placed(
            solid,
            round(float(middle[0] + (number % across - (across - 1) / 2) * pitch), 2),
            round(float(middle[1] + (number // across - (down - 1) / 2) * pitch), 2),
            turn,
        )
        for number, solid in enumerate(solids)
    )


def traits_of(plan: JobPlan) -> tuple[str, ...]:
    """What a job has besides plain parts, in alphabetical order."""
    extras, process = plan.extras, plan.process
    has = {
        "vase": extras.spiral, "skirt": extras.skirt_loops > 0, "brim": extras.brim_mm > 0,
        "raft": extras.raft,
        "support": extras.support,
        "ironing": extras.ironing, "fuzzy_skin": extras.fuzzy_mm > 0,
        "wipe_tower": extras.wipe_tower,
        "timelapse": extras.timelapse, "variable_layers": extras.variable_layers,
        "colour_change": bool(extras.colour_layers), "several_parts": len(plan.parts) > 1,
        "gyroid": process.pattern is Pattern.GYROID,
    }  # fmt: skip
    return tuple(sorted(trait for trait, there in has.items() if there))
