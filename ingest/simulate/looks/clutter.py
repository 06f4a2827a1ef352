"""Things on walls and shelves as a background shows them: painted flat, blurred later. Px, y down."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from ingest.simulate.look import Colour
from ingest.simulate.looks.colours import Picture, colour, one_of, scaled, varied
from ingest.simulate.looks.noise import chance

STUFF = (
    "#8c4a42", "#a88458", "#b0a878", "#5c7c60", "#566a90", "#5c5470", "#d8d8d2", "#c0b49c", "#94846c",
    "#303236", "#484c52", "#84888c", "#b0b4b8", "#684440", "#9cb0ba", "#c8442c", "#2c64b8", "#e0e2e4",
)  # fmt: skip
CARTON = ("#b0885a", "#a07848", "#c09c70", "#8c6a40")
LEAVES = ("#2c5c2a", "#447c34", "#1c4424", "#6a9448", "#587040")
ROW_SHARES = {
    "carton": 0.34,
    "spool": 0.16,
    "books": 0.1,
    "bottle": 0.12,
    "wires": 0.1,
    "basket": 0.06,
    "nothing": 0.12,
}
WIRES = ("#18191b", "#202226", "#c8c8c4", "#a82820", "#2048a0", "#c8a020", "#787c80")
SHADOW = 0.45


class Area(NamedTuple):
    """A rectangle of a picture, px."""

    left: int
    top: int
    right: int
    bottom: int


def fill(picture: Picture, area: Area, skin: Colour) -> None:
    """A rectangle, lit from above: lighter at its top."""
    left, top, right, bottom = max(area.left, 0), max(area.top, 0), area.right, area.bottom
    part = picture[top:bottom, left:right]
    if part.size:
        light = np.linspace(1.12, 0.8, part.shape[0], dtype=np.float32)[:, None, None]
        part[:] = light * np.array(skin, np.float32)


def shade(picture: Picture, area: Area, factor: float) -> None:
    """Darken or lighten a rectangle."""
    picture[max(area.top, 0) : max(area.bottom, 0), max(area.left, 0) : max(area.right, 0)] *= np.float32(
        factor
    )


def carton(picture: Picture, area: Area, rng: np.random.Generator) -> None:
    """A box: cardboard or printed, with tape, a label and something like text."""
    skin = one_of(rng, CARTON if chance(rng, 0.5) else STUFF, 0.15)
    fill(picture, area, skin)
    wide, high = area.right - area.left, area.bottom - area.top
    if chance(rng, 0.4):
        middle = area.left + wide // 2
        shade(picture, Area(middle - wide // 14, area.top, middle + wide // 14, area.bottom), 1.25)
    if chance(rng, 0.6):
        label(picture, _inner(area, rng), rng)
    shade(picture, Area(area.right - max(wide // 9, 1), area.top, area.right, area.bottom), 0.7)
    shade(picture, Area(area.left, area.bottom - max(high // 16, 1), area.right, area.bottom), 0.6)


def _inner(area: Area, rng: np.random.Generator) -> Area:
    wide, high = area.right - area.left, area.bottom - area.top
    left = area.left + int(wide * rng.uniform(0.08, 0.4))
    top = area.top + int(high * rng.uniform(0.1, 0.5))
    return Area(left, top, left + int(wide * rng.uniform(0.25, 0.5)), top + int(high * rng.uniform(0.2, 0.4)))


def label(picture: Picture, area: Area, rng: np.random.Generator) -> None:
    """A sticker with lines of text."""
    paper = one_of(rng, ("#e8e8e2", "#e8d860", "#d84838", "#f0f0f0"), 0.05)
    fill(picture, area, paper)
    dark = scaled(paper, 0.25)
    row = area.top + 2
    while row < area.bottom - 2:
        right = area.left + 2 + int((area.right - area.left) * rng.uniform(0.3, 0.85))
        cv2.line(picture, (area.left + 2, row), (right, row), dark, 1)
        row += 3


def spool(picture: Picture, middle: tuple[int, int], radius: int, rng: np.random.Generator) -> None:
    """A spool of filament, seen from its side or at a slant."""
    slant = float(rng.uniform(0.35, 1.0))
    flange, wound = one_of(rng, ("#18191b", "#d0d0cc", "#a8abae")), one_of(rng, STUFF)
    for share, skin in ((1.0, flange), (float(rng.uniform(0.6, 0.95)), wound), (0.26, scaled(flange, 0.5))):
        axes = (max(int(radius * share * slant), 1), max(int(radius * share), 1))
        cv2.ellipse(picture, middle, axes, 0.0, 0.0, 360.0, skin, -1)


def bottle(picture: Picture, foot: tuple[int, int], high: int, rng: np.random.Generator) -> None:
    """A bottle or can."""
    wide = max(high // 4, 2)
    skin = one_of(rng, STUFF, 0.2)
    x, y = foot
    fill(picture, Area(x - wide, y - int(high * 0.7), x + wide, y), skin)
    fill(picture, Area(x - wide // 2, y - high, x + wide // 2, y - int(high * 0.7)), scaled(skin, 0.7))
    shade(picture, Area(x - wide, y - int(high * 0.7), x - wide // 2, y), 1.5)
    if chance(rng, 0.6):
        label(picture, Area(x - wide, y - int(high * 0.55), x + wide, y - int(high * 0.25)), rng)


def books(picture: Picture, area: Area, rng: np.random.Generator) -> None:
    """Books or binders side by side."""
    at = area.left
    while at < area.right:
        wide = int(rng.integers(5, 16))
        top = area.top + int((area.bottom - area.top) * rng.uniform(0.0, 0.3))
        fill(picture, Area(at, top, min(at + wide, area.right), area.bottom), one_of(rng, STUFF, 0.2))
        shade(picture, Area(at, top, at + 1, area.bottom), 0.5)
        at += wide


def row_of_things(picture: Picture, area: Area, rng: np.random.Generator) -> None:
    """A shelf's row, filled from the left to the right; gaps stay."""
    high = area.bottom - area.top
    at = area.left + 3
    while at < area.right - 12:
        size = int(high * rng.uniform(0.45, 0.95))
        wide = int(size * rng.uniform(0.6, 1.6))
        kind = str(rng.choice(list(ROW_SHARES), p=list(ROW_SHARES.values())))
        _stand(picture, kind, Area(at, area.bottom - size, min(at + wide, area.right), area.bottom), rng)
        at += wide + int(rng.integers(2, 14))


def _stand(picture: Picture, kind: str, area: Area, rng: np.random.Generator) -> None:
    middle, size = (area.left + area.right) // 2, area.bottom - area.top
    if kind == "carton":
        carton(picture, area, rng)
    elif kind == "spool":
        spool(picture, (middle, area.bottom - size // 2), size // 2, rng)
    elif kind == "books":
        books(picture, area, rng)
    elif kind == "bottle":
        bottle(picture, (middle, area.bottom), size, rng)
    elif kind == "wires":
        wires(picture, area, rng)
    elif kind == "basket":
        basket(picture, area, rng)


def wires(picture: Picture, area: Area, rng: np.random.Generator) -> None:
    """A tangle of cables, or a coil of loose filament."""
    one = one_of(rng, STUFF) if chance(rng, 0.4) else None
    middle = np.array([(area.left + area.right) / 2, (area.top + area.bottom) / 2])
    half = np.array([area.right - area.left, area.bottom - area.top]) / 2
    for _ in range(int(rng.integers(6, 20))):
        skin = one or one_of(rng, WIRES, 0.2)
        turns = np.linspace(0.0, float(rng.uniform(2.0, 8.0)), 30) + float(rng.uniform(0.0, 6.3))
        sway = rng.normal(0.0, 0.25, 2) + rng.uniform(0.3, 0.9, 2) * np.column_stack(
            [np.cos(turns), np.sin(turns * float(rng.uniform(0.7, 1.4)))]
        )
        points = (middle + half * np.clip(sway, -1.1, 1.1)).round().astype(np.int32)
        cv2.polylines(picture, [points], False, skin, int(rng.integers(1, 4)), cv2.LINE_AA)


def basket(picture: Picture, area: Area, rng: np.random.Generator) -> None:
    """Something woven: strands over and under one another."""
    skin, step = one_of(rng, ("#b08c5c", "#8c6840", "#d0c4a8", "#585450"), 0.15), int(rng.integers(3, 6))
    fill(picture, area, scaled(skin, 0.6))
    for row, top in enumerate(range(area.top, area.bottom - step, step)):
        for left in range(area.left + row % 2 * step, area.right - step, 2 * step):
            fill(picture, Area(left, top, left + step, top + step), skin)


def cable(picture: Picture, begin: tuple[int, int], end: tuple[int, int], skin: Colour, width: int) -> None:
    """A cable that hangs between two points."""
    at = np.linspace(0.0, 1.0, 16)
    sag = 0.35 * math.hypot(end[0] - begin[0], end[1] - begin[1])
    x = begin[0] + at * (end[0] - begin[0])
    y = begin[1] + at * (end[1] - begin[1]) + sag * 4 * at * (1 - at) * 0.5
    line = np.column_stack([x, y]).round().astype(np.int32)
    cv2.polylines(picture, [line], False, skin, width)


def plant(picture: Picture, foot: tuple[int, int], high: int, rng: np.random.Generator) -> None:
    """Leaves that fan out of a pot."""
    x, y = foot
    pot = max(high // 5, 3)
    for _ in range(int(rng.integers(25, 55))):
        turn = rng.normal(-math.pi / 2, 0.75)
        reach = high * rng.uniform(0.35, 1.0)
        tip = (int(x + reach * math.cos(turn)), int(y - pot + reach * math.sin(turn)))
        middle = ((x + 2 * tip[0]) // 3, (y - pot + 2 * tip[1]) // 3)
        axes = (max(int(reach * 0.36), 2), max(int(high * rng.uniform(0.02, 0.08)), 1))
        cv2.ellipse(picture, middle, axes, math.degrees(turn), 0.0, 360.0, one_of(rng, LEAVES, 0.25), -1)
    fill(
        picture,
        Area(x - pot, y - 2 * pot, x + pot, y),
        one_of(rng, ("#a05a38", "#d8d8d4", "#303236", "#b09070")),
    )


def tool(picture: Picture, hook: tuple[int, int], long: int, rng: np.random.Generator) -> None:
    """A tool that hangs: handle in a bright colour, a shaft of steel."""
    x, y = hook
    lean = int(long * rng.normal(0.0, 0.12))
    steel, grip = varied(colour("#9a9ca0"), rng, 0.2), one_of(rng, STUFF, 0.15)
    cv2.line(picture, (x, y), (x + lean, y + long), steel, max(long // 14, 1))
    middle = (x + lean // 2, y + long // 2)
    cv2.line(picture, middle, (x + lean, y + long), grip, max(long // 6, 2))
    if chance(rng, 0.4):
        cv2.circle(picture, (x, y), max(long // 6, 2), steel, -1)


def screen(picture: Picture, area: Area, rng: np.random.Generator) -> None:
    """A monitor: dark frame; off, or windows with lines of text."""
    fill(picture, area, colour("#141517"))
    edge = max((area.right - area.left) // 40, 1)
    face = Area(area.left + edge, area.top + edge, area.right - edge, area.bottom - 2 * edge)
    lit = chance(rng, 0.7)
    fill(
        picture, face, one_of(rng, ("#2c60a8", "#1a1c22", "#d8dce4", "#305868")) if lit else colour("#0c0d10")
    )
    for _ in range(int(rng.integers(1, 4)) if lit else 0):
        label(picture, _inner(face, rng), rng)
    foot = (area.left + area.right) // 2
    fill(
        picture,
        Area(foot - 4 * edge, area.bottom, foot + 4 * edge, area.bottom + 8 * edge),
        colour("#1c1d20"),
    )
