"""The physical judgement of a part as a label: what a network is to learn beside the drilled holes."""

from __future__ import annotations

from typing import NamedTuple

from detector.printability.physical.examine import examine
from detector.printability.physical.finding import Finding, Problem, Severity
from detector.printability.physical.process import Process
from features.mesh_records import Mesh


class PartLabel(NamedTuple):
    """What is said of a part as it lies: ``printable`` without support, the worst severity, what is wrong."""

    printable: bool
    worst: Severity | None
    problems: tuple[Problem, ...]


def physical_label(mesh: Mesh, process: Process) -> bool:
    """Whether a part prints as it lies, without support and without a place that fails."""
    return label_part(mesh, process).printable


def label_part(mesh: Mesh, process: Process) -> PartLabel:
    """A part's label. A tenth of a second for a usual part: hundreds of meshes take a minute."""
    return label_of(examine(mesh, process))


def label_of(findings: tuple[Finding, ...]) -> PartLabel:
    """The label that findings, worst first, amount to; what is merely risky is printed."""
    worst = findings[0].severity if findings else None
    hinders = tuple(sorted({one.problem for one in findings if one.severity != "risky"}))
    return PartLabel(not hinders, worst, hinders)
