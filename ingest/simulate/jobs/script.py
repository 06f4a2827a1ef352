"""Writes G-code as PrusaSlicer does: layers with comments, features with their speeds, retractions."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ingest.simulate.jobs.paths import WORDS, Layer, Path, length_mm, speed_of
from ingest.simulate.jobs.plan import JobPlan
from ingest.simulate.toolpath import FILAMENT_MM2, Feature, Floats

FLAT_MOVE, RISING_MOVE = "G1 X%.3f Y%.3f E%.5f", "G1 X%.3f Y%.3f Z%.3f E%.5f"
LEAST_RETRACT_MM, LEAST_RETRACT_INSIDE_MM = 4.0, 20.0
"""Travels shorter than this leave the filament where it is; inside of a part longer ones do."""
HIDDEN = frozenset({Feature.INFILL, Feature.SKIN, Feature.SUPPORT, Feature.IRONING, Feature.INNER_WALL})
FIRST_LAYER_MM_S2 = 500.0
SLOWEST_MM_S = 12.0  # PrusaSlicer's min_print_speed is 10 or 15
MOST_MM3_S = 12.0  # what a usual hot end melts (E3D V6: 11 to 15)
Z_MM_S = 12.0


class Script:
    """G-code as it grows. Texts and forms of moves are collected, and filled with numbers all at once."""

    def __init__(self, plan: JobPlan) -> None:
        self._process, self._plan = plan.process, plan
        self._forms: list[str] = []
        self._values: list[float] = []
        self._at = np.zeros(2)
        self._z_mm = self._e_mm = 0.0
        self._feed_mm_s = self._mm_s2 = 0.0
        self._feature: Feature | None = None
        self._is_retracted = False

    def say(self, *lines: str) -> None:
        """Write lines as they are."""
        self._forms += [line.replace("%", "%%") for line in lines]

    def lines(self) -> list[str]:
        """All that was written."""
        return ("\n".join(self._forms) % tuple(self._values)).split("\n")

    def begin_layer(self, layer: Layer, number: int, share: float) -> None:
        """Comments, progress and height of a layer; ``share`` of the print is done."""
        self.say(
            ";LAYER_CHANGE",
            f";Z:{layer.z_mm:.6g}",
            f";HEIGHT:{layer.height_mm:.6g}",
            f"M73 P{100 * share:.0f}",
        )
        if self._plan.extras.messages:
            self.say(f"M117 Layer {number + 1}")
        if self._process.absolute_e:
            self.say("G92 E0")
            self._e_mm = 0.0
        self._feature = None

    def rise(self, z_mm: float) -> None:
        """Go to a height."""
        if abs(z_mm - self._z_mm) > 1e-6:  # noqa: PLR2004 - mm, rounding
            self._write("G1 Z%.3f F%d", z_mm, round(Z_MM_S * 60))
            self._z_mm, self._feed_mm_s = z_mm, 0.0

    def lay(self, layer: Layer, path: Path, slower: float, *, first: bool) -> None:
        """Go to where a path begins and lay it, at the feature's speed times ``slower``."""
        speed = speed_of(path.feature, self._process.speeds)
        area_mm2 = self._process.line_mm * layer.height_mm * path.flow
        speed = min(speed, MOST_MM3_S / area_mm2)
        speed = (
            min(speed, self._process.speeds.first_layer)
            if first
            else max(speed * slower, min(speed, SLOWEST_MM_S))
        )
        self._go_to(path.points[0], path.feature)
        self._name(path.feature)
        self._accelerate(FIRST_LAYER_MM_S2 if first else self._acceleration(path.feature))
        self._set_feed(speed)
        self._draw(path.points, area_mm2 / FILAMENT_MM2)

    def travel(self, x_mm: float, y_mm: float) -> None:
        """Go somewhere without filament."""
        speed = self._process.speeds.travel
        self._write("G1 X%.3f Y%.3f F%d", x_mm, y_mm, round(speed * 60))
        self._at, self._feed_mm_s = np.array([x_mm, y_mm]), speed

    def retract(self) -> None:
        """Pull the filament back and lift the nozzle, if that is not done yet."""
        if not self._is_retracted:
            self._extrude(-self._process.retract_mm)
            self._is_retracted = True
            if self._process.hop_mm:
                self._write("G1 Z%.3f F%d", self._z_mm + self._process.hop_mm, round(Z_MM_S * 60))

    def recover(self) -> None:
        """Lower the nozzle and push the filament forward again."""
        if self._is_retracted:
            if self._process.hop_mm:
                self._write("G1 Z%.3f F%d", self._z_mm, round(Z_MM_S * 60))
            self._extrude(self._process.retract_mm)
            self._is_retracted = False

    def _extrude(self, mm: float) -> None:
        self._e_mm = self._e_mm + mm if self._process.absolute_e else mm
        self._write("G1 E%.5f F%d", self._e_mm, round(self._process.retract_mm_s * 60))
        self._feed_mm_s = 0.0

    def _go_to(self, point: Floats, feature: Feature) -> None:
        way_mm = math.hypot(*(point[:2] - self._at))
        inside = feature in HIDDEN and self._feature in HIDDEN
        if way_mm > (LEAST_RETRACT_INSIDE_MM if inside else LEAST_RETRACT_MM):
            self.retract()
        if way_mm > 1e-3:  # noqa: PLR2004 - mm, what is written
            self.travel(float(point[0]), float(point[1]))
        self.recover()

    def _name(self, feature: Feature) -> None:
        if feature is not self._feature:
            self.say(f";TYPE:{WORDS[feature]}")
            self._feature = feature

    def _acceleration(self, feature: Feature) -> float:
        return self._process.outer_mm_s2 if feature is Feature.OUTER_WALL else self._process.print_mm_s2

    def _accelerate(self, mm_s2: float) -> None:
        if mm_s2 != self._mm_s2:
            self.say(f"M204 P{mm_s2:.0f}")
            self._mm_s2 = mm_s2

    def _set_feed(self, mm_s: float) -> None:
        if mm_s != self._feed_mm_s:
            self._write("G1 F%d", round(mm_s * 60))
            self._feed_mm_s = mm_s

    def _draw(self, points: Floats, e_per_mm: float) -> None:
        pushed_mm = np.sqrt((np.diff(points, axis=0) ** 2).sum(1)) * e_per_mm
        if self._process.absolute_e:
            pushed_mm = self._e_mm + np.cumsum(pushed_mm)
            self._e_mm = float(pushed_mm[-1])
        flat = points.shape[1] == 2  # noqa: PLR2004 - x and y
        self._forms += [FLAT_MOVE if flat else RISING_MOVE] * len(pushed_mm)
        self._values += np.column_stack([points[1:], pushed_mm]).reshape(-1).tolist()
        self._at = points[-1, :2]
        if not flat:
            self._z_mm = float(points[-1, 2])

    def _write(self, form: str, *values: float) -> None:
        self._forms.append(form)
        self._values += values


def layer_seconds(layer: Layer, plan: JobPlan, *, first: bool) -> float:
    """About how long a layer takes at full speed, without acceleration and travels."""
    speeds = plan.process.speeds
    return sum(
        length_mm(path) / (min(speeds.first_layer, speed) if first else speed)
        for path, speed in ((path, speed_of(path.feature, speeds)) for path in layer.paths)
    )


def shares_done(seconds: Iterable[float]) -> list[float]:
    """What share of the time is over when each begins."""
    spans = np.fromiter(seconds, np.float64)
    total = max(float(spans.sum()), 1e-9)
    return [float(begun) / total for begun in np.cumsum(spans) - spans]
