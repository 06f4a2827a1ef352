"""Visible faults of the mechanics: one file each, and one line of ``MISHAPS``."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.mishaps.blob import Blob
from ingest.simulate.mishaps.detachment import Detachment
from ingest.simulate.mishaps.mishap import Mishap
from ingest.simulate.mishaps.shifts import BeltSlip, LayerShift
from ingest.simulate.mishaps.spaghetti import Spaghetti
from ingest.simulate.mishaps.starvation import Starvation
from ingest.simulate.mishaps.stringing import Stringing
from ingest.simulate.mishaps.warping import Warping
from ingest.simulate.toolpath import Toolpath

MISHAPS: dict[FaultKind, type[Mishap]] = {
    FaultKind.SPAGHETTI: Spaghetti,
    FaultKind.DETACHMENT: Detachment,
    FaultKind.WARPING: Warping,
    FaultKind.LAYER_SHIFT: LayerShift,
    FaultKind.BELT_SLIP: BeltSlip,
    FaultKind.STRINGING: Stringing,
    FaultKind.BLOB: Blob,
    FaultKind.STARVATION: Starvation,
}


def mishaps_of(faults: Iterable[Fault], path: Toolpath) -> list[Mishap]:
    """The mishaps among the faults, in their order."""
    return [MISHAPS[fault.kind](fault, path) for fault in faults if fault.kind in MISHAPS]
