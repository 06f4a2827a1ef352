"""Patterns that fill a cross-section sparsely: straight ones by hatching, curved ones by clipping."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ingest.simulate.jobs.hatch import crosswise, hatch
from ingest.simulate.jobs.plan import Pattern
from ingest.simulate.jobs.polygons import Canvas, Rings, bounds
from ingest.simulate.toolpath import Floats

CLIP_MM = 0.25  # pixel by which curves are clipped
FLAT = 0.02  # 1 - cosine of a bend that is a corner
GYROID_STEPS = 10  # moves to a wave
LEAST_POINTS = 3


def sparse(
    pattern: Pattern, sections: Sequence[Rings], layer: int, z_mm: float, spacing_mm: float
) -> list[Floats]:
    """Polylines [points, 2] mm that fill what lies in all of ``sections``.

    ``spacing_mm`` is what lines in a single direction would be apart: patterns of several directions lay each
    of them so much wider.
    """
    if pattern in _CURVES:
        return _clipped(_CURVES[pattern](sections[0], layer, z_mm, spacing_mm), sections)
    turns = _turns(pattern, layer)
    wide_mm = spacing_mm * len(turns)
    lines: list[Floats] = []
    for turn in turns:
        lines += hatch(sections, _in_all, turn, wide_mm)
    return lines


def _in_all(*state: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce(state))


def _turns(pattern: Pattern, layer: int) -> tuple[float, ...]:
    if pattern is Pattern.GRID:
        return math.pi / 4, -math.pi / 4
    if pattern is Pattern.TRIANGLES:
        return 0.0, math.pi / 3, 2 * math.pi / 3
    return (crosswise(layer),)


def _gyroid(rings: Rings, layer: int, z_mm: float, spacing_mm: float) -> Floats:
    """Waves whose phase goes with the height, along x and y in turn: [curves, points, 2]."""
    wave_mm = 2.4 * spacing_mm
    along, middles = _lattice(rings, wave_mm / GYROID_STEPS, wave_mm / 2, layer % 2)
    phase = math.tau * (along[None] / wave_mm) + np.where(np.arange(len(middles)) % 2, math.pi, 0.0)[:, None]
    height = 0.5 * math.cos(math.tau * z_mm / wave_mm) + 0.2
    across = middles[:, None] + wave_mm / 2 * height * np.sin(phase + math.tau * z_mm / wave_mm)
    return _curves(along, across, layer % 2)


def _honeycomb(rings: Rings, layer: int, _z_mm: float, spacing_mm: float) -> Floats:
    """Zigzags with flat tops that touch each other, the same on every layer: [curves, points, 2]."""
    side_mm = 1.5 * spacing_mm
    step_mm = side_mm / 4
    along, middles = _lattice(rings, step_mm, side_mm * math.sqrt(3) / 2, 0)
    phase = (along / side_mm) % 3.0
    bend = np.interp(phase, (0.0, 0.5, 1.5, 2.0, 3.0), (-1.0, 1.0, 1.0, -1.0, -1.0))
    sign = np.where(np.arange(len(middles)) % 2 == layer % 2, 1.0, -1.0)
    return _curves(along, middles[:, None] + sign[:, None] * bend * side_mm * math.sqrt(3) / 4, 0)


_CURVES: dict[Pattern, Callable[[Rings, int, float, float], Floats]] = {
    Pattern.GYROID: _gyroid,
    Pattern.HONEYCOMB: _honeycomb,
}


def _lattice(rings: Rings, step_mm: float, apart_mm: float, axis: int) -> tuple[Floats, Floats]:
    """Places along the curves and the middles of the curves, at the same places on every layer."""
    low, high = bounds(rings)
    along = np.arange(math.floor(low[axis] / step_mm), math.ceil(high[axis] / step_mm) + 1) * step_mm
    other = 1 - axis
    first, last = math.floor(low[other] / apart_mm / 2) * 2, math.ceil(high[other] / apart_mm)
    return along, np.arange(first, last + 1) * apart_mm


def _curves(along: Floats, across: Floats, axis: int) -> Floats:
    curves = np.empty((*across.shape, 2))
    curves[..., axis], curves[..., 1 - axis] = along, across
    return curves


def _clipped(curves: Floats, sections: Sequence[Rings]) -> list[Floats]:
    """The stretches of the curves that lie in all sections, to and fro."""
    low, high = bounds(sections[0])
    canvas = Canvas(low, high, CLIP_MM)
    mask = canvas.fill(sections[0])
    for rings in sections[1:]:
        mask &= canvas.fill(rings)
    inside = canvas.holds(mask, curves) & (curves >= low).all(-1) & (curves <= high).all(-1)
    stretches: list[Floats] = []
    for number, (curve, flags) in enumerate(zip(curves, inside, strict=True)):
        runs = _runs(curve, flags)
        stretches += [run[::-1] for run in reversed(runs)] if number % 2 else runs
    return stretches


def _runs(curve: Floats, inside: npt.NDArray[np.bool_]) -> list[Floats]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    return [
        _corners(curve[begin:end])
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
        if end - begin >= LEAST_POINTS
    ]


def _corners(line: Floats) -> Floats:
    """The line without points on straight stretches."""
    ways = np.diff(line, axis=0)
    ways /= np.hypot(*ways.T)[:, None]
    bends = 1.0 - np.einsum("ij,ij->i", ways[1:], ways[:-1]) > FLAT
    return np.asarray(line[np.concatenate([[True], bends, [True]])])
