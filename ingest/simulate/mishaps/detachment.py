"""A part comes off the bed: the nozzle pushes it about, tips it over, sweeps it away or takes it along.

What is laid for it afterwards finds no hold but while it still stands nearly where it was. Left out: parts
that push each other, and a part that stops the head.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np

from ingest.simulate.faults import Fault
from ingest.simulate.laying import Pieces
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.moment import Pose
from ingest.simulate.plate import Plate
from ingest.simulate.poses import SLACK_MM, Footing, Place, footing_of, pose_of
from ingest.simulate.ranges import between
from ingest.simulate.spec import STEP_S
from ingest.simulate.toolpath import Floats, Position, Toolpath


class Fate(IntEnum):
    """What becomes of a part that is loose."""

    PUSHED = 0  # about on the bed
    TIPPED = 1  # over, or, when flat, up at one edge
    SWEPT = 2  # away, perhaps off the bed
    TAKEN = 3  # stuck to the nozzle for a while


FATE_SHARES = (0.4, 0.3, 0.15, 0.15)
WAITS_S = (4.0, 60.0)  # from the onset until its fate, beyond the growth
JERK_SHARE = 0.2  # share of the steps over the part in which it gives way
JERK_MM = 1.6  # mean way of one, when it is wholly loose
JERK_DEG = 3.0
STILL_THERE_MM = SLACK_MM  # moved less than this, it still takes what is laid on it
TALL = 0.8  # height in widths from which on a part falls over
FALLS_S = (0.4, 1.4)
LEANS_DEG = (4.0, 22.0)  # a flat part's edge
SWEPT_MM = (40.0, 220.0)
SWEPT_MM_S = (15.0, 80.0)
TAKEN_S = (4.0, 40.0)
GONE_Z_MM = -400.0  # below the bed's edge: out of sight
SPREADS_S = (120.0, 360.0)  # until what lies about has taken the other parts' hold, too
SPREADS = 0.6  # share of prints in which it does
LOOK_AGAIN_S, LOOK_AGAIN_MM = 4.0, 4.0  # after that the heights of what stands are taken again


class Detachment(Mishap):
    """One part's pose; ``pose`` follows the nozzle while the part hangs on it. ``fate``: what awaits it."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        super().__init__(fault, path)
        rng = self.rng
        self.fate = Fate(int(rng.choice(len(Fate), p=FATE_SHARES)))
        self._fate_s = fault.at_s + fault.growth_s + float(rng.uniform(*WAITS_S)) * (1.5 - fault.severity)
        self._bed_mm = path.bed_mm
        spreads_s, spreads = float(rng.uniform(*SPREADS_S)), rng.random() < SPREADS
        self._spreads_s = self._fate_s + spreads_s if spreads else math.inf
        self._lasts = float(rng.uniform())
        self._lean_rad = math.radians(float(rng.uniform(*LEANS_DEG)))
        self._swept_mm = float(rng.uniform(*SWEPT_MM)) * (0.4 + 0.6 * fault.severity)
        self._way_rad: float | None = None
        self._footing: Footing | None = None
        self._place = Place()
        self._held: tuple[float, float, float] | None = None  # the nozzle when it took the part
        self._looked_s, self._looked = fault.at_s, Place()

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        if not len(pieces.begin):
            return pieces
        if self._footing is None:
            self._footing = footing_of(plate.deposit, plate.deposit.part == self.part)
        if self._footing is None:
            return pieces
        push, nozzle = pieces.end[-1] - pieces.begin[0], pieces.end[-1]
        if now_s < self._fate_s or self._way_rad is None:
            self._pushed(self._footing, push, nozzle, max(self.fault.severity_at(now_s), 0.1))
            self._way_rad = self._way_of(push)
        else:
            self._meet_fate(self._footing, push, nozzle, now_s)
        self._look_again(plate, now_s)
        laid = self._laid(self._footing, pieces)
        return laid if now_s < self._spreads_s else laid._replace(loose=np.ones_like(laid.loose))

    def pose(self, nozzle: Position) -> Pose | None:
        place = self._there(np.array(nozzle[:3]))
        if self._footing is None or place == Place():
            return None
        return pose_of(self._footing, place)

    def _there(self, nozzle: Floats) -> Place:
        """The part's place with the nozzle there."""
        if self._held is None:
            return self._place
        x, y, z = (float(now) - then for now, then in zip(nozzle, self._held, strict=True))
        return self._place._replace(
            x_mm=self._place.x_mm + x, y_mm=self._place.y_mm + y, z_mm=max(self._place.z_mm + z, 0.0)
        )

    def _way_of(self, push: Floats) -> float | None:
        """The direction of the last push that had one."""
        return math.atan2(push[1], push[0]) if abs(push[0]) + abs(push[1]) > 1.0 else self._way_rad

    def _pushed(self, footing: Footing, push: Floats, nozzle: Floats, looseness: float) -> None:
        """Give way to the nozzle, when it goes over the part."""
        place = self._place
        off = np.abs(nozzle[:2] - footing.middle - (place.x_mm, place.y_mm))
        length_mm = float(np.hypot(push[0], push[1]))
        if (off > footing.half + 2.0).any() or length_mm < 1.0 or self.rng.random() > JERK_SHARE:
            return
        jerk_mm = min(float(self.rng.exponential(JERK_MM)) * looseness, length_mm)
        turn = math.radians(float(self.rng.normal(0.0, JERK_DEG))) * looseness
        x_mm, y_mm = (jerk_mm * float(way) / length_mm for way in push[:2])
        self._place = place._replace(
            x_mm=place.x_mm + x_mm, y_mm=place.y_mm + y_mm, yaw_rad=place.yaw_rad + turn
        )

    def _meet_fate(self, footing: Footing, push: Floats, nozzle: Floats, now_s: float) -> None:
        since_s = now_s - self._fate_s
        if self.fate is Fate.TIPPED:
            self._tip(footing, since_s)
        elif self.fate is Fate.SWEPT:
            self._sweep(footing)
        elif self.fate is Fate.TAKEN:
            self._take_along(nozzle, since_s)
        self._pushed(footing, push, nozzle, self.fault.severity)

    def _tip(self, footing: Footing, since_s: float) -> None:
        """Fall over, faster and faster; what is flat only leans."""
        fallen = min(since_s / between(FALLS_S, self._lasts), 1.0) ** 2
        most_rad = math.pi / 2.0 if footing.height_mm > TALL * 2.0 * footing.radius_mm else self._lean_rad
        self._place = self._place._replace(tip_rad=most_rad * fallen, way_rad=self._fixed_way())

    def _sweep(self, footing: Footing) -> None:
        """Go on in the direction of the push until it lies, or has fallen off the bed."""
        step_mm = min(between(SWEPT_MM_S, self._lasts) * STEP_S, self._swept_mm)
        self._swept_mm -= step_mm
        way_rad, place = self._fixed_way(), self._place
        x_mm, y_mm = place.x_mm + step_mm * math.cos(way_rad), place.y_mm + step_mm * math.sin(way_rad)
        middle = footing.middle + np.array([x_mm, y_mm])
        off = (middle < 0.0).any() or (middle > self._bed_mm).any()
        yaw_rad, z_mm = place.yaw_rad + 0.004 * step_mm, GONE_Z_MM if off else 0.0
        self._place = place._replace(x_mm=x_mm, y_mm=y_mm, z_mm=z_mm, yaw_rad=yaw_rad)

    def _take_along(self, nozzle: Floats, since_s: float) -> None:
        """Hang on the nozzle for a while, a little crooked, then drop where it is."""
        if since_s > between(TAKEN_S, self._lasts):
            self._place = self._there(nozzle)._replace(z_mm=0.0)
            self._held, self.fate = None, Fate.PUSHED
        elif self._held is None:
            self._held = (float(nozzle[0]), float(nozzle[1]), float(nozzle[2]))
            self._place = self._place._replace(tip_rad=0.3 * self._lean_rad, way_rad=self._fixed_way())

    def _fixed_way(self) -> float:
        """The direction in which the part goes once and for all, as seen by the part."""
        return self._way_rad or 0.0

    def _look_again(self, plate: Plate, now_s: float) -> None:
        """Have the heights of what stands taken anew when the part is elsewhere."""
        new, old = self._place, self._looked
        way_mm = math.hypot(new.x_mm - old.x_mm, new.y_mm - old.y_mm) + 30.0 * abs(new.tip_rad - old.tip_rad)
        far = self._held is not None or way_mm > LOOK_AGAIN_MM
        if self._footing is None or not far or now_s < self._looked_s + LOOK_AGAIN_S:
            return
        self._looked_s, self._looked = now_s, new
        gone = self._held is not None
        place = new._replace(z_mm=GONE_Z_MM) if gone else new
        plate.heap.move_part(plate.deposit, self.part, pose_of(self._footing, place))

    def _laid(self, footing: Footing, pieces: Pieces) -> Pieces:
        """Lines for the part stick to it while it is nearly there, moving with it; later they are loose."""
        own = self.befallen(pieces.part)
        place = self._place
        near = math.hypot(place.x_mm, place.y_mm) < STILL_THERE_MM and self._held is None
        if near and place.tip_rad == 0.0:
            back = np.linalg.inv(pose_of(footing, place).astype(np.float64))
            begin, end = (
                np.where(own[:, None], ends @ back[:3, :3].T + back[:3, 3], ends) for ends in pieces[:2]
            )
            return pieces._replace(begin=begin, end=end)
        return pieces._replace(loose=pieces.loose | own)
