"""What toolheads are made of. Coordinates, mm: from the nozzle's tip, x right, y to the back, z up."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.look import Colour, Vector
from ingest.simulate.looks.colours import colour, scaled, varied
from ingest.simulate.looks.noise import chance
from ingest.simulate.looks.shapes import (
    Outline,
    Pile,
    Shape,
    X,
    Y,
    box,
    circle,
    curve,
    flat,
    patch,
    prism,
    rod,
    sheet,
    slab,
    tube,
    uneven,
)
from ingest.simulate.mesh import Vertices

BRASS, STEEL, BLACK = colour("#b8923c"), colour("#9a9c9e"), colour("#202123")
DARK, SILVER, WHITE = colour("#2b2c2f"), colour("#b8babc"), colour("#e6e6e2")
YELLOW, GOLD = colour("#e8c81c"), colour("#c8a848")
SOCKS = ("#b81e1c", "#d8b428", "#22304c", "#1c1c1c", "#d8d8d4")
WIRES = ("#b81818", "#101010", "#e0e0dc", "#d8b020", "#1c48b8", "#1c8838")
TUBES = ("#e4e2da", "#d8dce0", "#20489c", "#161616")
FAN_BLADE = colour("#2a2b2d")
CORD_STEPS = 9


def nozzle(pile: Pile, rng: np.random.Generator, sock: Colour | None = None) -> float:
    """Nozzle and heater block, in a silicone sock or bare; returns the height of the block's top."""
    metal = varied(BRASS if chance(rng, 0.75) else STEEL, rng, 0.1)
    pile.add(rod((0, 0, 0), (0, 0, 2.2), 0.5, 6, 2.4), scaled(metal, 0.5), 0.4)
    pile.add(rod((0, 0, 2.2), (0, 0, 5.2), 3.2, 6), metal, 0.6)
    skin = varied(SILVER, rng, 0.1) if sock is None else sock
    low = 3.2 if sock is not None else 5.0
    left = float(rng.uniform(-9, -6))
    pile.add(slab((left, -9, low), (left + 20, 9, 15), 1.2, Y), skin, 0.1 if sock is not None else 0.5)
    return 15.0


def sock_colour(rng: np.random.Generator) -> Colour:
    """The silicone sock of a heater block."""
    return varied(colour(SOCKS[int(rng.integers(len(SOCKS)))]), rng, 0.15)


def cover(
    pile: Pile, low: Vector, high: Vector, skin: Colour, rng: np.random.Generator, bevel: float = 2.0
) -> None:
    """A box of plastic or painted sheet. Its front is dusty and not lit evenly."""
    pile.add(slab(low, high, bevel), skin, 0.2)
    size = (high[0] - low[0] - 2 * bevel, 0.0, 0.0)
    front = sheet((low[0] + bevel, low[1] - 0.1, low[2]), size, (0.0, 0.0, high[2] - low[2]), 3, 3)
    pile.add(front, uneven(front, skin, rng, 0.05), 0.25)


def fan(
    pile: Pile, centre: Vector, radius: float, rng: np.random.Generator, grille: Colour | None = None
) -> None:
    """A fan that blows to the back, seen from the front: frame, blades, hub, perhaps a grille."""
    x, y, z = centre
    pile.add(flat(circle((x, z), radius, 16), y - 0.4), scaled(FAN_BLADE, 0.35), 0.05)
    turn = rng.uniform(0, 1)
    for blade in range(5):
        pile.add(
            _blade(x, y - 0.8, z, radius * 0.93, turn + blade * 0.4 * math.pi), scaled(FAN_BLADE, 1.6), 0.2
        )
    pile.add(flat(circle((x, z), radius * 0.42), y - 1.6), varied(DARK, rng, 0.2), 0.3)
    if grille is None:
        return
    for spoke in range(4):
        pile.add(_spoke(x, y - 2.4, z, radius, (spoke + 0.5) * 0.5 * math.pi), grille, 0.2)
    for share in (0.48, 0.74):
        pile.add(_ring(x, y - 2.2, z, radius * share), grille, 0.2)


def _blade(x: float, y: float, z: float, radius: float, turn: float) -> Shape:
    angles = (turn, turn + 0.25, turn + 0.75, turn + 0.55)
    reach = (0.3, 1.0, 1.0, 0.3)
    outline = [
        (x + radius * r * math.cos(a), z + radius * r * math.sin(a))
        for a, r in zip(angles, reach, strict=True)
    ]
    return flat(outline, y)


def _spoke(x: float, y: float, z: float, radius: float, turn: float) -> Shape:
    side = np.array([-math.sin(turn), math.cos(turn)]) * radius * 0.05
    tip = np.array([math.cos(turn), math.sin(turn)]) * radius
    corners = [-side + tip * 0.3, -side + tip, side + tip, side + tip * 0.3]
    return flat([(x + float(a), z + float(b)) for a, b in corners], y)


def _ring(x: float, y: float, z: float, radius: float) -> Shape:
    turns = np.linspace(0.0, 2 * math.pi, 13)
    wire = np.column_stack([np.cos(turns), np.zeros(13), np.sin(turns)])
    vertices = np.concatenate([0.95 * radius * wire, 1.05 * radius * wire]) + np.array([x, y, z])
    here = np.arange(12)
    faces = [np.column_stack([here, here + 13, here + 14]), np.column_stack([here, here + 14, here + 1])]
    return Shape(vertices.astype(np.float32), np.concatenate(faces).astype(np.int32))


def warning(pile: Pile, left: float, front: float, low: float, size: float) -> None:
    """A yellow triangle that warns of heat."""
    middle = left + size / 2
    pile.add(flat([(left, low), (left + size, low), (middle, low + size * 0.88)], front - 0.3), YELLOW)
    inner = [
        (left + 0.2 * size, low + 0.12 * size),
        (left + 0.8 * size, low + 0.12 * size),
        (middle, low + 0.66 * size),
    ]
    pile.add(flat(inner, front - 0.5), scaled(YELLOW, 0.12))
    pile.add(
        patch(
            (middle - 0.08 * size, low + 0.18 * size), (middle + 0.08 * size, low + 0.45 * size), front - 0.7
        ),
        YELLOW,
    )


def logo(
    pile: Pile, left: float, front: float, low: float, width: float, ink: Colour, rng: np.random.Generator
) -> None:
    """Something like a name: strokes side by side, the first one larger."""
    at, height = left, width * 0.2
    while at < left + width:
        letter = width * float(rng.uniform(0.06, 0.14))
        top = low + height * float(rng.uniform(0.7, 1.3))
        pile.add(patch((at, low), (at + letter, top), front - 0.3), ink, 0.5)
        at += letter + width * 0.05


def wires(pile: Pile, start: Vector, rng: np.random.Generator, count: int = 3) -> None:
    """Single wires that leave a head in an arc and go back to its top."""
    for _ in range(count):
        reach, rise = rng.uniform(-22, 22), rng.uniform(8, 26)
        end = (start[0] + float(rng.uniform(-14, 14)), start[1] + 22, start[2] + float(rng.uniform(-4, 14)))
        line = curve(
            start,
            (start[0] + reach, start[1] - 6, start[2] + rise),
            (end[0], end[1], end[2] + rise),
            end,
            steps=6,
        )
        skin = colour(WIRES[int(rng.integers(len(WIRES)))])
        pile.add(tube(line, 0.9, 3), varied(skin, rng, 0.1), 0.3)


def loom(pile: Pile, start: Vector, rng: np.random.Generator, radius: float = 5.0) -> None:
    """The sleeved bundle of a head's cables: up in an arc and away to one side and the back."""
    side = float(rng.choice([-1.0, 1.0]) * rng.uniform(40, 150))
    end = (start[0] + side, start[1] + float(rng.uniform(30, 90)), start[2] + float(rng.uniform(20, 150)))
    lift = float(rng.uniform(60, 160))
    line = curve(
        start,
        (start[0], start[1] + 4, start[2] + lift),
        (end[0], end[1], end[2] + lift),
        end,
        steps=CORD_STEPS,
    )
    skin = varied(BLACK, rng, 0.3)
    pile.add(tube(line, radius, 5), _banded(skin, 5, rng), 0.15)


def bowden(pile: Pile, start: Vector, rng: np.random.Generator) -> None:
    """The tube that the filament comes through, out of the head's top."""
    side = float(rng.choice([-1.0, 1.0]) * rng.uniform(50, 200))
    end = (start[0] + side, start[1] + float(rng.uniform(0, 70)), start[2] + float(rng.uniform(40, 160)))
    lift = float(rng.uniform(110, 230))
    line = curve(
        start, (start[0], start[1], start[2] + lift), (end[0], end[1], end[2] + lift), end, steps=CORD_STEPS
    )
    pile.add(rod(start, (start[0], start[1], start[2] + 8), 4.5, 6), varied(STEEL, rng, 0.2), 0.5)
    skin = colour(TUBES[int(rng.integers(len(TUBES)))])
    pile.add(tube(line, 2.0, 4), varied(skin, rng, 0.06), 0.35)


def _banded(skin: Colour, sides: int, rng: np.random.Generator) -> Vertices:
    """Braid: every second ring of a loom's faces a little lighter, [faces, 3]."""
    rings = CORD_STEPS - 1
    shade = np.repeat(1.0 + 0.5 * rng.random(rings), sides)
    factors = np.concatenate([shade, shade, np.ones(2 * (sides - 2))])
    return np.asarray(np.clip(factors[:, None] * np.array(skin), 0.0, 1.0), np.float32)


def duct(pile: Pile, left: float, skin: Colour, rng: np.random.Generator, low: float = 2.5) -> None:
    """The part fan's outlet, bent towards the nozzle from one side."""
    away = -1.0 if left < 0 else 1.0
    inner, outer = left - away * 14, left
    ends = sorted((inner, outer))
    corners = [(ends[0], low), (ends[1], low + 1), (ends[1], low + 26), (ends[0] + 2, low + 10)]
    if away < 0:
        corners = [(ends[0], low + 1), (ends[1], low), (ends[1] - 2, low + 10), (ends[0], low + 26)]
    pile.add(prism(corners, -11, 9, Y), skin, 0.2)
    pile.add(box((ends[0], -12, low + 24), (ends[1], 12, low + 30 + float(rng.uniform(0, 8)))), skin, 0.2)


def motor(pile: Pile, centre: Vector, rng: np.random.Generator, size: float = 35.0) -> None:
    """A stepper motor whose shaft points to the front: two metal caps, a black middle."""
    x, y, z = centre
    half, cap = size / 2, 5.0
    metal = varied(SILVER, rng, 0.08)
    pile.add(slab((x - half, y, z - half), (x + half, y + cap, z + half), 3.0, Y), metal, 0.5)
    rest = box((x - half + 1, y + cap, z - half + 1), (x + half - 1, y + 24, z + half - 1))
    pile.add(rest, varied(DARK, rng, 0.2), 0.3)
    pile.add(flat(circle((x, z), size * 0.28, 10), y - 0.5), scaled(metal, 0.7), 0.5)
    pile.add(prism(circle((x, z), 2.6, 4), y - 12, y, Y), STEEL, 0.6)


def heat_sink(pile: Pile, low: float, rng: np.random.Generator, metal: Colour = SILVER) -> float:
    """A finned heat sink over the heater block; returns the height of its top."""
    skin = varied(metal, rng, 0.1)
    pile.add(rod((0, 0, low), (0, 0, low + 4), 2.0, 6), STEEL, 0.5)
    pile.add(rod((0, 0, low + 4), (0, 0, low + 28), 5.0, 5), scaled(skin, 0.4), 0.3)
    for fin in range(4):
        pile.add(rod((0, 0, low + 4 + 6.5 * fin), (0, 0, low + 7.5 + 6.5 * fin), 10.5, 6), skin, 0.5)
    return low + 30.0


def probe(pile: Pile, at: tuple[float, float], rng: np.random.Generator) -> None:
    """A bed probe beside the nozzle: its clear tip lit red or blue, or an inductive one."""
    x, y = at
    if chance(rng, 0.35):
        pile.add(rod((x, y, 3.0), (x, y, 9.0), 6.0, 7), colour("#d87818"), 0.3)
        pile.add(rod((x, y, 9.0), (x, y, 40.0), 6.0, 7), varied(SILVER, rng, 0.1), 0.5)
        return
    glow = colour("#ff5a64") if chance(rng, 0.7) else colour("#6a8cff")
    pile.add(rod((x, y, 3.5), (x, y, 7.0), 1.0, 5), WHITE, 0.2)
    pile.add(rod((x, y, 7.0), (x, y, 20.0), 5.5, 6), glow, 0.4)
    pile.add(rod((x, y, 20.0), (x, y, 30.0), 6.0, 6), varied(WHITE, rng, 0.05), 0.3)
    pile.add(box((x - 9, y - 6, 30.0), (x + 9, y + 6, 33.0)), BLACK, 0.2)


def _plate_outline(low: float, high: float) -> Outline:
    """A plate's front with its corners cut off, (x, z) mm."""
    cut = 4.0
    right = [(32.0 - cut, low), (32.0, low + cut), (32.0, high - cut), (32.0 - cut, high)]
    return [*right, *[(-x, z) for x, z in reversed(right)]]


def carriage(pile: Pile, low: float, high: float, skin: Colour, rng: np.random.Generator) -> None:
    """The plate that carries the head, with its wheels, behind it."""
    pile.add(flat(_plate_outline(low, high), 13.0), skin, 0.3)
    pile.add(box((-31, 13.1, low + 1), (31, 16, high - 1)), scaled(skin, 0.8), 0.2)
    for x, z in ((-24.0, high - 8.0), (24.0, high - 8.0), (0.0, low + 8.0)):
        pile.add(rod((x, 16, z), (x, 26, z), 11.0, 6), varied(BLACK, rng, 0.3), 0.2)
        pile.add(flat(circle((x, z), 4.0, 6), 12.8), STEEL, 0.5)


def louvres(pile: Pile, low: Vector, width: float, count: int, step: float, inner: Colour) -> None:
    """Slots in a front, one above the other."""
    x, y, z = low
    for slot in range(count):
        pile.add(
            patch((x, z + slot * step), (x + width, z + slot * step + step * 0.45), y - 0.4), inner, 0.05
        )


def side_slots(pile: Pile, x: float, low: float, count: int, inner: Colour) -> None:
    """Slots in a side wall; ``x`` is the wall's."""
    away = -1.0 if x < 0 else 1.0
    for slot in range(count):
        z = low + 7.0 * slot
        pile.add(patch((-22, z), (-2, z + 3), x + 0.3 * away, X, away), inner, 0.05)
