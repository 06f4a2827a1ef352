"""What is to be printed and how: the settings from which a job's G-code is made."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import msgspec

from ingest.simulate.jobs.polygons import Rings
from ingest.simulate.toolpath import BED_MM

Outline: TypeAlias = Callable[[float], Rings]
"""The cross-section at a height in mm. May give the same list for heights where it is the same."""


class Solid(NamedTuple):
    """A body that stands around (0, 0), from z = 0 to ``height_mm``; ``radius_mm`` goes around all of it."""

    family: str
    height_mm: float
    radius_mm: float
    outline: Outline


class Placed(NamedTuple):
    """A body on the bed: where its middle is, turned by so many radians."""

    solid: Solid
    x_mm: float
    y_mm: float
    turn: float = 0.0


class Pattern(StrEnum):
    """How the inside of a part is filled."""

    LINES = "lines"
    GRID = "grid"
    TRIANGLES = "triangles"
    HONEYCOMB = "honeycomb"
    GYROID = "gyroid"

    @property
    def moves_with_height(self) -> bool:
        """Whether it is another one at every height."""
        return self is Pattern.GYROID


class Material(NamedTuple):
    """A filament and its temperatures."""

    name: str
    hotend_c: float
    bed_c: float
    fan: float  # 0..1, above the first layers


class Speeds(msgspec.Struct, frozen=True, kw_only=True):
    """mm/s."""

    outer: float = 35.0
    inner: float = 50.0
    infill: float = 60.0
    skin: float = 40.0
    support: float = 50.0
    bridge: float = 30.0
    first_layer: float = 20.0
    travel: float = 150.0
    ironing: float = 25.0


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """How the slicer is set. The defaults are near PrusaSlicer's for an Ender 3."""

    layer_mm: float = 0.2
    first_layer_mm: float = 0.24
    line_mm: float = 0.45
    walls: int = 2
    pattern: Pattern = Pattern.LINES
    density: float = 0.2
    bottom_layers: int = 3
    top_layers: int = 4
    speeds: Speeds = Speeds()
    print_mm_s2: float = 1000.0
    outer_mm_s2: float = 700.0
    travel_mm_s2: float = 1000.0
    jerk_mm_s: float = 8.0
    retract_mm: float = 3.0
    retract_mm_s: float = 40.0
    hop_mm: float = 0.2
    least_layer_s: float = 8.0  # shorter layers are printed slower
    absolute_e: bool = False
    outer_first: bool = False
    random_seam: bool = False


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What a job has besides its parts. Each is a trait of the job where it is on."""

    spiral: bool = False
    skirt_loops: int = 0
    brim_mm: float = 0.0
    raft: bool = False
    support: bool = False
    ironing: bool = False
    fuzzy_mm: float = 0.0
    wipe_tower: bool = False
    timelapse: bool = False
    variable_layers: bool = False
    colour_layers: tuple[float, ...] = ()  # share of the height at which the filament is changed
    messages: bool = False  # M117 at every layer
    purge_style: int = 0


class JobPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that a job is made from; ``seed`` draws what is random in it."""

    name: str
    parts: tuple[Placed, ...]
    material: Material
    process: Process = Process()
    extras: Extras = Extras()
    seed: int = 0
    bed_mm: tuple[float, float] = BED_MM
