"""Things that stand and lie about a printer: spools, a display, tools, prints."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ingest.simulate.look import Kinematics, Look, Vector
from ingest.simulate.looks.colours import colour, one_of, scaled, varied
from ingest.simulate.looks.noise import chance
from ingest.simulate.looks.shapes import Pile, X, Y, Z, circle, curve, flat, patch, prism, rod, slab, tube
from ingest.simulate.looks.styles import Prop
from ingest.simulate.mesh import Carrier, Mesh

TABLE_MM = -95.0  # height of the table that a printer stands on, from its bed
SIGHT_MM = 55.0  # things keep so far from the line from the camera to the nozzle's row
MODELS_MOST = 4
RING = 11  # points of a loose winding
CABLES = ("#18191b", "#26282c", "#c8c8c4", "#a82820", "#2048a0", "#c8a020")
BLACK, STEEL, SCREEN = colour("#242528"), colour("#a8aaac"), colour("#2c74d8")
STUFF = ("#c8201c", "#ee8a12", "#f2d420", "#1f8a3a", "#1c4fc0", "#e8e8e4", "#222326", "#8b8d90", "#d860a0")

Placer: TypeAlias = Callable[[Pile, Look, Vector, np.random.Generator], None]


def things(look: Look, rng: np.random.Generator) -> Mesh:
    """The look's props, but for those that would stand before the camera; they stand still."""
    pile = Pile(Carrier.FRAME)
    for number in look.props:
        place = PLACES.get(Prop(number))
        if place is not None:
            where = place[1](look, rng)
            if is_clear(look, where, place[2]):
                place[0](pile, look, where, rng)
    return pile.mesh()


def is_clear(look: Look, where: Vector, radius_mm: float) -> bool:
    """Whether a thing so large does not hide the printed part from the camera."""
    eye = np.array(look.lens.eye_mm)
    bed = np.array([look.printer.bed_mm[0] / 2, look.printer.bed_mm[1] / 2, 20.0])
    share = np.clip(np.dot(np.array(where) - eye, bed - eye) / np.dot(bed - eye, bed - eye), 0.0, 1.0)
    nearest = eye + share * (bed - eye)
    return bool(np.linalg.norm(nearest - np.array(where)) > radius_mm + SIGHT_MM)


def _spool(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """A spool whose axis points sideways, wound with some filament."""
    x, y, z = where
    skin, wound = one_of(rng, ("#2a2a2c", "#d8d8d4", "#b0b4b8", "#8c6a44")), one_of(rng, STUFF)
    outer, inner = float(rng.uniform(90, 102)), float(rng.uniform(55, 88))
    for left in (x - 33, x + 29):
        pile.add(prism(circle((y, z), outer, 14), left, left + 4, X), skin, 0.3)
    pile.add(prism(circle((y, z), inner, 12), x - 29, x + 29, X), wound, 0.4)
    for away in (-1.0, 1.0):
        pile.add(flat(circle((y, z), 27, 10), x + 33.4 * away, X, away), scaled(BLACK, 0.6), 0.1)


def _display(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """A box with a lit screen and a knob."""
    x, y, z = where
    pile.add(slab((x - 45, y - 6, z - 30), (x + 45, y + 16, z + 30), 3.0, Y), varied(BLACK, rng, 0.3), 0.3)
    pile.add(patch((x - 36, z - 14), (x + 22, z + 20), y - 6.4), varied(SCREEN, rng, 0.3), 0.1)
    for line in range(3):
        right = x - 32 + float(rng.uniform(15, 48))
        pile.add(patch((x - 32, z + 10 - 9 * line), (right, z + 13 - 9 * line), y - 6.8), colour("#e8f0ff"))
    pile.add(prism(circle((x + 34, z - 16), 8, 10), y - 16, y - 6, Y), varied(BLACK, rng, 0.4), 0.3)


def _scraper(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """A scraper that lies on the table."""
    x, y, z = where
    turn = rng.uniform(0, math.pi)
    along = np.array([math.cos(turn), math.sin(turn)])
    tip, neck, end = (np.array([x, y]) + at * along for at in (-70.0, 0.0, 110.0))
    pile.add(rod((neck[0], neck[1], z + 8), (end[0], end[1], z + 9), 8.0, 7), one_of(rng, STUFF), 0.3)
    side = np.array([-along[1], along[0]])
    flat = [neck - 7 * side, neck + 7 * side, tip + 22 * side, tip - 22 * side]
    pile.add(prism([(float(p[0]), float(p[1])) for p in reversed(flat)], z + 4, z + 5.5), STEEL, 0.7)


def _ties(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """Cut-off filament and cable ties: thin curls on the table."""
    skin = one_of(rng, STUFF)
    for _ in range(2):
        x, y, z = where[0] + rng.uniform(-30, 30), where[1] + rng.uniform(-30, 30), where[2] + 1.5
        bends = [
            (x + rng.uniform(-70, 70), y + rng.uniform(-70, 70), z + rng.uniform(0, 25)) for _ in range(2)
        ]
        end = (x + rng.uniform(-50, 50), y + rng.uniform(-50, 50), z)
        pile.add(tube(curve((x, y, z), *bends, end, steps=7), 1.2, 3), skin, 0.3)


def _wires(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """A bundle of cables that hangs loosely and lies in bows."""
    x, y, z = where
    for _ in range(int(rng.integers(3, 6))):
        begin = (x + float(rng.normal(0, 12)), y + float(rng.normal(0, 12)), z + float(rng.uniform(40, 110)))
        bends = [
            (x + float(rng.normal(0, 45)), y + float(rng.normal(0, 45)), z + float(rng.uniform(4, 60)))
            for _ in range(2)
        ]
        end = (x + float(rng.normal(0, 80)), y + float(rng.normal(0, 60)), z + 2.0)
        skin = one_of(rng, CABLES, 0.2)
        pile.add(tube(curve(begin, *bends, end, steps=3), float(rng.uniform(1.2, 2.6)), 3), skin, 0.3)


def _scraps(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """Waste of other prints in a heap: short curls in a colour or two."""
    x, y, z = where
    skins = one_of(rng, STUFF), one_of(rng, STUFF)
    for number in range(int(rng.integers(4, 7))):
        at = x + float(rng.normal(0, 18)), y + float(rng.normal(0, 18)), z + float(rng.uniform(1, 14))
        ways = rng.normal(0.0, 9.0, (3, 3)).cumsum(axis=0).tolist()
        bends = [(at[0] + dx, at[1] + dy, max(at[2] + dz, z + 1.0)) for dx, dy, dz in ways]
        pile.add(tube(curve(at, *bends, steps=2), float(rng.uniform(0.6, 1.4)), 3), skins[number % 2], 0.3)


def _loose_spool(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """A spool some of whose windings have come off it."""
    _spool(pile, look, where, rng)
    skin, (x, y, z) = one_of(rng, STUFF), where
    for _ in range(int(rng.integers(2, 4))):
        at_x, size = x + float(rng.uniform(-28, 28)), float(rng.uniform(86, 112))
        turns = np.linspace(0.0, 2.0 * math.pi, RING)
        ring = np.column_stack(
            [np.full(RING, at_x), y + size * np.cos(turns), z - 8.0 + size * np.sin(turns)]
        )
        ring[:, 0] += float(rng.normal(0.0, 12.0)) * np.sin(turns + float(rng.uniform(0.0, 6.3)))
        pile.add(tube(ring, 1.1, 3), skin, 0.4)


def _models(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """Earlier prints beside each other: little boxes, cones and cylinders."""
    x, y, z = where
    for _ in range(int(rng.integers(1, MODELS_MOST))):
        skin, size = one_of(rng, STUFF), float(rng.uniform(12, 24))
        if chance(rng, 0.5):
            pile.add(slab((x - size, y - size, z), (x + size, y + size, z + 2 * size), size * 0.2), skin, 0.3)
        else:
            top = float(rng.uniform(0.3, 1.0)) * size
            pile.add(rod((x, y, z), (x, y, z + float(rng.uniform(1, 4)) * size), size, 8, top), skin, 0.3)
        x, y = x + 2.2 * size, y + float(rng.uniform(-10, 25))


def _tape(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """A roll of tape that lies."""
    x, y, z = where
    pile.add(prism(circle((x, y), 46, 14), z, z + 40), one_of(rng, ("#2868b8", "#c8a468", "#d8d8d0")), 0.3)
    pile.add(flat(circle((x, y), 34), z + 40.3, Z, 1.0), scaled(BLACK, 0.8), 0.1)


def _bottle(pile: Pile, look: Look, where: Vector, rng: np.random.Generator) -> None:
    """A spray bottle or a stick of glue."""
    x, y, z = where
    skin, cap = one_of(rng, ("#e8e8e4", "#c82830", "#2858b0", "#e8d8a0")), one_of(rng, STUFF)
    height = float(rng.uniform(70, 150))
    pile.add(rod((x, y, z), (x, y, z + height), 26.0, 7), skin, 0.4)
    pile.add(rod((x, y, z + height), (x, y, z + height + 16), 26.0, 7, 9.0), skin, 0.4)
    pile.add(rod((x, y, z + height + 16), (x, y, z + height + 45), 11.0, 6), cap, 0.3)


def _beside(look: Look, rng: np.random.Generator) -> Vector:
    """On the table or the floor, left or right of the printer."""
    width, depth = look.printer.bed_mm
    x = float(rng.choice([-1.0, 1.0])) * float(rng.uniform(0.62, 0.9)) * (width + 60) + width / 2
    return (x, float(rng.uniform(-60, depth + 120)), _table(look))


def _by_the_bed(look: Look, rng: np.random.Generator) -> Vector:
    """Close to the bed's rear half, left or right of it, where nothing moves."""
    width, depth = look.printer.bed_mm
    away = float(rng.uniform(60, 95))
    x = -away if chance(rng, 0.5) else width + away
    return (x, float(rng.uniform(0.4, 1.2)) * depth, _table(look) + float(rng.uniform(0.0, 50.0)))


def _behind(look: Look, rng: np.random.Generator) -> Vector:
    """On the table, beyond the printer."""
    width, depth = look.printer.bed_mm
    return (float(rng.uniform(-80, width + 80)), depth + float(rng.uniform(170, 300)), _table(look))


def _at_side(look: Look, rng: np.random.Generator) -> Vector:
    """A spool's middle, on a holder beside or behind the portal."""
    x, y, z = _behind(look, rng) if chance(rng, 0.5) else _beside(look, rng)
    return (x, y, z + 104)


def _on_top(look: Look, rng: np.random.Generator) -> Vector:
    """A spool's middle, over the portal."""
    width, depth = look.printer.bed_mm
    return (width * float(rng.uniform(0.3, 0.7)), depth / 2 + 70, 450.0)


def _front_right(look: Look, rng: np.random.Generator) -> Vector:
    width, _ = look.printer.bed_mm
    return (width + 62.0, float(rng.uniform(-70, -30)), TABLE_MM + float(rng.uniform(30, 60)))


def _table(look: Look) -> float:
    closed = look.printer.kinematics is Kinematics.CORE_XY
    return -260.0 if closed else TABLE_MM


# What is built, where, and how large it is at most, mm.
PLACES: dict[Prop, tuple[Placer, Callable[[Look, np.random.Generator], Vector], float]] = {
    Prop.SPOOL: (_spool, _at_side, 105.0),
    Prop.TOP_SPOOL: (_spool, _on_top, 105.0),
    Prop.DISPLAY: (_display, _front_right, 55.0),
    Prop.SCRAPER: (_scraper, _beside, 60.0),
    Prop.TIES: (_ties, _beside, 40.0),
    Prop.MODELS: (_models, _behind, 60.0),
    Prop.TAPE: (_tape, _behind, 50.0),
    Prop.BOTTLE: (_bottle, _behind, 80.0),
    Prop.WIRES: (_wires, _by_the_bed, 60.0),
    Prop.SCRAPS: (_scraps, _by_the_bed, 40.0),
    Prop.LOOSE_SPOOL: (_loose_spool, _at_side, 115.0),
}
