"""Slices a solid: on every layer walls along its outline, skins where it ends, infill in between."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ingest.simulate.jobs.extras import fuzzy, ironed
from ingest.simulate.jobs.hatch import crosswise, hatch
from ingest.simulate.jobs.infill import sparse
from ingest.simulate.jobs.paths import Path, closed
from ingest.simulate.jobs.plan import Extras, Process, Solid
from ingest.simulate.jobs.polygons import Rings, inset, walls
from ingest.simulate.toolpath import Feature, Floats

OVERLAP = 0.2  # of a line: how far fillings reach into the innermost wall
SHORTEST_BRIDGE_MM = 3.0
Flags = npt.NDArray[np.bool_]
_T = TypeVar("_T")


class Slicer:
    """One solid, cut into layers; what is the same on several layers is made once.

    ``tops_mm`` are the layers' tops, ``heights_mm`` how high each is. Paths are in the solid's coordinates.
    """

    def __init__(
        self,
        solid: Solid,
        tops_mm: Floats,
        heights_mm: Floats,
        process: Process,
        extras: Extras,
        rng: np.random.Generator,
    ) -> None:
        self._process, self._extras, self._rng = process, extras, rng
        self._tops_mm = tops_mm
        middles = tops_mm - heights_mm / 2
        self.sections: list[Rings] = [solid.outline(float(z)) for z in middles if z < solid.height_mm]
        self._memory: dict[Hashable, object] = {}

    def paths(self, layer: int) -> list[Path]:
        """What is laid on a layer, in order; nothing above the solid."""
        if layer >= len(self.sections) or not self.sections[layer]:
            return []
        walls = self._walls(layer)
        filling = self._once(("fill", *self._around(layer), layer % 2), lambda: self._filling(layer))
        top = self._ironing(layer) if self._extras.ironing else []
        return [*walls, *filling, *top]

    def _walls(self, layer: int) -> list[Path]:
        section = self.sections[layer]
        rings = self._once(("walls", id(section)), lambda: self._wall_rings(section))
        if self._process.outer_first and layer:
            rings = rings[::-1]
        seam = self._rng.random() if self._process.random_seam else None
        return [self._wall(ring, feature, seam, layer) for feature, ring in rings]

    def _wall_rings(self, section: Rings) -> list[tuple[Feature, Floats]]:
        """From the inside to the outline."""
        line_mm = self._process.line_mm
        rings = [(Feature.OUTER_WALL, ring) for ring in walls(section, line_mm / 2)]
        for number in range(1, self._process.walls):
            inner = walls(section, (number + 0.5) * line_mm)
            rings = [(Feature.INNER_WALL, ring) for ring in inner] + rings
        return rings

    def _wall(self, ring: Floats, feature: Feature, seam: float | None, layer: int) -> Path:
        first = int(np.argmax(ring[:, 1])) if seam is None else int(seam * len(ring))
        points = closed(ring, first)
        if self._extras.fuzzy_mm and feature is Feature.OUTER_WALL and layer:
            points = fuzzy(points, self._extras.fuzzy_mm, self._rng)
        return Path(feature, points)

    # Fillings

    def _around(self, layer: int) -> tuple[int, ...]:
        """What tells which sections' fillings are the same (curves change with the height)."""
        process = self._process
        above, below = layer + process.top_layers, layer - process.bottom_layers
        same = [self._section_id(at) for at in (below, layer - 1, layer, layer + 1, above)]
        return (*same, layer if process.pattern.moves_with_height else 0)

    def _section_id(self, layer: int) -> int:
        return id(self.sections[layer]) if 0 <= layer < len(self.sections) else -1

    def _region(self, layer: int) -> Rings:
        """What lies inside of the walls, nothing where there is no such layer."""
        if not 0 <= layer < len(self.sections):
            return []
        section = self.sections[layer]
        by_mm = (self._process.walls + 0.5 - OVERLAP) * self._process.line_mm
        return self._once(("region", id(section)), lambda: inset(section, by_mm))

    def _filling(self, layer: int) -> list[Path]:
        process = self._process
        here, above, below = (
            self._region(layer),
            self._region(layer + process.top_layers),
            self._region(layer - process.bottom_layers),
        )
        if not here:
            return []
        z_mm = float(self._tops_mm[layer])
        spacing_mm = process.line_mm / process.density
        inner = (
            sparse(process.pattern, (here, above, below), layer, z_mm, spacing_mm) if above and below else []
        )
        return [*self._skin(layer, here, above, below), *(Path(Feature.INFILL, line) for line in inner)]

    def _skin(self, layer: int, here: Rings, above: Rings, below: Rings) -> list[Path]:
        if here is above and here is below:
            return []
        carrier = self._region(layer - 1) if layer else here
        sections = (here, above, below, self.sections[layer - 1] if layer else carrier)
        line_mm, turn = self._process.line_mm, crosswise(layer)
        solid = hatch(sections, _needs_skin, turn, line_mm)
        skin = [Path(Feature.SKIN, line) for line in solid]
        if not layer or self.sections[layer - 1] is self.sections[layer]:
            return skin
        free = hatch(sections, _hangs, turn, line_mm, SHORTEST_BRIDGE_MM)
        return skin + [Path(Feature.BRIDGE, line) for line in free]

    def _ironing(self, layer: int) -> list[Path]:
        """Over what nothing comes on."""
        here, above = self._region(layer), self._region(layer + 1)
        if not here or here is above:
            return []
        return ironed((here, above), crosswise(layer))

    def _once(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """What ``make`` gave when it was first asked for under this key."""
        if key not in self._memory:
            self._memory[key] = make()
        made: _T = self._memory[key]  # type: ignore[assignment]
        return made


def _needs_skin(here: Flags, above: Flags, below: Flags, carrier: Flags) -> Flags:
    return here & ~(above & below) & carrier


def _hangs(here: Flags, _above: Flags, _below: Flags, carrier: Flags) -> Flags:
    return here & ~carrier
