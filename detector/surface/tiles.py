"""Large surfaces: cut into tiles that overlap, judged some at a time, and put together as a map. Pure.

tiles = list(judged_tiles(inspector, picture, 224))
found = surface_map(tiles)
found.verdict, found.regions, found.shares
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from detector.surface.inspect import BATCH, NONE_OF_THESE, Finding, Said
from features.picture import Area, Picture

OVERLAP = 0.25
"""Share of a tile that its neighbour shows as well: a flaw on the border of one is whole in another."""


class Inspects(Protocol):
    """What judges tiles: an Inspector."""

    def inspect(self, pictures: Sequence[Picture]) -> list[Finding]:
        """A finding for each picture BGR uint8 [height, width, 3], in their order."""
        ...


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a picture: its upper left corner and its size in pixels.

    ``share`` is the same as x, y, width, height with the whole picture as 1 x 1.
    """

    x: int
    y: int
    width: int
    height: int
    share: Area


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """A tile, its place in the grid from 0, and what is said of it."""

    row: int
    column: int
    box: Box
    said: Said


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring tiles, also by a corner, of one class that is not sound, or of none of the classes.

    ``box`` holds all ``tiles`` of them. ``worst`` is said of the tile that is surest of its class; of none of
    these, of the one that is most unlike.
    """

    box: Box
    tiles: int
    worst: Said


class SurfaceMap(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a whole surface.

    ``tiles`` are ``rows`` x ``columns``, row by row. ``shares`` is the share of the surface by class (and of
    "none of these"), where tiles overlap half to each; it adds up to 1. ``regions`` are those that are not
    sound, the worst first: what is surest of its class, and behind them what is none of the classes.

    ``verdict`` is what is said of one tile: the worst region's surest one; where all are sound, the least
    sure one of the class that most of the surface is. Its ``heat`` [rows, columns] is the probability of that
    class by tile.
    """

    rows: int
    columns: int
    tiles: tuple[Tile, ...]
    shares: dict[str, float]
    regions: tuple[Region, ...]
    verdict: Finding


def judged_tiles(
    inspector: Inspects, picture: Picture, side: int, *, overlap: float = OVERLAP, batch: int = BATCH
) -> Iterator[Tile]:
    """Judge a picture [height, width, 3] by tiles of side x side pixels, row by row, ``batch`` at a time.

    The last ones lie flush with the border; what is shorter than a tile is one tile. No tile is copied: the
    inspector gets views, and no more than ``batch`` of them before it is asked for further ones.
    """
    height, width = picture.shape[:2]
    places = _places(height, width, side, overlap)
    while part := [place for _, place in zip(range(batch), places, strict=False)]:
        found = inspector.inspect([_cut(picture, box) for _, _, box in part])
        for (row, column, box), finding in zip(part, found, strict=True):
            yield Tile(row=row, column=column, box=box, said=finding.said)


def surface_map(tiles: Sequence[Tile]) -> SurfaceMap:
    """Put the tiles of one picture together, all of them, in the order of ``judged_tiles``."""
    shares = _shares(tiles)
    regions = sorted((_region(group, tiles[-1].box) for group in _neighbours(tiles)), key=_order)
    said = regions[0].worst if regions else _least_sure(tiles, shares)
    rows, columns = tiles[-1].row + 1, tiles[-1].column + 1
    heat = np.array([tile.said.probabilities[said.nearest] for tile in tiles], np.float32)
    return SurfaceMap(
        rows=rows,
        columns=columns,
        tiles=tuple(tiles),
        shares=shares,
        regions=tuple(regions),
        verdict=said.at(heat.reshape(rows, columns)),
    )


def starts(length: int, side: int, overlap: float = OVERLAP) -> list[int]:
    """Where tiles of ``side`` begin along ``length`` pixels; the last ends with it, or is all of it."""
    if length <= side:
        return [0]
    step = max(side - round(side * overlap), 1)
    return [*range(0, length - side, step), length - side]


def name_of(said: Said) -> str:
    """Its class, or "none of these"."""
    return NONE_OF_THESE if said.label is None else said.label


def _places(height: int, width: int, side: int, overlap: float) -> Iterator[tuple[int, int, Box]]:
    """Row, column and box of every tile."""
    across, down = min(side, width), min(side, height)
    for row, y in enumerate(starts(height, side, overlap)):
        for column, x in enumerate(starts(width, side, overlap)):
            yield row, column, _box(x, y, across, down, (height, width))


def _box(x: int, y: int, across: int, down: int, size: tuple[int, int]) -> Box:
    height, width = size
    share = (x / width, y / height, across / width, down / height)
    return Box(x=x, y=y, width=across, height=down, share=share)


def _cut(picture: Picture, box: Box) -> Picture:
    return picture[box.y : box.y + box.height, box.x : box.x + box.width]


def _shares(tiles: Sequence[Tile]) -> dict[str, float]:
    """Share of the surface by class, the largest first."""
    columns = tiles[-1].column + 1
    across = _widths([tile.box.x for tile in tiles[:columns]], tiles[0].box.width)
    down = _widths([tile.box.y for tile in tiles[::columns]], tiles[0].box.height)
    shares: dict[str, float] = {}
    for tile in tiles:
        own = float(down[tile.row] * across[tile.column])
        shares[name_of(tile.said)] = shares.get(name_of(tile.said), 0.0) + own
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _widths(begins: Sequence[int], side: int) -> npt.NDArray[np.float64]:
    """Share of the length that is each tile's own: tiles meet in the middle of what both show."""
    length = begins[-1] + side
    edges = [0.0, *((one + side + next_one) / 2 for one, next_one in pairwise(begins)), float(length)]
    return np.asarray(np.diff(edges) / length, np.float64)


def _neighbours(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Tiles that are not sound, grouped with those around them of the same class."""
    waiting = {(tile.row, tile.column): tile for tile in tiles if not tile.said.sound}
    while waiting:
        _, first = waiting.popitem()
        group = [first]
        for tile in group:  # it grows while it is gone through, until nothing is left around it
            for place in _around(tile):
                near = waiting.get(place)
                if near is not None and near.said.label == first.said.label:
                    group.append(waiting.pop(place))
        yield group


def _around(tile: Tile) -> list[tuple[int, int]]:
    return [(tile.row + down, tile.column + across) for down in (-1, 0, 1) for across in (-1, 0, 1)]


def _region(group: Sequence[Tile], last: Box) -> Region:
    """``last`` is the box of the picture's last tile: it ends where the picture does."""
    x, y = min(tile.box.x for tile in group), min(tile.box.y for tile in group)
    right = max(tile.box.x + tile.box.width for tile in group)
    bottom = max(tile.box.y + tile.box.height for tile in group)
    box = _box(x, y, right - x, bottom - y, (last.y + last.height, last.x + last.width))
    return Region(box=box, tiles=len(group), worst=max((tile.said for tile in group), key=_sureness))


def _sureness(said: Said) -> float:
    return said.probability if said.label is not None else said.unlikeness or 0.0


def _order(region: Region) -> tuple[bool, float, int, int, int]:
    """Named flaws before what is none of them: they say what is wrong. Then the surest, then the largest."""
    return (
        region.worst.label is None,
        -_sureness(region.worst),
        -region.tiles,
        region.box.y,
        region.box.x,
    )


def _least_sure(tiles: Sequence[Tile], shares: dict[str, float]) -> Said:
    """Of a surface that is sound: a surface is as sound as its least sure tile."""
    most = next(iter(shares))
    return min((tile.said for tile in tiles if name_of(tile.said) == most), key=_sureness)
