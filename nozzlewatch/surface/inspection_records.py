"""What came of each picture that was inspected, and how a program is told of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from detector.surface.inspect import NONE_OF_THESE, Finding, Said
from detector.surface.tiles import Box, Region, SurfaceMap, Tile, name_of
from sinks.anomaly_text import iso_text

HEAT_DIGITS, DIGITS = 2, 6
"""Digits behind the point of heat and of probabilities: what lies behind them is rounding."""


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was judged at ``at_ns`` (UTC), its size in pixels and what reading and judging took, ms.

    ``surface`` is there where it was judged by tiles, and then ``finding`` is its verdict.
    """

    name: str
    at_ns: int
    width: int
    height: int
    read_ms: float
    ms_per_picture: float
    finding: Finding
    surface: SurfaceMap | None = None


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that could not be read, and why."""

    name: str
    at_ns: int
    why: str


Result: TypeAlias = Inspected | LeftOut


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What judged: the network's file, its type, its classes, and those of them that are no defect."""

    path: str
    model_type: str
    classes: tuple[str, ...]
    sound: tuple[str, ...]


def judged_ones(results: Sequence[Result]) -> list[Inspected]:
    """Those that could be read."""
    return [one for one in results if isinstance(one, Inspected)]


def state_of(said: Said) -> str:
    """What it means: sound, a defect, or none of these."""
    if said.label is None:
        return NONE_OF_THESE
    return "sound" if said.sound else "defect"


def counted(results: Sequence[Result]) -> dict[str, int]:
    """How many pictures there are of each class and of none of these, most first."""
    return dict(Counter(name_of(one.finding) for one in judged_ones(results)).most_common())


def to_dict(result: Result, model: Model) -> dict[str, Any]:
    """Everything, as an object for JSON; of a picture that was left out, its ``error``."""
    common = {"picture": result.name, "at": iso_text(result.at_ns)}
    judge = {"model_path": model.path, "classes": list(model.classes)}
    if isinstance(result, LeftOut):
        return {**common, "error": result.why, **judge}
    return {
        **common,
        "error": None,
        "width": result.width,
        "height": result.height,
        **_said(result.finding),
        "heat": np.round(result.finding.heat.astype(np.float64), HEAT_DIGITS).tolist(),
        "surface": None if result.surface is None else _surface(result.surface),
        "read_ms": round(result.read_ms, 3),
        "ms_per_picture": round(result.ms_per_picture, 3),
        **judge,
    }


def to_line(result: Result, model: Model) -> bytes:
    """A line of JSON: the same but for heat and tiles, of which there are too many numbers for a line."""
    told = to_dict(result, model)
    told.pop("heat", None)
    if told.get("surface"):
        told["surface"].pop("tiles")
    return msgspec.json.encode(told) + b"\n"


def _said(said: Said) -> dict[str, Any]:
    return {
        "label": said.label,
        "nearest": said.nearest,
        "probability": round(said.probability, DIGITS),
        "probabilities": {name: round(share, DIGITS) for name, share in said.probabilities.items()},
        "unlikeness": None if said.unlikeness is None else round(said.unlikeness, DIGITS),
        "sound": said.sound,
        "text": said.text,
    }


def _surface(surface: SurfaceMap) -> dict[str, Any]:
    return {
        "rows": surface.rows,
        "columns": surface.columns,
        "shares": {name: round(share, DIGITS) for name, share in surface.shares.items()},
        "regions": [_region(region) for region in surface.regions],
        "tiles": [_tile(tile) for tile in surface.tiles],
    }


def _region(region: Region) -> dict[str, Any]:
    return {**_said(region.worst), "tiles": region.tiles, "box": _box(region.box)}


def _tile(tile: Tile) -> dict[str, Any]:
    return {"row": tile.row, "column": tile.column, **_said(tile.said), "box": _box(tile.box)}


def _box(box: Box) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(box)
    return {**told, "share": [round(part, DIGITS) for part in box.share]}
