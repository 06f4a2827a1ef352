"""The background of a picture: the walls and the table about a printer, through its camera's lens."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look, Vector, vector
from ingest.simulate.looks.colours import Picture, one_of
from ingest.simulate.looks.noise import Field, chance, clouds, grain, soft, streaks
from ingest.simulate.looks.rays import Hits, Side, background_size, cast
from ingest.simulate.looks.styles import Room
from ingest.simulate.looks.things import TABLE_MM
from ingest.simulate.looks.walls import WALLS

CHAMBERS = (Room.DARK_CHAMBER, Room.METAL_CHAMBER, Room.TINTED_CHAMBER, Room.LIT_CHAMBER)
REACH_MM = 260.0  # of a chamber, down from the nozzle
LID_MM = 170.0  # of a chamber, up from the nozzle
AROUND_MM = 60.0  # from a bed to a chamber's walls
NEAR_MM = 30.0  # the camera keeps so far from every wall
TABLES = ("#b8956a", "#d8d8d4", "#4a3424", "#8c8e90", "#c8a880", "#26272a")
TABLE_PX, TABLE_MM_PER_PX = 384, 4.0
OWN_LIGHT = (0.8, 1.8)  # the room's windows and lamps, as a factor: printers stand in the shade of themselves
FALL_MM = 900.0  # distance over which a lamp's light on the walls falls to a half
POOLS, STAINS = np.float32(0.22), np.float32(0.1)  # of the light on walls
BRIGHTEST = np.float32(2.0)
DETAIL = {False: 0.5, True: 0.75}  # of the background's pixels along a side, in the open and in chambers


def room_of(look: Look) -> Picture:
    """Light that comes from behind the printer, [int(1.3 h), int(1.3 w), 3], linear, 0..2 (1: white paper).

    Out of focus already; its middle is the picture's middle. The same look gives the same room.
    """
    rng = np.random.default_rng([look.seed, 20])
    low, high = _box(look, rng)
    hits = cast(look, low, high, DETAIL[is_closed(look)])
    surface = _surfaces(look, hits, low, high, rng)
    lit = np.minimum(surface * _light(look, hits, rng), BRIGHTEST).astype(np.float32)
    height, width = background_size(look)
    whole = np.asarray(cv2.resize(lit, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return soft(whole, _blur_px(look, rng))


def is_closed(look: Look) -> bool:
    """Whether the camera looks into a closed printer."""
    return Room(look.room_style) in CHAMBERS


def is_dim(look: Look) -> bool:
    """Whether there is little light but the printer's."""
    return is_closed(look) or Room(look.room_style) is Room.DARK


def _box(look: Look, rng: np.random.Generator) -> tuple[Vector, Vector]:
    """Corners of the room, mm in world coordinates; the camera is inside."""
    width, depth = look.printer.bed_mm
    if is_closed(look):
        low, high = (-AROUND_MM, -AROUND_MM, -REACH_MM), (width + AROUND_MM, depth + AROUND_MM, LID_MM)
    else:
        behind, beside = rng.uniform(120, 700), rng.uniform(500, 1200)
        low = (-beside, -1500.0, TABLE_MM)
        high = (width + beside, depth + behind, float(rng.uniform(900, 1500)))
    eye = look.lens.eye_mm
    lower, upper = np.minimum(low, np.subtract(eye, NEAR_MM)), np.maximum(high, np.add(eye, NEAR_MM))
    return vector(lower), vector(upper)


def _surfaces(look: Look, hits: Hits, low: Vector, high: Vector, rng: np.random.Generator) -> Picture:
    """What the walls reflect where the rays end."""
    wall = _uneven(WALLS[Room(look.room_style)](rng), rng)
    table = _table(rng, 0.5 * wall.mean(axis=(0, 1)) if is_closed(look) else None)
    shares = ((hits.points - np.array(low, np.float32)) / np.subtract(high, low)).astype(np.float32)
    sideways = np.where(hits.side <= Side.RIGHT, shares[..., 1], shares[..., 0])
    flipped = (hits.side == Side.LEFT) | (hits.side == Side.FRONT)
    along = np.where(flipped, 1.0 - sideways, sideways)
    picture = _sampled(wall, along, 1.0 - shares[..., 2])
    below = hits.side == Side.FLOOR
    picture[below] = _tiled(table, hits.points)[below]
    above = hits.side == Side.CEILING
    picture[above] = wall.reshape(-1, 3).mean(axis=0)
    return picture


def _uneven(wall: Picture, rng: np.random.Generator) -> Picture:
    """A wall in light that is not the same everywhere, with what it has of dirt and texture."""
    height, width = wall.shape[:2]
    pools, stains = clouds(rng, height, width, (2, 5)), clouds(rng, height, width, (9, 30, 90))
    light = 1.0 + POOLS * pools + STAINS * stains
    return np.asarray(wall * np.maximum(light, 0.3)[..., None], np.float32)


def _sampled(wall: Picture, along: Field, down: Field) -> Picture:
    height, width = wall.shape[:2]
    x, y = (along * (width - 1)).astype(np.float32), (down * (height - 1)).astype(np.float32)
    return np.asarray(cv2.remap(wall, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _tiled(table: Picture, points: Field) -> Picture:
    at = (points[..., :2] / TABLE_MM_PER_PX).astype(np.float32)
    return np.asarray(
        cv2.remap(table, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32
    )


def _table(rng: np.random.Generator, of: npt.NDArray[np.float32] | None) -> Picture:
    """Wood, laminate or a mat, with stains; or a floor of a given colour."""
    skin = np.array(one_of(rng, TABLES, 0.12), np.float32) if of is None else of
    wooden = of is None and chance(rng, 0.6)
    fine = 0.1 * streaks(rng, TABLE_PX, TABLE_PX, 5, 90) if wooden else 0.03 * grain(rng, TABLE_PX, TABLE_PX)
    light = 1.0 + fine + 0.08 * clouds(rng, TABLE_PX, TABLE_PX, (4, 12))
    return np.asarray(np.maximum(light, 0.2)[..., None] * skin, np.float32)


def _light(look: Look, hits: Hits, rng: np.random.Generator) -> Picture:
    """Light on the walls: the room's, and the lamp's that falls off with the distance from somewhere."""
    lamp = look.lamp
    width, depth = look.printer.bed_mm
    spot = np.array(
        [rng.uniform(-300, width + 300), rng.uniform(-200, depth), rng.uniform(200, 700)], np.float32
    )
    away = np.linalg.norm(hits.points - spot, axis=-1)
    fall = 1.0 / (1.0 + (away / np.float32(FALL_MM)) ** 2)
    corner = _corner_shade(hits) * np.float32(1.0 if is_dim(look) else rng.uniform(*OWN_LIGHT))
    light = np.array(lamp.ambient) + 1.1 * lamp.strength * fall[..., None] * np.array(lamp.colour)
    return np.asarray(light * corner[..., None], np.float32)


def _corner_shade(hits: Hits) -> Field:
    """Darker where two walls meet."""
    edges = cv2.Laplacian(hits.side.astype(np.float32), cv2.CV_32F)
    near = soft(np.minimum(np.abs(edges), 1.0).astype(np.float32), 0.02 * hits.side.shape[1])
    return np.asarray(1.0 - np.minimum(2.5 * near, 0.4), np.float32)


def _blur_px(look: Look, rng: np.random.Generator) -> float:
    """How far the background is out of focus."""
    low, high = (0.5, 1.2) if is_closed(look) else (1.5, 5.0)
    return float(rng.uniform(low, high)) * look.sensor.width / 320.0
