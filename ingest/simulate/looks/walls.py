"""Walls behind printers, one painter per style: reflectance seen from the front, [HIGH, WIDE, 3]."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np

from ingest.simulate.looks import chambers, clutter
from ingest.simulate.looks.clutter import Area
from ingest.simulate.looks.colours import Picture, colour, one_of, scaled
from ingest.simulate.looks.noise import chance, clouds, grain, soft
from ingest.simulate.looks.plaster import GLARE, HIGH, WIDE, plaster
from ingest.simulate.looks.styles import Room

Painter: TypeAlias = Callable[[np.random.Generator], Picture]


def white_wall(rng: np.random.Generator) -> Picture:
    """A wall with a socket, a cable and perhaps a picture or the edge of a door."""
    picture = plaster(rng)
    if chance(rng, 0.5):
        left, wide = int(rng.integers(0, WIDE)), int(rng.integers(60, 140))
        clutter.fill(
            picture,
            Area(left, int(rng.integers(20, 120)), left + wide, int(rng.integers(180, 260))),
            one_of(rng, clutter.STUFF),
        )
        clutter.label(picture, Area(left + 10, 130, left + wide - 10, 170), rng)
    if chance(rng, 0.5):
        left = int(rng.integers(0, WIDE))
        clutter.fill(
            picture,
            Area(left, 0, left + int(rng.integers(120, 260)), HIGH),
            one_of(rng, ("#c8c4bc", "#8c6c48", "#b0b4b8"), 0.1),
        )
        clutter.shade(picture, Area(left, 0, left + 5, HIGH), 0.55)
    _socket(picture, rng)
    _on_the_table(picture, rng, 0.35)
    return picture


def _socket(picture: Picture, rng: np.random.Generator) -> None:
    left, top = int(rng.integers(0, WIDE - 40)), int(rng.integers(200, 270))
    clutter.fill(picture, Area(left, top, left + 34, top + 18), colour("#e8e6e0"))
    for middle in (left + 9, left + 25):
        cv2.circle(picture, (middle, top + 9), 5, colour("#a8a6a0"), -1)
    end = (left + int(rng.integers(-160, 160)), HIGH)
    clutter.cable(picture, (left + 9, top + 9), end, colour("#1c1c1e"), 2)


def _on_the_table(picture: Picture, rng: np.random.Generator, share: float) -> None:
    """Things that stand on the table before the wall."""
    at = int(rng.integers(0, 60))
    while at < WIDE:
        wide = int(rng.integers(30, 150))
        if chance(rng, share):
            high = int(rng.integers(25, 90))
            clutter.row_of_things(picture, Area(at, HIGH - high, at + wide, HIGH), rng)
        at += wide + int(rng.integers(5, 60))


def dark(rng: np.random.Generator) -> Picture:
    """A dark room: what stands there is hardly seen, lamps of devices are."""
    picture = plaster(rng, ("#3a3c40", "#2c2c30", "#403a34"))
    _on_the_table(picture, rng, 0.5)
    picture *= np.float32(0.25)
    for _ in range(int(rng.integers(1, 6))):
        at = (int(rng.integers(WIDE)), int(rng.integers(60, HIGH)))
        cv2.circle(
            picture,
            at,
            int(rng.integers(1, 3)),
            one_of(rng, ("#40ff60", "#ff4030", "#5080ff", "#ffd080")),
            -1,
        )
    if chance(rng, 0.4):
        left, top = int(rng.integers(0, WIDE - 130)), int(rng.integers(60, 160))
        clutter.screen(picture, Area(left, top, left + 130, top + 80), rng)
    return picture


def window(rng: np.random.Generator) -> Picture:
    """A window that is too bright for the camera, its frame, what hangs beside it and stands on the sill."""
    picture = plaster(rng)
    left, right = int(rng.integers(40, 220)), int(rng.integers(330, 600))
    top, bottom = int(rng.integers(0, 60)), int(rng.integers(190, 270))
    outside = 0.85 + 0.2 * soft(clouds(rng, HIGH, WIDE, (8, 24)), 3.0)
    sky = np.linspace(1.1, 0.55, HIGH, dtype=np.float32)[:, None] * outside
    view = (GLARE * sky)[..., None] * np.array(
        one_of(rng, ("#f4f8ff", "#e8f4e8", "#fff4e0"), 0.02), np.float32
    )
    picture[top:bottom, left:right] = view[top:bottom, left:right]
    bar = one_of(rng, ("#e8e8e8", "#c8c8c8", "#705030"), 0.05)
    for x in (left, (left + right) // 2, right):
        clutter.fill(picture, Area(x - 6, top - 6, x + 6, bottom + 6), scaled(bar, 0.8))
    clutter.fill(picture, Area(left - 12, bottom, right + 12, bottom + 9), bar)
    for _ in range(int(rng.integers(0, 4))):
        clutter.plant(picture, (int(rng.integers(left, right)), bottom), int(rng.integers(30, 80)), rng)
    _on_the_table(picture, rng, 0.4)
    return picture


def shelves(rng: np.random.Generator) -> Picture:
    """Shelves full of boxes, spools and bottles."""
    picture = plaster(rng, ("#c8c4bc", "#8c8880", "#54565a", "#a0a4a8"))
    picture *= np.float32(0.7)
    board = one_of(rng, ("#d8d4cc", "#8c6840", "#303236", "#b08c5c"), 0.1)
    row, step = int(rng.integers(40, 80)), int(rng.integers(70, 115))
    while row < HIGH + step:
        foot = min(row, HIGH)
        clutter.shade(picture, Area(0, foot - step + 7, WIDE, foot - step + 22), clutter.SHADOW)
        clutter.row_of_things(picture, Area(int(rng.integers(0, 30)), foot - step + 16, WIDE, foot), rng)
        clutter.fill(picture, Area(0, foot, WIDE, foot + 6), board)
        row += step
    for post in range(int(rng.integers(0, 200)), WIDE, int(rng.integers(180, 320))):
        clutter.fill(picture, Area(post, 0, post + 7, HIGH), scaled(board, 0.8))
    return picture


def brick(rng: np.random.Generator) -> Picture:
    """Bricks in rows, each of its own shade."""
    joint = one_of(rng, ("#b0a898", "#8c8880", "#d0ccc4"), 0.05)
    picture = np.full((HIGH, WIDE, 3), joint, np.float32)
    skin = one_of(rng, ("#8c3c2c", "#a0503c", "#7c4434", "#d8d4cc"), 0.1)
    high, wide = 17, 52
    for row in range(-1, HIGH // high + 1):
        for left in range(-wide * (row % 2) // 2, WIDE, wide):
            area = Area(left + 2, row * high + 2, left + wide, row * high + high)
            clutter.fill(picture, area, scaled(skin, float(rng.uniform(0.7, 1.2))))
    rough = 1.0 + 0.1 * grain(rng, HIGH, WIDE) + 0.12 * clouds(rng, HIGH, WIDE, (6, 30))
    picture *= np.maximum(rough, 0.2)[..., None]
    _on_the_table(picture, rng, 0.5)
    return picture


def pegboard(rng: np.random.Generator) -> Picture:
    """A board with holes and the tools that hang on it."""
    picture = plaster(rng, ("#b89868", "#d8d8d4", "#6a7078", "#8c6c44"))
    for x in range(8, WIDE, 13):
        for y in range(8, HIGH, 13):
            cv2.circle(picture, (x, y), 2, (0.02, 0.02, 0.02), -1)
    for _ in range(int(rng.integers(8, 20))):
        hook = (int(rng.integers(0, WIDE)), int(rng.integers(0, 190)))
        clutter.tool(picture, hook, int(rng.integers(40, 110)), rng)
    _on_the_table(picture, rng, 0.5)
    return picture


def desk(rng: np.random.Generator) -> Picture:
    """The rest of a desk: a monitor, boxes, cables, a lamp."""
    picture = plaster(rng)
    _socket(picture, rng)
    left = int(rng.integers(0, WIDE - 220))
    clutter.screen(
        picture, Area(left, int(rng.integers(100, 150)), left + int(rng.integers(150, 230)), HIGH - 32), rng
    )
    _on_the_table(picture, rng, 0.75)
    for _ in range(int(rng.integers(2, 6))):
        begin = (int(rng.integers(0, WIDE)), int(rng.integers(100, HIGH)))
        end = (begin[0] + int(rng.integers(-150, 150)), HIGH)
        clutter.cable(picture, begin, end, one_of(rng, ("#18191b", "#d8d8d4", "#2050a0")), 2)
    return picture


def curtain(rng: np.random.Generator) -> Picture:
    """Cloth in folds."""
    x = np.arange(WIDE, dtype=np.float32)
    drift = np.cumsum(0.12 + 0.05 * soft(rng.standard_normal((1, WIDE), np.float32), 9.0)[0] * 4)
    folds = 0.72 + 0.24 * np.sin(drift) + 0.08 * np.sin(2.3 * drift + x / 90)
    skin = np.array(one_of(rng, ("#8c8478", "#4c5a6c", "#b8a890", "#6c3434", "#c8ccd0"), 0.1), np.float32)
    fall = 1.0 + 0.06 * clouds(rng, HIGH, WIDE, (4, 12))
    picture = np.asarray((folds * fall)[..., None] * skin, np.float32)
    if chance(rng, 0.5):
        gap = int(rng.integers(0, WIDE - 80))
        picture[:, gap : gap + int(rng.integers(15, 70))] = GLARE * 0.8
    _on_the_table(picture, rng, 0.3)
    return picture


def plants(rng: np.random.Generator) -> Picture:
    """House plants before a light wall."""
    picture = plaster(rng)
    for _ in range(int(rng.integers(4, 9))):
        foot = (int(rng.integers(0, WIDE)), int(rng.integers(HIGH - 40, HIGH)))
        clutter.plant(picture, foot, int(rng.integers(70, 210)), rng)
    return picture


def perforated(rng: np.random.Generator) -> Picture:
    """Sheet metal panels with round holes, equipment between them."""
    picture = plaster(rng, ("#e0e0e0", "#c8d0d8", "#d8d0d8"))
    for left in range(int(rng.integers(-80, 0)), WIDE, 170):
        for x in range(left + 10, left + 90, 9):
            for y in range(6, HIGH, 9):
                cv2.circle(picture, (x, y), 2, (0.2, 0.2, 0.22), -1)
        clutter.fill(picture, Area(left + 100, 0, left + 112, HIGH), one_of(rng, ("#707478", "#b8bcc0")))
        if chance(rng, 0.6):
            clutter.row_of_things(picture, Area(left + 112, 180, left + 170, HIGH), rng)
    _on_the_table(picture, rng, 0.5)
    return picture


def tiles(rng: np.random.Generator) -> Picture:
    """Tiles, some with a shine."""
    picture = np.full((HIGH, WIDE, 3), colour("#8c8a84"), np.float32)
    size = int(rng.integers(38, 70))
    skin = one_of(rng, ("#d8dcdc", "#a8c0c4", "#e0d8c4", "#484c54"), 0.08)
    for row in range(HIGH // size + 1):
        for column in range(WIDE // size + 1):
            area = Area(column * size + 2, row * size + 2, (column + 1) * size, (row + 1) * size)
            clutter.fill(picture, area, scaled(skin, float(rng.uniform(0.92, 1.05))))
    picture *= (1.0 + 0.08 * clouds(rng, HIGH, WIDE, (5, 14)))[..., None]
    _on_the_table(picture, rng, 0.5)
    return picture


def tinted_chamber(rng: np.random.Generator) -> Picture:
    """Brown acrylic panes; the room behind shows through, dimmed."""
    picture = shelves(rng)
    tint = np.array(one_of(rng, ("#6c5c50", "#5c6064"), 0.1), np.float32)
    picture = soft(picture, 5.0) * tint * np.float32(1.6)
    for x in (int(rng.integers(0, 90)), int(rng.integers(540, 630))):
        clutter.fill(picture, Area(x, 0, x + 30, HIGH), colour("#141516"))
    return np.asarray(picture, np.float32)


WALLS: dict[Room, Painter] = {
    Room.WHITE_WALL: white_wall,
    Room.DARK: dark,
    Room.WINDOW: window,
    Room.SHELVES: shelves,
    Room.BRICK: brick,
    Room.PEGBOARD: pegboard,
    Room.DESK: desk,
    Room.DARK_CHAMBER: chambers.dark_chamber,
    Room.CURTAIN: curtain,
    Room.PLANTS: plants,
    Room.PERFORATED: perforated,
    Room.TILES: tiles,
    Room.METAL_CHAMBER: chambers.metal_chamber,
    Room.TINTED_CHAMBER: tinted_chamber,
    Room.LIT_CHAMBER: chambers.lit_chamber,
}
