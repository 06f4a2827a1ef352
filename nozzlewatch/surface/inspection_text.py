"""What was found in pictures of surfaces, as tables in a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.surface.inspect import NONE_OF_THESE, Said
from detector.surface.tiles import Region, SurfaceMap, name_of
from nozzlewatch.surface.inspection_records import Inspected, LeftOut, Result, counted, judged_ones, state_of
from sinks.anomaly_text import plain

MS_PER_S = 1000
NOT_KNOWN = "not known"
"""Of a network that remembers no pictures."""
REGIONS_SHOWN = 20
"""Regions of one surface that the terminal shows; JSON has all."""
_STYLES = {"sound": "green", "defect": "red", NONE_OF_THESE: "magenta"}


def print_results(console: Console, results: Sequence[Result], folder: str) -> None:
    """A table of all pictures, named within ``folder``, one of the regions if any, and a summary."""
    judged = judged_ones(results)
    if judged:
        console.print(_pictures(judged, folder))
    for one in judged:
        if one.surface is not None:
            console.print(_regions(one, one.surface, folder))
    for left in results:
        if isinstance(left, LeftOut):
            console.print(Text(f"left out: {plain(left.why)}"))
    console.print(Text(summary(results)))


def summary(results: Sequence[Result]) -> str:
    """In one line: "3 pictures: scratches 2, clean 1; 1.9 ms a picture; 1 left out"."""
    judged = judged_ones(results)
    kinds = ", ".join(f"{plain(name)} {count}" for name, count in counted(results).items())
    told = [f"{len(judged)} {'picture' if len(judged) == 1 else 'pictures'}{kinds and ': '}{kinds}"]
    if judged:
        told.append(f"{usual_time(judged)} a picture")
    if len(judged) < len(results):
        told.append(f"{len(results) - len(judged)} left out")
    return "; ".join(told)


def within(name: str, folder: str) -> str:
    """A picture's name without the folder that was asked for, and without what steers a terminal."""
    return plain(name.removeprefix(folder.rstrip("/") + "/"))


def class_text(said: Said) -> str:
    """Its class; of none of these, the nearest one too."""
    return (
        plain(said.label) if said.label is not None else f"{NONE_OF_THESE}, nearest is {plain(said.nearest)}"
    )


def unlike_text(one: Inspected) -> str:
    """Whether it is none of these, and how unlike: from 1.00 on it is. Of a surface, how much of it is."""
    said = one.finding
    if said.unlikeness is None:
        return NOT_KNOWN
    if one.surface is not None:
        return f"{one.surface.shares.get(NONE_OF_THESE, 0):.1%} of it"
    return f"{'yes' if said.label is None else 'no'} ({said.unlikeness:.2f})"


def sure_text(said: Said) -> str:
    """How sure a region is: its probability; of none of these, which has none, how unlike it is."""
    if said.label is None:
        return f"unlikeness {said.unlikeness:.2f}"
    return f"{100 * said.probability:.1f} %"


def usual_time(judged: Sequence[Inspected]) -> str:
    """What judging a picture took, reading left out: the median. Empty without pictures."""
    return time_taken(statistics.median(one.ms_per_picture for one in judged)) if judged else ""


def time_taken(took_ms: float) -> str:
    """ "1.9 ms", "6.1 s"."""
    return f"{took_ms:.1f} ms" if took_ms < MS_PER_S else f"{took_ms / MS_PER_S:.1f} s"


def _pictures(judged: Sequence[Inspected], folder: str) -> Table:
    table = Table("picture", "class", "probability", "none of these", "sound?")
    table.columns[0].overflow = "fold"
    table.columns[2].justify = "right"
    for one in judged:
        said, state = one.finding, state_of(one.finding)
        table.add_row(
            Text(within(one.name, folder)),
            Text(class_text(said)),
            f"{said.probability:.1%}",
            unlike_text(one),
            Text("?" if said.label is None else state, style=_STYLES[state]),
        )
    return table


def _regions(one: Inspected, surface: SurfaceMap, folder: str) -> Table:
    kinds = ", ".join(f"{plain(name)} {share:.1%}" for name, share in surface.shares.items())
    title = Text(f"{within(one.name, folder)}: {surface.rows} x {surface.columns} tiles, {kinds}")
    table = Table(
        "region", "how sure", "tiles", "x", "y", "width", "height", title=title, title_justify="left"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for region in surface.regions[:REGIONS_SHOWN]:
        table.add_row(*_region(region))
    if len(surface.regions) > REGIONS_SHOWN:
        table.add_row(f"{len(surface.regions) - REGIONS_SHOWN} more: --json has all")
    if not surface.regions:
        table.add_row("none: all is sound")
    return table


def _region(region: Region) -> list[str | Text]:
    box, state = region.box, state_of(region.worst)
    numbers = (region.tiles, box.x, box.y, box.width, box.height)
    name = Text(plain(name_of(region.worst)), style=_STYLES[state])
    return [name, sure_text(region.worst), *map(str, numbers)]
