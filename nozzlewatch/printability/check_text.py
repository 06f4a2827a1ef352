"""What was said of a part, for a terminal and in short texts that its page shares. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detector.printability.advice import point_text, share_text
from detector.printability.check import Verdict
from detector.printability.physical.finding import Finding
from detector.printability.physical.orientation import Orientation
from detector.printability.physical.process import Process
from sinks.anomaly_text import plain

SHOWN = 20
"""Findings that the terminal shows; JSON and the page have more."""
_STYLES = {"good": "bold green", "warn": "bold yellow", "bad": "bold red"}
_SEVERITIES = {"fails": "red", "needs support": "yellow", "risky": "yellow"}


def print_verdict(console: Console, verdict: Verdict) -> None:
    """The verdict first, then why, where, what to do and how it was judged."""
    console.print(
        Text.assemble((verdict.headline, _STYLES[state_of(verdict)]), f"  {plain(verdict.file)}"),
        soft_wrap=True,
    )
    console.print(Text(_about(verdict), style="dim"))
    for part in (_listed("Why", verdict.reasons), _findings(verdict), _listed("What to do", verdict.advice)):
        if part is not None:
            console.print()
            console.print(part)
    console.print()
    console.print(_listed("How it was judged", method_lines(verdict), "dim"))


def state_of(verdict: Verdict) -> str:
    """What it means: good, warn (with support, or risky) or bad."""
    if not verdict.printable:
        return "bad"
    return "warn" if verdict.findings or not verdict.watertight else "good"


def method_lines(verdict: Verdict) -> list[str]:
    """Notes, the process, and what it took."""
    took = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in verdict.seconds.items())
    return [
        *(plain(note) for note in verdict.notes),
        f"{process_text(verdict.process)}: walls from {verdict.process.sound_wall_mm:g} mm on are sound; "
        f"overhangs up to {verdict.process.limits.overhang_deg:g}° from the vertical and bridges up to "
        f"{verdict.process.limits.bridge_mm:g} mm print in the air.",
        f"It took {took}.",
    ]


def process_text(process: Process) -> str:
    """ "0.4 mm nozzle, layers of 0.2 mm, PLA"."""
    return f"{process.nozzle_mm:g} mm nozzle, layers of {process.layer_mm:g} mm, {process.material.upper()}"


def size_text(size_mm: Sequence[float]) -> str:
    """ "60.0 x 40.0 x 12.5"."""
    return " x ".join(f"{side:.1f}" for side in size_mm)


def finding_size(one: Finding) -> str:
    """Its size, with an overhang's angle: "0.42 mm", "12 mm, 70°"."""
    angle = "" if one.angle_deg is None else f", {one.angle_deg:.0f}°"
    return f"{one.size_mm:.2f} mm{angle}" if one.size_mm < 10 else f"{one.size_mm:.0f} mm{angle}"  # noqa: PLR2004


def support_text(way: Orientation) -> str:
    """How much of it needs support, lying so."""
    return f"{way.support_area_mm2:.0f} mm²"


def _about(verdict: Verdict) -> str:
    triangles = f"{verdict.triangles:,}".replace(",", " ")
    surface = "closed" if verdict.watertight else "open"
    sure = "" if verdict.probability is None else f"; network {share_text(verdict.probability)} printable"
    return f"{size_text(verdict.size_mm)} mm, {triangles} triangles, {surface} surface{sure}"


def _listed(title: str, lines: Sequence[str], style: str = "") -> RenderableType | None:
    if not lines:
        return None
    told = Table.grid(padding=(0, 1))
    for line in lines:
        told.add_row(Text("-", style=style), Text(plain(line), style=style))
    return Group(Text(title, style=f"bold {style}".strip()), Padding(told, (0, 0, 0, 1), expand=False))


def _findings(verdict: Verdict) -> Table | None:
    """What is wrong, where and how large; the sentences on each are in JSON and on the page."""
    if not verdict.findings:
        return None
    table = Table("No.", "problem", "severity", "size", "where (x, y, z mm)")
    table.columns[0].justify = table.columns[3].justify = "right"
    for number, one in enumerate(verdict.findings[:SHOWN], start=1):
        severity = Text(one.severity, style=_SEVERITIES[one.severity])
        place = point_text(one.where_mm)
        table.add_row(str(number), one.problem.value, severity, finding_size(one), place)
    if len(verdict.findings) > SHOWN:
        table.caption = f"{len(verdict.findings) - SHOWN} more: --json and --report have them"
    return table
