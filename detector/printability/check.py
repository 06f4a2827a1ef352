"""Judges a part: whether it can be printed, how surely, where not and why, and what would help.

verdict = check_part(Path("bracket.stl"), Process(material="petg"), usual_look())
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from detector.printability.advice import advice_for, headline_for, reasons_for
from detector.printability.physical.examine import examine
from detector.printability.physical.finding import Finding
from detector.printability.physical.orientation import Orientation, orientations
from detector.printability.physical.process import Process
from detector.printability.seen import Look, Seen
from features.mesh import Loaded, Unit, load_mesh

NO_NETWORK = "No network was at hand: the part was judged by its geometry alone."
NOTHING_LEFT = (
    "All of it is thinner than the voxels through which the network looks, so that the network was not asked."
)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a part.

    ``printable``: nothing that was measured fails; with ``needs_support`` it prints on support.
    ``probability`` is the network's word that it is printable, from ``threshold`` on: a second opinion, which
    knows no millimetres and overrules no measure. Both are None where no network was asked.
    ``network_where_mm`` is what speaks most against the part to the network: None where nothing does, or
    where the network cannot say. Points are in the file's coordinates, in mm. ``findings`` come gravest
    first, ``orientations`` best first. ``seconds`` is by step.
    """

    file: str
    size_mm: tuple[float, float, float]
    triangles: int
    watertight: bool
    process: Process
    printable: bool
    needs_support: bool
    headline: str
    probability: float | None
    threshold: float | None
    network_where_mm: tuple[float, float, float] | None
    findings: tuple[Finding, ...]
    orientations: tuple[Orientation, ...]
    reasons: tuple[str, ...]
    advice: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: dict[str, float]


class Steps:
    """How long each step of a check takes, s."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done within."""
        began_s = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began_s


def check_part(
    path: Path, process: Process, look: Look | None = None, *, unit: Unit | None = None
) -> Verdict:
    """Judge a mesh file; ``unit`` is that of its numbers, where the file does not say it.

    An open surface is judged as it is, and that is said. Raises MeshError, a UsageError, for what is no part.
    """
    steps = Steps()
    with steps.step("read"):
        loaded = load_mesh(path, unit=unit, closed=False)
    return check_mesh(loaded, os.fsencode(path).decode(errors="replace"), process, look, steps)


def check_mesh(loaded: Loaded, file: str, process: Process, look: Look | None, steps: Steps) -> Verdict:
    """Judge a mesh that was read already; ``file`` is what it is called. Raises MeshError."""
    mesh, notes = loaded.mesh, list(loaded.notes)
    with steps.step("geometry"):
        findings = examine(mesh, process)
    with steps.step("orientations"):
        ways = orientations(mesh, process)
    seen: Seen | None = None
    with steps.step("network"):
        if look is not None:
            seen = look.at(mesh)
    if seen is None:
        notes.append(NO_NETWORK if look is None else NOTHING_LEFT)
    printable = all(one.severity != "fails" for one in findings)
    needs_support = any(one.severity == "needs support" for one in findings)
    used = mesh.vertices[mesh.faces].reshape(-1, 3)
    length, width, height = (used.max(0) - used.min(0)).tolist()
    return Verdict(
        file=file,
        size_mm=(length, width, height),
        triangles=len(mesh.faces),
        watertight=loaded.watertight,
        process=process,
        printable=printable,
        needs_support=needs_support,
        headline=headline_for(findings, seen),
        probability=None if seen is None else seen.probability,
        threshold=None if seen is None else seen.threshold,
        network_where_mm=None if seen is None else seen.where_mm,
        findings=findings,
        orientations=ways,
        reasons=reasons_for(findings, seen, closed=loaded.watertight),
        advice=advice_for(findings, ways, process),
        notes=tuple(notes),
        seconds=steps.seconds,
    )
