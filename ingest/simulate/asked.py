"""What the G-code of a simulated job asks for at a moment, as a host that streams it or Klipper tells it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from ingest.simulate.printer import Printer
from ingest.simulate.toolpath import Floats, Order, Toolpath
from ingest.telemetry.gcode.motion import HEAT_J_MM_K, ROOM_C

AHEAD_S = 0.6  # by how much a host's commands are ahead of the nozzle: Marlin's planner
SPAN_S = 1.0  # filament and heat are averaged over this: firmware takes moves in bursts
LEAST_MOVE_S = 1e-6


class Asked:
    """Follows one job. ``body`` is asked where it is; each method tells what is new since its last call."""

    def __init__(self, path: Toolpath, body: Printer) -> None:
        self._path, self._body = path, body
        self._feeds_mm_s = commanded_mm_s(path)
        self._lately: deque[tuple[float, float]] = deque()  # time, filament off the spool
        self._orders = deque(order for order in path.orders if order.at_s >= body.print_s)
        self._moves = path.move_at(body.print_s)
        self._before_s = body.print_s  # print time at the last call of ``live``

    def told(self, at_s: float) -> Iterator[tuple[str, float]]:
        """The channels that a host's commands tell."""
        body, path = self._body, self._path
        if not body.printing:
            self._lately.clear()
            return
        ahead_s = min(body.print_s + AHEAD_S * body.feed_factor, path.duration_s)
        at, move = path.at(ahead_s), path.move_at(ahead_s)
        yield from (("x_mm", at.x_mm), ("y_mm", at.y_mm), ("z_mm", at.z_mm), ("e_mm", at.e_mm))
        yield "feed_mm_s", float(self._feeds_mm_s[move]) * body.feed_factor
        yield "layer", float(path.layer[move])
        yield "progress", ahead_s / path.duration_s
        yield from self._factors()
        yield from self._filament(at_s, at.e_mm)

    def live(self, at_s: float, *, layers: bool) -> Iterator[tuple[str, float]]:
        """The channels that Moonraker tells: where the head is, not where it will be."""
        body, path = self._body, self._path
        at = body.position(at_s)
        yield from (("x_mm", at.x_mm), ("y_mm", at.y_mm), ("z_mm", at.z_mm), ("e_mm", at.e_mm))
        yield from self._factors()
        move = path.move_at(body.print_s)
        pace = body.feed_factor if body.printing and body.print_s > self._before_s else 0.0
        self._before_s = body.print_s
        yield "feed_mm_s", self._speed_mm_s(move) * pace
        filament_mm_s = path.filament_mm_s(body.print_s) * pace * body.flow_factor
        yield "extrusion_mm_s", filament_mm_s
        yield "melt_w", self._melt_w(filament_mm_s)
        if body.printing:
            yield "progress", min(body.print_s / path.duration_s, 1.0)
            if layers:
                yield "layer", float(path.layer[move])

    def lines(self) -> int:
        """How many commands the firmware has said ok to."""
        before, self._moves = self._moves, self._path.move_at(self._body.print_s)
        return max(self._moves - before, 0) if self._body.printing else 0

    def orders(self) -> Iterator[Order]:
        """The job's own commands that were sent."""
        while self._orders and self._body.printing and self._orders[0].at_s <= self._body.print_s:
            yield self._orders.popleft()

    def _factors(self) -> Iterator[tuple[str, float]]:
        body = self._body
        yield from (("fan", body.fan), ("feed_factor", body.feed_factor), ("flow_factor", body.flow_factor))

    def _filament(self, at_s: float, e_mm: float) -> Iterator[tuple[str, float]]:
        self._lately.append((at_s, e_mm))
        while len(self._lately) > 1 and self._lately[1][0] <= at_s - SPAN_S:
            self._lately.popleft()
        first_s, first_mm = self._lately[0]
        if at_s > first_s:
            filament_mm_s = (e_mm - first_mm) / (at_s - first_s) * self._body.flow_factor
            yield "extrusion_mm_s", filament_mm_s
            yield "melt_w", self._melt_w(filament_mm_s)

    def _melt_w(self, filament_mm_s: float) -> float:
        return max(filament_mm_s, 0.0) * HEAT_J_MM_K * max(self._body.hotend.target_c - ROOM_C, 0.0)

    def _speed_mm_s(self, move: int) -> float:
        begin, end = self._path.points[move], self._path.points[move + 1]
        seconds = max(float(self._path.times_s[move + 1] - self._path.times_s[move]), LEAST_MOVE_S)
        return float(np.linalg.norm(end - begin)) / seconds


def commanded_mm_s(path: Toolpath) -> Floats:
    """The speed that each move was asked for, mm/s [moves]: the fastest of its run.

    A run is what is drawn in one go with one speed, of one feature or all travels; short moves in it do not
    reach that speed.
    """
    seconds = np.maximum(np.diff(path.times_s), LEAST_MOVE_S)
    speeds = np.linalg.norm(np.diff(path.points, axis=0), axis=1) / seconds
    kind = np.where(path.melted_mm_s > 0.0, path.feature.astype(np.int32), -1)
    begins = np.flatnonzero(np.concatenate([[True], np.diff(kind) != 0]))
    runs = np.cumsum(np.concatenate([[False], np.diff(kind) != 0]))
    return np.asarray(np.maximum.reduceat(speeds, begins)[runs], np.float64)
