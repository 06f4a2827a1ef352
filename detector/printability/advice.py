"""What is said of a part in words: the headline, the reasons for it, and what would help. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from detector.printability.physical.finding import GRAVITY, Finding, Problem, Severity
from detector.printability.physical.orientation import Orientation
from detector.printability.physical.process import SOUND_HOLE_MM, Process
from detector.printability.seen import Seen

HELP: Mapping[Problem, Callable[[Process], str]] = {
    Problem.THIN_WALL: lambda process: (
        f"Make walls {process.sound_wall_mm:g} mm thick or more, or print with a finer nozzle."
    ),
    Problem.SMALL_HOLE: lambda process: (
        f"Make holes {SOUND_HOLE_MM:g} mm wide or more, or drill them after printing."
    ),
    Problem.OVERHANG: lambda process: (
        f"Give overhangs a slope of at most {process.limits.overhang_deg:g}° from the vertical, or print "
        "them on support."
    ),
    Problem.BRIDGE: lambda process: (
        f"Keep bridges within {process.limits.bridge_mm:g} mm, put a rib below them, or print them on "
        "support."
    ),
    Problem.ISLAND: lambda process: (
        "Join what begins in the air to the rest of the part, or print it on support; if it is a stray body, "
        "remove it."
    ),
}
"""What helps against each problem."""
MEASURES: Mapping[Problem, str] = {
    Problem.THIN_WALL: "thick",
    Problem.SMALL_HOLE: "wide",
    Problem.OVERHANG: "out over air",
    Problem.BRIDGE: "long",
    Problem.ISLAND: "above what is below it",
}
"""What a problem's size measures."""
MORE_THAN_ONE: Mapping[Severity, tuple[str, str]] = {
    "fails": ("fails", "fail"),
    "needs support": ("needs support", "need support"),
    "risky": ("is risky", "are risky"),
}
OPEN = (
    "Its surface is open: a slicer may close it in another way than you mean, and measures near its gaps may "
    "be wrong. Close it before printing."
)
LEAST = 0.001
"""Probability below which a number says nothing more."""
SAME = 1e-6
"""By how much a rotation may differ from none."""


def headline_for(findings: Sequence[Finding], seen: Seen | None) -> str:
    """In a few words."""
    if any(one.severity == "fails" for one in findings):
        return "Not printable"
    measured = "Printable, with risks" if findings else "Printable"
    if any(one.severity == "needs support" for one in findings):
        measured = "Printable with support"
    return measured if seen is None or seen.printable else f"{measured}; the network doubts it"


def reasons_for(findings: Sequence[Finding], seen: Seen | None, *, closed: bool) -> tuple[str, ...]:
    """A sentence for each problem and severity, the gravest first, for an open surface, for the network."""
    groups: dict[tuple[int, Problem], list[Finding]] = {}
    for one in findings:
        groups.setdefault((GRAVITY[one.severity], one.problem), []).append(one)
    told = [_told(group) for _, group in sorted(groups.items(), key=lambda item: item[0][0])]
    if not told:
        told = ["No wall, hole, overhang or bridge is beyond what the process can do."]
    if not closed:
        told.append(OPEN)
    if seen is not None:
        told.append(_network_told(seen, any(one.severity == "fails" for one in findings)))
    return tuple(told)


def advice_for(findings: Sequence[Finding], ways: Sequence[Orientation], process: Process) -> tuple[str, ...]:
    """What would help: the best way to lay the part first, then what helps against each problem."""
    turned = [way.text for way in ways[:1] if not np.allclose(way.rotation, np.eye(3), atol=SAME)]
    met = dict.fromkeys(one.problem for one in findings)
    return (*turned, *(HELP[problem](process) for problem in met))


def point_text(point: Sequence[float]) -> str:
    """A point in mm: "(12.0, 3.5, 8.0)"."""
    return f"({', '.join(f'{value + 0.0:.1f}' for value in point)})"


def share_text(share: float) -> str:
    """A probability: "12.3 %", "under 0.1 %", "over 99.9 %"."""
    if share < LEAST:
        return f"under {100 * LEAST:g} %"
    return f"over {100 - 100 * LEAST:g} %" if share > 1 - LEAST else f"{100 * share:.1f} %"


def _told(group: Sequence[Finding]) -> str:
    """ "Thin wall: 3 places fail; the worst is 0.31 mm thick at (1.0, 2.0, 3.0)."."""
    worst = _worst(group)
    places = "1 place" if len(group) == 1 else f"{len(group)} places"
    verb = MORE_THAN_ONE[worst.severity][len(group) > 1]
    which = "it is" if len(group) == 1 else "the worst is"
    place = point_text(worst.where_mm)
    size = f"{worst.size_mm:.2g} mm {MEASURES[worst.problem]}"
    return f"{worst.problem.capitalize()}: {places} {verb}; {which} {size} at {place}."


def _worst(group: Sequence[Finding]) -> Finding:
    """The narrowest wall or hole, the widest bridge, overhang or gap."""
    narrow = group[0].problem in (Problem.THIN_WALL, Problem.SMALL_HOLE)
    return (min if narrow else max)(group, key=lambda one: one.size_mm)


def _network_told(seen: Seen, fails: bool) -> str:
    sure = f"{share_text(seen.probability)}, it asks for {100 * seen.threshold:.0f} %"
    if seen.printable:
        if fails:
            return (
                f"The network sees nothing against it ({sure}); but it knows holes and the walls beside them "
                "alone, and no millimetres: what was measured counts."
            )
        return f"The network sees no hole that speaks against it ({sure})."
    where = "" if seen.where_mm is None else f", most of all near {point_text(seen.where_mm)} mm"
    if fails:
        return f"The network does not find it printable either ({sure}){where}."
    return (
        f"What was measured prints, but the network does not find it printable ({sure}){where}: "
        "look at it there."
    )
