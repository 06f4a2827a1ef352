"""Two samples beside each other: how far their distributions are apart, and a picture of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

SHUFFLES = 2_000
LEVEL = 0.05
PANEL = (250, 190)  # px, width and height of one panel
MARGIN = (16, 34, 24, 24)  # px, left, top, right, bottom of the panel's axes
COLUMNS = 4
INK, PAPER, RULE = (30, 30, 30), (255, 255, 255), (190, 190, 190)
COLOURS = {"simulated": (190, 120, 30), "real, half A": (40, 60, 220), "real, half B": (50, 150, 40)}  # BGR
STEPS = 400
TEXT = cv2.FONT_HERSHEY_SIMPLEX


class Comparison(NamedTuple):
    """Kolmogorov-Smirnov distance of two samples, and how often chance alone gives as much."""

    distance: float
    chance: float


def compare(real: Floats, simulated: Floats, rng: np.random.Generator) -> Comparison:
    """Compare two samples; values that are not a number are left out. Raises ValueError for an empty one."""
    real, simulated = real[~np.isnan(real)], simulated[~np.isnan(simulated)]
    if not len(real) or not len(simulated):
        raise ValueError(
            f"found {len(real)} real and {len(simulated)} simulated values, expected some of both"
        )
    found, both = distance(real, simulated), np.concatenate([real, simulated])
    beyond = 0
    for _ in range(SHUFFLES):
        mixed = rng.permutation(both)
        beyond += distance(mixed[: len(real)], mixed[len(real) :]) >= found - 1e-12
    return Comparison(round(found, 3), round((beyond + 1) / (SHUFFLES + 1), 4))


def distance(one: Floats, other: Floats) -> float:
    """The largest difference of the two cumulative distributions."""
    at = np.concatenate([one, other])
    return float(np.abs(_cumulative(one, at) - _cumulative(other, at)).max())


def _cumulative(sample: Floats, at: Floats) -> Floats:
    return np.searchsorted(np.sort(sample), at, side="right") / len(sample)


def draw(panels: Mapping[str, Mapping[str, Floats]], file: Path) -> None:
    """Write a picture of cumulative distributions, a panel for each name, a curve for each of COLOURS."""
    drawn = [_panel(title, samples) for title, samples in panels.items()]
    drawn.append(_legend())
    drawn += [_blank()] * (-len(drawn) % COLUMNS)
    rows = [np.hstack(drawn[at : at + COLUMNS]) for at in range(0, len(drawn), COLUMNS)]
    cv2.imwrite(str(file), np.vstack(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _blank() -> npt.NDArray[np.uint8]:
    return np.full((PANEL[1], PANEL[0], 3), PAPER, np.uint8)


def _panel(title: str, samples: Mapping[str, Floats]) -> npt.NDArray[np.uint8]:
    picture = _blank()
    left, top, right, bottom = MARGIN
    high, low = (PANEL[0] - right, PANEL[1] - bottom), (left, top)
    cv2.rectangle(picture, low, high, RULE, 1)
    cv2.line(picture, (left, (top + high[1]) // 2), (high[0], (top + high[1]) // 2), RULE, 1)
    cv2.putText(picture, title, (left, top - 12), TEXT, 0.42, INK, 1, cv2.LINE_AA)
    kept = {name: values[~np.isnan(values)] for name, values in samples.items()}
    span = _span(np.concatenate(list(kept.values())))
    for name, values in kept.items():
        if len(values):
            _curve(picture, values, span, COLOURS[name])
    for text, x in ((f"{span[0]:.3g}", left), (f"{span[1]:.3g}", high[0] - 34)):
        cv2.putText(picture, text, (x, PANEL[1] - 8), TEXT, 0.38, INK, 1, cv2.LINE_AA)
    return picture


def _span(values: Floats) -> tuple[float, float]:
    """What the axis shows: all values but the outermost of the many simulated ones."""
    low, high = np.quantile(values, [0.01, 0.985])
    return float(low), float(max(high, low + 1e-9))


def _curve(
    picture: npt.NDArray[np.uint8], values: Floats, span: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    left, top, right, bottom = MARGIN
    at = np.linspace(*span, STEPS)
    x = left + (at - span[0]) / (span[1] - span[0]) * (PANEL[0] - left - right)
    y = (PANEL[1] - bottom) - _cumulative(values, at) * (PANEL[1] - bottom - top)
    points = np.column_stack([x, y]).round().astype(np.int32)
    cv2.polylines(picture, [points], isClosed=False, color=colour, thickness=2)


def _legend() -> npt.NDArray[np.uint8]:
    picture = _blank()
    for row, (name, colour) in enumerate(COLOURS.items()):
        y = 60 + 26 * row
        cv2.line(picture, (20, y - 5), (50, y - 5), colour, 2)
        cv2.putText(picture, name, (60, y), TEXT, 0.45, INK, 1, cv2.LINE_AA)
    cv2.putText(picture, "share of samples below", (20, 34), TEXT, 0.42, INK, 1, cv2.LINE_AA)
    return picture
