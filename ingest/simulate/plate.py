"""What lies on the bed and hangs on the nozzle: the print as it really is, whatever the firmware believes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ingest.simulate.deposit import Deposit
from ingest.simulate.heap import CARRIES_MM2, Heap
from ingest.simulate.laying import Bools, Pieces, lay
from ingest.simulate.moment import Strand
from ingest.simulate.strands import Strands
from ingest.simulate.tangle import Tangle
from ingest.simulate.toolpath import Feature, Floats, Position


class Plate:
    """The state that mishaps change.

    - ``deposit``: what was laid; ``strands``: what came loose and lies; ``tangle``: what is coming loose
    - ``axis_shift_mm`` [3]: by how much the axes are off
    - ``warps_mm`` by part, ``nozzle_blob_mm``: as in ``Moment``
    - ``unsound``: something went wrong that lines may have to do without what should be below them
    """

    def __init__(self, bed_mm: tuple[float, float], rng: np.random.Generator) -> None:
        self.deposit = Deposit()
        self.heap = Heap(bed_mm)
        self.strands = Strands()
        self.tangle = Tangle(rng, self.heap, self.strands)
        self.axis_shift_mm: Floats = np.zeros(3)
        self.warps_mm: dict[int, float] = {}
        self.nozzle_blob_mm = 0.0
        self.unsound = False

    def take(self, pieces: Pieces, dt_s: float) -> None:
        """Lay what holds; what does not falls as strands."""
        if self.unsound:
            self.heap.catch_up(self.deposit)
            falls = self._falls(pieces)
            self.heap.drape(pieces.only(falls & ~pieces.loose & (pieces.area_mm2 > CARRIES_MM2)))
            pieces = pieces._replace(loose=pieces.loose | falls)
        self.tangle.take(pieces, dt_s)
        lay(self.deposit, pieces)

    def _falls(self, pieces: Pieces) -> Bools:
        """Which lines find nothing below them; bridges need nothing."""
        return np.asarray(~self.heap.holds(pieces) & (pieces.feature != Feature.BRIDGE))

    def loose_ends(self, nozzle: Position) -> Sequence[Strand]:
        """Everything loose as it is to be seen with the nozzle there; the last may still change."""
        return [*self.strands.lying, *self.tangle.hanging(nozzle)]
