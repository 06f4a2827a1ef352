"""What was printed, as it is drawn: all of the last layers, and of older ones what still can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.deposit import Deposit
from ingest.simulate.moment import Pose
from ingest.simulate.render.footprints import Footprints
from ingest.simulate.render.heights import Heights
from ingest.simulate.render.ribbons import Block, Ribbons, together
from ingest.simulate.render.segments import Segments, joined, merged
from ingest.simulate.toolpath import Feature

Floats: TypeAlias = npt.NDArray[np.float32]
Levels: TypeAlias = dict[int, tuple[float, float]]
"""By part: its layer's top and that of the layer below, mm."""

FRESH_LAYERS = 3  # of these every line is drawn …
FEW_FRESH_LAYERS = 1  # … and of these where layers are lower than half a pixel
CHUNK_LINES = 512  # lines that are made into a block at once
SMALL_CHUNK_LINES = 64  # … for as long as more may come
USUAL_LAYER_MM = 0.2  # where a height cannot be told
MOST_LAYER_MM = 0.7
OUTSIDE = (
    Feature.OTHER,
    Feature.OUTER_WALL,
    Feature.SUPPORT,
    Feature.BRIM,
    Feature.BRIDGE,
    Feature.WIPE_TOWER,
    Feature.PURGE,
)


class Layer:
    """Lines laid one after the other with the same layer number: ``pieces``, and a block of each."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.pieces: list[Segments] = []
        self.blocks: list[Block] = []
        self.parts: set[int] = set()


class Tail:
    """Blocks of the last lines, up to ``end``, which are not yet enough to be a chunk."""

    def __init__(self, begin: int, parts: set[int], levels: Levels) -> None:
        self.end = begin
        self.parts, self.levels = set(parts), dict(levels)
        self.blocks: list[Block] = []
        self.rest: tuple[int, list[Block]] = (begin, [])  # of lines from ``end`` on, up to the first


class Body:
    """The drawn form of one deposit. What it holds depends on the deposit alone, not on when it was asked.

    ``group`` layers are drawn as one where a single one is too low to be seen; ``coarse_mm`` is the shortest
    segment.
    """

    def __init__(
        self, deposit: Deposit, ribbons: Ribbons, bed: Footprints, group: int, coarse_mm: float
    ) -> None:
        self.deposit, self.prints = deposit, bed
        self._ribbons, self._group, self._coarse_mm = ribbons, group, coarse_mm
        self._heights = Heights(bed.bed_mm)
        self._layers: list[Layer] = []  # fresh ones, the last still growing
        self._levels: Levels = {}
        self._drawn_mm: dict[int, float] = {}  # by part: up to where old layers are drawn
        self._walls: list[Block] = []
        self._tops: tuple[Segments, Floats] | None = None  # and how deep each lies, mm
        self._done = 0  # lines that are in blocks for good
        self._tail = Tail(0, set(), {})
        self._changes: tuple[int, ...] = ()  # of filament, among the lines that are done
        self._settled: list[Block] | None = None  # walls and tops of old layers …
        self._fresh: list[Block] | None = None  # … of layers that are complete …
        self._current: list[Block] | None = None  # … and of the last one

    def update(self, colours: Sequence[int]) -> None:
        """Take in what was laid since the last time; ``colours`` as in ``Moment``."""
        count = self.deposit.count
        layers = self.deposit.layer
        while self._done < count:
            if not self._layers or layers[self._done] != layers[self._layers[-1].first]:
                self._begin_layer()
            end = self._chunk_end(count)
            if end is None:
                break
            self._finish(slice(self._done, end), colours)
        self._grow(count, colours)

    def fits(self, deposit: Deposit, colours: Sequence[int]) -> bool:
        """Whether what was drawn so far is the beginning of this."""
        done = max(self._done, self._tail.end)
        began = tuple(count for count in colours if count < done)
        return self.deposit is deposit and done <= deposit.count and began == self._changes

    def blocks(self, tops: bool = True) -> list[Block]:
        """All that is to be drawn; ``tops``: those of old layers too."""
        if self._settled is None:
            self._settled = self._old()
        if self._fresh is None:
            self._fresh = _as_one([block for layer in self._layers[:-1] for block in layer.blocks])
        if self._current is None:
            own = self._layers[-1].blocks if self._layers else []
            self._current = _as_one(own + self._tail.blocks)
        settled = self._settled if tops else self._settled[: len(self._walls)]
        return settled + self._fresh + self._current + self._tail.rest[1]

    def placed(self, block: Block, poses: Mapping[int, Pose], warps_mm: Mapping[int, float]) -> Floats | None:
        """A block's vertices where parts have moved or warped, None where none of them has."""
        parts = {part for part in (*poses, *warps_mm) if (block.part == part).any()}
        if not parts:
            return None
        vertices = block.vertices.copy()
        for part in parts:
            rows = block.part == part
            own = vertices[rows].reshape(-1, 3)
            if warps_mm.get(part):
                own[:, 2] += self.prints.lift_mm(part, own, warps_mm[part])
            if part in poses:
                own = own @ poses[part][:3, :3].T + poses[part][:3, 3]
            vertices[rows] = own.reshape(-1, 4, 3)
        return vertices

    def _old(self) -> list[Block]:
        """Walls, then tops of the layers that have settled."""
        self._walls = _as_one(self._walls)
        return self._walls + ([self._ribbons.tops(*self._tops)] if self._tops is not None else [])

    def _chunk_end(self, count: int) -> int | None:
        """Where the chunk that begins at the first loose line ends; None while it still may grow."""
        most = min(self._done + CHUNK_LINES, count)
        layers = self.deposit.layer[self._done : most]
        other = np.flatnonzero(layers != layers[0])
        if len(other):
            return self._done + int(other[0])
        return most if most == self._done + CHUNK_LINES else None

    def _begin_layer(self) -> None:
        if self._layers:
            self._complete_layer()
        self._layers.append(Layer(self._done))
        self._tail = Tail(self._done, set(), self._levels)
        self._fresh = self._current = None
        fresh = FRESH_LAYERS if self._group <= 2 else FEW_FRESH_LAYERS  # noqa: PLR2004
        while len(self._layers) > fresh + self._group:
            self._settle(self._layers[: self._group])
            del self._layers[: self._group]

    def _complete_layer(self) -> None:
        """Nothing more comes to the last layer: forget what it covers of the one below."""
        for segments in self._layers[-1].pieces:
            self._heights.add(segments)
        for layer in self._layers[-2:-1]:
            for i, (segments, block) in enumerate(zip(layer.pieces, layer.blocks, strict=True)):
                walls = np.ones(len(block.part) - len(segments.part), bool)
                layer.blocks[i] = block.only(np.concatenate([walls, ~self._heights.covers(segments)]))

    def _finish(self, lines: slice, colours: Sequence[int]) -> None:
        layer = self._layers[-1]
        segments = self._segments(lines, colours, layer.parts, self._levels)
        layer.pieces.append(segments)
        layer.blocks.append(self._ribbons.both(segments, _upright(segments)))
        self.prints.add(segments)
        self._done, self._current = lines.stop, None
        self._tail = Tail(lines.stop, layer.parts, self._levels)
        self._changes = tuple(count for count in colours if count < self._done)

    def _grow(self, count: int, colours: Sequence[int]) -> None:
        """Blocks of the lines that are not yet enough for a chunk: small ones, made once, and the rest."""
        tail = self._tail
        while tail.end + SMALL_CHUNK_LINES <= count:
            lines = slice(tail.end, tail.end + SMALL_CHUNK_LINES)
            segments = self._segments(lines, colours, tail.parts, tail.levels)
            tail.blocks.append(self._ribbons.both(segments, _upright(segments)))
            tail.end, self._current = lines.stop, None
            self._changes = tuple(change for change in colours if change < tail.end)
        if tail.rest[0] != count:
            lines = slice(tail.end, count)
            segments = self._segments(lines, colours, set(tail.parts), dict(tail.levels))
            tail.rest = (count, [self._ribbons.both(segments, _upright(segments))])
        if tail.end == count:
            tail.rest = (count, [])

    def _segments(self, lines: slice, colours: Sequence[int], begun: set[int], levels: Levels) -> Segments:
        """Merged lines; ``begun`` (parts whose layer is known) and ``levels`` are brought up to date."""
        part, top = self.deposit.part[lines], self.deposit.end[lines, 2]
        for own in np.unique(part).tolist():
            if own not in begun:
                begun.add(own)
                levels[own] = (float(np.median(top[part == own])), levels.get(own, (0.0, 0.0))[0])
        known = sorted(levels)
        layer_mm = np.array([_height(levels[own]) for own in known], np.float32)
        numbers = np.arange(lines.start, lines.stop)
        filament = np.searchsorted(np.array(colours, np.int64), numbers, side="right").astype(np.int32)
        filament = np.minimum(filament, self._ribbons.filaments - 1)
        return merged(self.deposit, lines, filament, layer_mm[np.searchsorted(known, part)], self._coarse_mm)

    def _settle(self, layers: list[Layer]) -> None:
        """From now on draw the outer walls of these as one layer, and of the rest what nothing covers."""
        pieces = [segments for layer in layers for segments in layer.pieces]
        if not pieces:
            return
        self._settle_walls(layers)
        tops = joined(pieces if self._tops is None else [self._tops[0], *pieces])
        tops = tops.only(~self._heights.covers(tops))
        middles = (tops.begin + tops.end) * np.float32(0.5)
        self._tops, self._settled = (tops, self._heights.depths_mm(middles)), None

    def _settle_walls(self, layers: list[Layer]) -> None:
        seen: set[int] = set()
        for layer in reversed(layers):
            if not layer.pieces:
                continue
            segments = joined(layer.pieces)
            outside = np.isin(segments.feature, OUTSIDE) & ~np.isin(segments.part, list(seen))
            walls = segments.only(outside)
            seen |= set(np.unique(walls.part).tolist())
            self._walls_of(walls, len(layers))

    def _walls_of(self, walls: Segments, layers: int) -> None:
        """Sides down to where each part's older walls end, as far as there is filament."""
        if not len(walls.begin):
            return
        reach = walls.layer_mm.copy()
        for part in np.unique(walls.part).tolist():
            rows = walls.part == part
            top = float(np.median(walls.end[rows, 2]))
            span = top - self._drawn_mm.get(part, 0.0)
            own = float(np.median(walls.layer_mm[rows]))
            reach[rows] = min(max(span, own), (layers + 0.5) * own)
            self._drawn_mm[part] = top
        filled = walls.height_mm / walls.layer_mm
        self._walls.append(self._ribbons.sides(walls, (reach * filled).astype(np.float32)))


def _upright(segments: Segments) -> npt.NDArray[np.bool_]:
    """Which segments' sides may be seen: not those within walls, nor of solid layers."""
    upright: npt.NDArray[np.bool_] = np.isin(segments.feature, (*OUTSIDE, Feature.INFILL))
    return upright


def _as_one(blocks: list[Block]) -> list[Block]:
    """At most one block of all."""
    blocks = [block for block in blocks if len(block.part)]
    return [together(blocks)] if blocks else []


def _height(level: tuple[float, float]) -> float:
    height = level[0] - level[1]
    return height if 0.04 < height < MOST_LAYER_MM else USUAL_LAYER_MM  # noqa: PLR2004
