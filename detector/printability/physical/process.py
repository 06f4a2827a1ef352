"""How a part is printed: the nozzle, the layers and the material, and what they can do unaided."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from ingest.errors import UsageError

SOUND_WALL_MM = 0.8
"""Thinnest wall that common practice for FDM calls sound (Hubs, Hydra Research, Neway: 0.8 mm)."""

SOUND_LINES = 2
"""Lines that a wall needs side by side: a single one has nothing to hold on to."""

SOUND_HOLE_MM = 2.0
"""Smallest hole that practice calls sound (Hubs, Neway: 2 mm); smaller ones are drilled after printing."""


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What a filament does in the air.

    ``bridge_mm`` is printed without visible sag, ``longest_bridge_mm`` is still printed, with sag.
    ``overhang_deg`` is the angle from the vertical up to which a surface carries itself.
    """

    bridge_mm: float
    longest_bridge_mm: float
    overhang_deg: float = 45.0


MATERIALS: Mapping[str, Material] = MappingProxyType(
    {
        "pla": Material(bridge_mm=10.0, longest_bridge_mm=35.0),
        "petg": Material(bridge_mm=8.0, longest_bridge_mm=28.0),
        "abs": Material(bridge_mm=8.0, longest_bridge_mm=28.0),
        "tpu": Material(bridge_mm=5.0, longest_bridge_mm=17.0),
    }
)
"""Bridges: the design rules of Hydra Research and Hubs for FFF (up to 10 mm are clean), 3D Orchard's table of
sag (0.1 to 0.5 mm at 25 to 35 mm, up to 2 mm beyond). PETG and ABS carry less than PLA, and TPU least; the
shares are estimates. The angle is everybody's 45 degrees."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A printer's set-up. Raises UsageError for one that cannot be."""

    nozzle_mm: float = 0.4
    layer_mm: float = 0.2
    material: str = "pla"

    def __post_init__(self) -> None:
        """A layer higher than the nozzle is wide does not stick to the one below."""
        if self.material not in MATERIALS:
            raise UsageError(f"found material {self.material!r}, expected one of {', '.join(MATERIALS)}")
        if not 0.1 <= self.nozzle_mm <= 2.0:  # noqa: PLR2004 - nozzles that are sold
            raise UsageError(f"found a nozzle of {self.nozzle_mm} mm, expected one of 0.1 to 2.0 mm")
        if not 0.02 <= self.layer_mm <= self.nozzle_mm:  # noqa: PLR2004 - steps of a Z screw
            raise UsageError(
                f"found layers of {self.layer_mm} mm, expected 0.02 mm up to the nozzle's {self.nozzle_mm} mm"
            )

    @property
    def limits(self) -> Material:
        """What the material does in the air."""
        return MATERIALS[self.material]

    @property
    def sound_wall_mm(self) -> float:
        """Thinnest wall that is sound."""
        return max(SOUND_WALL_MM, SOUND_LINES * self.nozzle_mm)
