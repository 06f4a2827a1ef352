"""What a mishap is: a fault of the mechanics that acts on what is laid, and where."""

from __future__ import annotations

import numpy as np

from ingest.simulate.faults import Fault
from ingest.simulate.laying import Bools, Pieces
from ingest.simulate.moment import Pose
from ingest.simulate.plate import Plate
from ingest.simulate.toolpath import NO_PART, Bytes, Position, Toolpath


class Mishap:
    """A fault at work. ``stands`` and ``act`` are called once per control step while the fault is on."""

    def __init__(self, fault: Fault, path: Toolpath) -> None:
        self.fault = fault
        self.rng = fault.rng()
        parts = np.unique(path.part[path.part != NO_PART])
        self.part = int(parts[0]) if len(parts) == 1 else fault.part  # the object that it befalls

    def stands(self, plate: Plate, nozzle: Position, now_s: float) -> bool:
        """Whether the head stands still in this step instead of going on with the job."""
        return False

    def act(self, plate: Plate, pieces: Pieces, now_s: float) -> Pieces:
        """Change the plate and what the step lays, already where the nozzle really is."""
        return pieces

    def pose(self, nozzle: Position) -> Pose | None:
        """Where the part that came off is when the nozzle is there; None: where it was printed."""
        return None

    def befallen(self, part: Bytes) -> Bools:
        """Which lines belong to the object that the fault befalls, [n]."""
        return np.asarray(part == self.part)
