"""What came of each picture that was judged, and how a program is told of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from detector.learning.predict import PictureSaid
from detector.model.failure_map import FoundBox
from nozzlewatch.surface.inspection_records import LeftOut
from sinks.anomaly_text import iso_text

DIGITS, MAP_DIGITS = 6, 3
"""Digits behind the point of probabilities, and of the map's: what lies behind them is rounding."""


class Predicted(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was judged at ``at_ns`` (UTC), its size in pixels, and what judging it took."""

    name: str
    at_ns: int
    width: int
    height: int
    ms_per_picture: float
    threshold: float
    said: PictureSaid

    @property
    def failing(self) -> bool:
        return self.said.failing >= self.threshold


Result: TypeAlias = Predicted | LeftOut


def judged_ones(results: Sequence[Result]) -> list[Predicted]:
    """Those that could be read."""
    return [one for one in results if isinstance(one, Predicted)]


def kinds_of(one: Predicted) -> list[tuple[str, float]]:
    """The kinds with their probabilities, the likeliest first."""
    return sorted(one.said.kinds.items(), key=lambda pair: -pair[1])


def to_dict(result: Result) -> dict[str, Any]:
    """Everything, as an object for JSON; of what was left out, its ``error``. Boxes are in 0..1."""
    common = {"picture": result.name, "at": iso_text(result.at_ns)}
    if isinstance(result, LeftOut):
        return {**common, "error": result.why}
    said = result.said
    return {
        **common,
        "error": None,
        "width": result.width,
        "height": result.height,
        "failing": result.failing,
        "probability": round(said.failing, DIGITS),
        "kind": said.kind if result.failing else None,
        "kinds": {name: round(share, DIGITS) for name, share in kinds_of(result)},
        "boxes": [_box(found) for found in said.boxes],
        "map": np.round(said.where.astype(np.float64), MAP_DIGITS).tolist(),
        "ms_per_picture": round(result.ms_per_picture, 3),
    }


def _box(found: FoundBox) -> dict[str, float]:
    box = {name: round(part, DIGITS) for name, part in found.box._asdict().items()}
    return {**box, "probability": round(found.probability, DIGITS)}


__all__ = ["LeftOut", "Predicted", "Result", "judged_ones", "kinds_of", "to_dict"]
