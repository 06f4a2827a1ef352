"""What moves and dwells come to: position, path, time, filament, heat. All in mm, s, W and J."""

from __future__ import annotations

from math import hypot, sqrt

from ingest.telemetry.gcode.arcs import Arc
from ingest.telemetry.gcode.layers import Layers
from ingest.telemetry.gcode.pace import Pace
from ingest.telemetry.gcode.settings import Settings

USUAL_FEED_MM_S = 25.0
"""Before the first F (Marlin gcode.cpp: 1500 mm/min)."""
HEAT_J_MM_K = 5.6e-3
"""Heat that filament takes: PLA of 1.75 mm, per mm of filament and kelvin."""
ROOM_C = 25.0
"""Temperature of filament on the spool."""


class Motion(Settings):
    """Where the head is and what it did, last and in sum.

    - ``x`` ``y`` ``z`` ``e``: position in mm as the commands count it.
    - Of the last move or dwell: ``path_mm``, ``seconds``, ``extruded_mm`` (with M221, negative while it
      retracts), ``melt_w`` (heat that its new filament takes).
    - Totals since the first line, which no command sets back: ``distance_mm``; ``time_s`` as Pace expects it;
      ``filament_mm`` as slicers count it: the most that was off the spool at once, so that what is
      retracted and pushed again counts once, without M221; ``pushed_mm``: the sum of ``extruded_mm``;
      ``melt_j``: the heat for all of the new filament.
    """

    def __init__(self) -> None:
        super().__init__()
        self.x = self.y = self.z = self.e = 0.0
        self.path_mm = self.seconds = self.extruded_mm = self.melt_w = 0.0
        self.distance_mm = self.time_s = self.filament_mm = self.pushed_mm = self.melt_j = 0.0
        self.layers = Layers()
        self.pace = Pace()
        self._commanded_mm_s = USUAL_FEED_MM_S  # the last F, without M220
        self._net_mm = 0.0  # filament out of the spool now

    @property
    def feed_mm_s(self) -> float:
        """Commanded speed, with M220."""
        return self._commanded_mm_s * self.feed_factor

    @property
    def layer(self) -> int | None:
        """Number of the layer, see Layers; None until known."""
        return self.layers.number

    @property
    def feature(self) -> str | None:
        """What is drawn now, in the slicer's words; None until told."""
        return self.layers.feature

    def set_feed(self, mm_s: float) -> None:
        """Move so fast from now on; 0 is not taken, as in Marlin."""
        if mm_s > 0:
            self._commanded_mm_s = mm_s

    def go(self, x: float, y: float, z: float, push_mm: float) -> None:
        """Straight to (x, y, z), pushing so much filament meanwhile."""
        dx, dy, dz = x - self.x, y - self.y, z - self.z
        mm = sqrt(dx * dx + dy * dy + dz * dz)
        self.x, self.y, self.z = x, y, z
        if mm:
            self._travel(mm, dx / mm, dy / mm, dz / mm, push_mm)
        elif push_mm:
            self.extrude(push_mm, self.feed_mm_s)

    def go_round(self, arc: Arc, x: float, y: float, z: float, push_mm: float) -> None:
        """Along an arc to (x, y, z), a screw where z changes."""
        rise_mm = z - self.z
        mm = hypot(arc.mm, rise_mm)
        self.x, self.y, self.z = x, y, z
        if mm:
            level = arc.mm / mm
            self._travel(mm, arc.start[0] * level, arc.start[1] * level, rise_mm / mm, push_mm)
            self.pace.head_for(arc.end[0] * level, arc.end[1] * level)

    def extrude(self, push_mm: float, mm_s: float) -> None:
        """Push or pull filament while the head stands."""
        self._account(0.0, self.pace.extruder_seconds(abs(push_mm), mm_s), push_mm)

    def dwell(self, seconds: float) -> None:
        """Do nothing for so long."""
        self.pace.stand()
        self._account(0.0, seconds, 0.0)

    def _travel(self, mm: float, ux: float, uy: float, uz: float, push_mm: float) -> None:
        """Account for a path that begins in the direction (ux, uy, uz)."""
        prints = push_mm > 0
        mm_s = self._commanded_mm_s * self.feed_factor
        self._account(mm, self.pace.seconds(mm, ux, uy, uz, mm_s, prints=prints), push_mm)
        if prints:
            self.layers.extruded(self.z, rising=uz > 0)
            if self.is_paused or self.is_changing_filament:
                self.go_on()

    def _account(self, mm: float, seconds: float, push_mm: float) -> None:
        self.path_mm, self.seconds, self.melt_w = mm, seconds, 0.0
        self.extruded_mm = push_mm * self.flow_factor
        self.distance_mm += mm
        self.time_s += seconds
        if push_mm:
            self.pushed_mm += self.extruded_mm
            self._net_mm += push_mm
            if self._net_mm > self.filament_mm:
                self._melt(self._net_mm - self.filament_mm, seconds)
                self.filament_mm = self._net_mm

    def _melt(self, new_mm: float, seconds: float) -> None:
        """Filament goes through the nozzle that was never in it before."""
        warmer_k = self.hotend_target_c - ROOM_C
        if warmer_k > 0:
            heat_j = HEAT_J_MM_K * new_mm * self.flow_factor * warmer_k
            self.melt_j += heat_j
            self.melt_w = heat_j / seconds if seconds else 0.0
