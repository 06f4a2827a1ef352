"""The physical judgement: what an FDM printer will not print of a part as drawn, and which way to lay it."""

from __future__ import annotations

from detector.printability.physical.examine import examine
from detector.printability.physical.finding import Finding, Problem, Severity
from detector.printability.physical.label import PartLabel, label_of, label_part, physical_label
from detector.printability.physical.orientation import Orientation, orientations
from detector.printability.physical.process import MATERIALS, Material, Process

__all__ = [
    "MATERIALS",
    "Finding",
    "Material",
    "Orientation",
    "PartLabel",
    "Problem",
    "Process",
    "Severity",
    "examine",
    "label_of",
    "label_part",
    "orientations",
    "physical_label",
]
