"""The page of an inspection: what was found and where, one HTML file without scripts or a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from detector.surface.inspect import NONE_OF_THESE, Said
from detector.surface.tiles import Region, SurfaceMap, name_of
from features.heat import overlaid
from features.picture import Picture
from features.stills import as_jpeg
from ingest.errors import UsageError
from nozzlewatch.surface.inspection_records import (
    Inspected,
    LeftOut,
    Model,
    Result,
    counted,
    judged_ones,
    state_of,
)
from nozzlewatch.surface.inspection_text import (
    class_text,
    sure_text,
    time_taken,
    unlike_text,
    usual_time,
    within,
)
from sinks.anomaly_text import plain, time_text
from sinks.pages import rendered

CARDS, SURFACES = 200, 50
"""Most pictures, and most surfaces judged by tiles, that are shown: the page has at most some 10 MB so."""
ROWS = 5000
"""Most lines of the table of the pictures that are not shown."""
PICTURE_PX, SURFACE_PX = 240, 1000
"""Longer side of a picture and of a surface on the page."""
BARS, FEWEST_BARS, BAR_FROM = 6, 3, 0.005
"""Bars of a picture: at most and at least so many, else those of classes with at least this probability."""
BOXES, REGIONS = 60, 12
"""Most boxes drawn on a surface, and most regions named below it; what is more is counted."""
COLORS = (
    "#e03131", "#2e86de", "#ef7d22", "#8e5bd6", "#c2a50a", "#0c9d9d",
    "#d81b60", "#7a9e2b", "#b5651d", "#6b7a90", "#b56bd6", "#a0785a",
)  # fmt: skip
"""For classes in their order, again and again; legible on white and on near black."""
SOUND_COLOR, NONE_COLOR = "#2f9e5f", "#d6459b"


class Bar(NamedTuple):
    """A class and its share, in percent."""

    name: str
    color: str
    percent: float


class Spot(NamedTuple):
    """A region of a surface: its box in percent of the picture."""

    number: int
    name: str
    color: str
    told: str  # "98 %, 3 tiles"
    left: float
    top: float
    width: float
    height: float


class Card(NamedTuple):
    """One picture as the page shows it. Pictures are data: URLs; ``marked`` has the heat laid over it."""

    name: str
    text: str
    state: str
    color: str
    sure: str  # "97.0 %", "nearest is stringing, 97.0 %"
    unlike: str
    size: str
    took: str
    picture: str
    marked: str
    bars: list[Bar]
    spots: list[Spot]
    regions: int
    grid: str  # "5 x 7 tiles"; "" for a picture that was judged as a whole


class Row(NamedTuple):
    """A picture in the table of those that are not shown."""

    name: str
    text: str
    color: str
    probability: str
    unlike: str
    state: str


def cards_of(tile_px: int | None) -> int:
    """How many pictures are shown."""
    return CARDS if tile_px is None else SURFACES


def picture_px(tile_px: int | None) -> int:
    """How large they are shown, longer side in pixels."""
    return PICTURE_PX if tile_px is None else SURFACE_PX


def card(one: Inspected, small: Picture, model: Model, folder: str) -> Card:
    """One picture with its heat, or with the regions of its surface; ``small`` is as large as it is shown."""
    colors, said = colors_of(model), one.finding
    surface = one.surface
    return Card(
        name=within(one.name, folder),
        text=plain(name_of(said)),
        state=state_of(said),
        color=colors[name_of(said)],
        sure=(f"nearest is {plain(said.nearest)}, " if said.label is None else "") + _percent(said),
        unlike=unlike_text(one),
        size=f"{one.width} x {one.height}",
        took=time_taken(one.ms_per_picture),
        picture=_data_url(small),
        marked=_data_url(overlaid(small, said.heat, calm=said.sound)) if surface is None else "",
        bars=_bars(said.probabilities if surface is None else surface.shares, colors),
        spots=[] if surface is None else _spots(surface, colors),
        regions=0 if surface is None else len(surface.regions),
        grid="" if surface is None else f"{surface.rows} x {surface.columns} tiles",
    )


def write_page(
    path: Path, source: str, model: Model, results: Sequence[Result], cards: Sequence[Card]
) -> None:
    """Write the page. ``cards`` are the first pictures; the rest stands in a table. Raises UsageError."""
    page = rendered(
        "inspection.html.j2",
        source=plain(source),
        model=model,
        cards=cards,
        regions_named=REGIONS,
        **_told(source, model, results, len(cards)),
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--report {path}: found {error.strerror}, expected a file to write") from error


def colors_of(model: Model) -> Mapping[str, str]:
    """A colour for each class and for none of these."""
    own = {name: COLORS[number % len(COLORS)] for number, name in enumerate(model.classes)}
    return {**own, **dict.fromkeys(model.sound, SOUND_COLOR), NONE_OF_THESE: NONE_COLOR}


def _told(source: str, model: Model, results: Sequence[Result], shown: int) -> dict[str, object]:
    """What stands around the cards."""
    judged, colors = judged_ones(results), colors_of(model)
    states = [state_of(one.finding) for one in judged]
    rest = judged[shown:]
    return {
        "pictures": len(judged),
        "states": {state: states.count(state) for state in ("defect", NONE_OF_THESE, "sound")},
        "counts": [(plain(name), colors[name], count) for name, count in counted(results).items()],
        "rows": [_row(one, colors, source) for one in rest[:ROWS]],
        "more": max(len(rest) - ROWS, 0),
        "left_out": [plain(one.why) for one in results if isinstance(one, LeftOut)],
        "took": usual_time(judged),
        "at": time_text(results[0].at_ns, UTC) if results else "",
        "remembers": any(one.finding.unlikeness is not None for one in judged),
    }


def _row(one: Inspected, colors: Mapping[str, str], folder: str) -> Row:
    said = one.finding
    name, color = within(one.name, folder), colors[name_of(said)]
    return Row(name, class_text(said), color, _percent(said), unlike_text(one), state_of(said))


def _bars(shares: Mapping[str, float], colors: Mapping[str, str]) -> list[Bar]:
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:BARS]
    return [
        Bar(plain(name), colors[name], 100 * share)
        for rank, (name, share) in enumerate(ranked)
        if rank < FEWEST_BARS or share >= BAR_FROM
    ]


def _spots(surface: SurfaceMap, colors: Mapping[str, str]) -> list[Spot]:
    return [_spot(number, region, colors) for number, region in enumerate(surface.regions[:BOXES], start=1)]


def _spot(number: int, region: Region, colors: Mapping[str, str]) -> Spot:
    name = name_of(region.worst)
    tiles = f"{region.tiles} {'tile' if region.tiles == 1 else 'tiles'}"
    place = [100 * part for part in region.box.share]
    return Spot(number, plain(name), colors[name], f"{sure_text(region.worst)}, {tiles}", *place)


def _percent(said: Said) -> str:
    return f"{100 * said.probability:.1f} %"


def _data_url(picture: Picture) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(as_jpeg(picture)).decode()}"
