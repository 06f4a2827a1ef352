"""The page of a part that was checked: one HTML file with a view that can be turned, without a network."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import numpy as np

from detector.printability.advice import point_text, share_text
from detector.printability.check import Verdict
from detector.printability.physical.finding import Finding, Problem
from detector.printability.physical.orientation import Orientation
from features.mesh import Mesh
from features.picture import Picture
from features.stills import as_jpeg
from ingest.errors import UsageError
from nozzlewatch.printability.check_text import (
    finding_size,
    method_lines,
    process_text,
    size_text,
    state_of,
    support_text,
)
from nozzlewatch.printability.picture import FROM_ABOVE, FROM_BELOW, still
from nozzlewatch.printability.view import MAX_FACES, Spot, scene
from sinks.anomaly_text import percent, plain, time_text
from sinks.pages import rendered

PROBLEM_COLORS: Mapping[Problem, str] = {
    Problem.THIN_WALL: "#d3263a",
    Problem.SMALL_HOLE: "#8a3ffc",
    Problem.ISLAND: "#b3197f",
    Problem.OVERHANG: "#c25700",
    Problem.BRIDGE: "#0f6fc6",
}
"""Where a face has several problems, the first of these shows. White text is legible on each (4.5 : 1)."""
NETWORK, NETWORK_COLOR = "what the network sees", "#0b7a68"
COLORS = (*PROBLEM_COLORS.values(), NETWORK_COLOR)
ROWS, PINS = 200, 40
"""Most findings in the table, and most with a number in the view; all are coloured."""
WAYS = 5
"""Orientations that are shown."""


class Row(NamedTuple):
    """A finding as the table shows it; ``at`` is its index in the view."""

    at: int
    number: str
    color: str
    what: str
    text: str
    size: str
    where: str
    severity: str
    state: str


class Entry(NamedTuple):
    """A line of the legend; ``problem`` is the index of its colour."""

    problem: int
    name: str
    color: str
    places: int


class Way(NamedTuple):
    """A way to lay the part on the plate."""

    text: str
    support: str
    height: str


def write_report(path: Path, verdict: Verdict, mesh: Mesh, at_ns: int) -> None:
    """Write the page; ``mesh`` is that of the verdict. Raises UsageError where it cannot be written."""
    try:
        path.write_text(page(verdict, mesh, at_ns), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--report {path}: found {error.strerror}, expected a file to write") from error


def page(verdict: Verdict, mesh: Mesh, at_ns: int) -> str:
    """The page, as a string: its only script is ours, by its hash."""
    found = verdict.findings
    rows = [*_network_rows(verdict), *(_row(number, one) for number, one in enumerate(found[:ROWS], start=1))]
    rows = [row._replace(at=at) for at, row in enumerate(rows)]
    spots = [*_network_spots(verdict), *map(_spot, found[:ROWS]), *_rest(found[ROWS:])]
    ways = [way for way in verdict.orientations[:WAYS] if not np.allclose(way.rotation, np.eye(3), atol=1e-6)]
    script = rendered("printability.js")
    return rendered(
        "printability.html.j2",
        name=plain(verdict.file.rpartition("/")[2]),
        headline=verdict.headline,
        state=state_of(verdict),
        reasons=verdict.reasons,
        advice=verdict.advice,
        at=time_text(at_ns, UTC),
        process=process_text(verdict.process),
        facts=_facts(verdict),
        rows=rows,
        pins=PINS,
        more=max(len(found) - ROWS, 0),
        legend=_legend(verdict),
        stills=[
            (_data_url(still(mesh, spots, COLORS, eye, closed=verdict.watertight)), label)
            for label, eye in (("from above", FROM_ABOVE), ("from below", FROM_BELOW))
        ],
        turns=["as in the file", *(plain(way.text) for way in ways)],
        orientations=[_way(way) for way in verdict.orientations[:WAYS]],
        notes=[plain(line) for line in method_lines(verdict)],
        coarse=verdict.triangles > MAX_FACES,
        scene=scene(mesh, spots, COLORS, [way.rotation for way in ways]).decode(),
        script=script,
        script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )


def _facts(verdict: Verdict) -> list[tuple[str, str]]:
    sure = (
        ("not asked", "network")
        if verdict.probability is None or verdict.threshold is None
        else (
            share_text(verdict.probability),
            f"printable to the network, which asks for {percent(verdict.threshold)}",
        )
    )
    return [
        (size_text(verdict.size_mm), "mm, x, y and z"),
        (f"{verdict.triangles:,}".replace(",", " "), "triangles"),
        ("closed" if verdict.watertight else "open", "surface"),
        sure,
    ]


def _row(number: int, one: Finding) -> Row:
    return Row(
        at=0,
        number=str(number),
        color=PROBLEM_COLORS[one.problem],
        what=one.problem.capitalize(),
        text=plain(one.text),
        size=finding_size(one),
        where=point_text(one.where_mm),
        severity=one.severity,
        state="bad" if one.severity == "fails" else "warn",
    )


def _network_rows(verdict: Verdict) -> list[Row]:
    if verdict.network_where_mm is None:
        return []
    text = "What speaks most against the part to the network is near here: look at it."
    place = point_text(verdict.network_where_mm)
    return [Row(0, "N", NETWORK_COLOR, NETWORK.capitalize(), text, "", place, "doubtful", "bad")]


def _spot(one: Finding) -> Spot:
    return Spot(list(PROBLEM_COLORS).index(one.problem), one.where_mm, one.faces, plain(one.text))


def _network_spots(verdict: Verdict) -> list[Spot]:
    if verdict.network_where_mm is None:
        return []
    return [Spot(len(PROBLEM_COLORS), verdict.network_where_mm, np.zeros(0, np.int64), NETWORK.capitalize())]


def _rest(found: Sequence[Finding]) -> list[Spot]:
    """The findings that the table does not name, as one spot for each problem: they are coloured alone."""
    groups = {problem: [one for one in found if one.problem == problem] for problem in PROBLEM_COLORS}
    return [
        _spot(group[0]._replace(faces=np.unique(np.concatenate([one.faces for one in group]))))
        for group in groups.values()
        if group
    ]


def _legend(verdict: Verdict) -> list[Entry]:
    counts = Counter(one.problem for one in verdict.findings)
    entries = [
        Entry(at, problem.value, color, counts[problem])
        for at, (problem, color) in enumerate(PROBLEM_COLORS.items())
        if counts[problem]
    ]
    if verdict.network_where_mm is not None:
        entries.append(Entry(len(PROBLEM_COLORS), NETWORK, NETWORK_COLOR, 1))
    return entries


def _way(way: Orientation) -> Way:
    return Way(plain(way.text), support_text(way), f"{way.height_mm:.1f} mm")


def _data_url(picture: Picture) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(as_jpeg(picture)).decode()}"
