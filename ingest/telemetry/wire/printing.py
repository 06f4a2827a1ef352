"""What the G-code that a printer has taken tells of its motion. Pure: time comes in as an argument."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.records import NS_PER_S
from ingest.telemetry.gcode.layers import Layers
from ingest.telemetry.gcode.track import Track
from ingest.telemetry.wire.job_watch import Job, JobWatch, Told

SPAN_NS = NS_PER_S
"""Filament and heat are averaged over this: firmware takes moves in bursts, as its planner has room."""
RESUMED_MM = 1.0
"""New filament after a pause that no parking or priming of a nozzle explains."""


class Printing:
    """Follows the commands that the printer has acknowledged: they are in its planner, or done.

    So a host that sends ahead, or sends again what was damaged, counts once and at the printer's own pace,
    some moves ahead of the nozzle (Marlin plans 8 to 32).
    """

    def __init__(self, jobs: JobWatch) -> None:
        self._jobs = jobs
        self._track = Track(SPAN_NS)
        self._gcode = self._track.gcode
        self.moved_ns = 0  # when the printer took a move last
        self._paused_mm: float | None = None  # filament when the host's print was paused

    def take(self, line: str, at_ns: int) -> None:
        """The printer has taken a command at ``at_ns``."""
        if "G28" in line and self._jobs.job is Job.NONE:
            self._gcode.layers = Layers()  # of the print that may follow
        before_mm = self._gcode.distance_mm
        self._gcode.take(line)
        if self._gcode.distance_mm != before_mm:
            self.moved_ns = at_ns

    def ended(self) -> None:
        """The print is over: its layers and its progress are no other's."""
        self._gcode.layers, self._gcode.progress = Layers(), None

    def changes(self) -> list[Told]:
        """Whether a print has begun, or goes on after a pause, as far as filament shows it."""
        if self._jobs.job is Job.NONE and self._gcode.layers.begun:
            return self._jobs.laid()
        if self._jobs.job is not Job.HOST or not self._jobs.is_paused:
            self._paused_mm = None
        elif self._paused_mm is None:
            self._paused_mm = self._gcode.filament_mm
        elif self._gcode.filament_mm > self._paused_mm + RESUMED_MM:
            return self._jobs.resumed("filament flows again")
        return []

    def readings(self, at_ns: int) -> Iterator[tuple[str, float]]:
        """Channels and their values at ``at_ns``; none of the motion before the first move."""
        if self._gcode.progress is not None:
            yield "progress", self._gcode.progress
        yield from self._track.readings(at_ns)
