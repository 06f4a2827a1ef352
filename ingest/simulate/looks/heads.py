"""Toolheads, one function per style. Coordinates, mm: from the nozzle's tip; the gantry is behind (y > 0)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from ingest.simulate.look import Look, Printer, Vector
from ingest.simulate.looks import head_parts as parts
from ingest.simulate.looks.colours import colour, mixed, scaled, varied
from ingest.simulate.looks.noise import chance
from ingest.simulate.looks.shapes import Pile, Y, box, circle, patch, prism, rod, slab
from ingest.simulate.looks.styles import Head
from ingest.simulate.mesh import Carrier, Mesh

Builder: TypeAlias = Callable[[Pile, Printer, np.random.Generator], Vector]
"""Puts a head into a pile; returns where its cables and its filament leave and enter it."""

BOWDEN_SHARE = 0.6
LAMP_WHITE = colour("#fdfdff")


def head(look: Look, rng: np.random.Generator) -> Mesh:
    """The toolhead with its cables, carried by the nozzle."""
    pile = Pile(Carrier.HEAD)
    style = Head(look.printer.head_style)
    top = HEADS[style](pile, look.printer, rng)
    if style not in DIRECT or chance(rng, BOWDEN_SHARE):
        parts.bowden(pile, top, rng)
    parts.loom(pile, (top[0] + 14, top[1] + 10, top[2] - 4), rng, float(rng.uniform(3.5, 6.5)))
    parts.wires(pile, (top[0] - 10, top[1] - 4, top[2] - 2), rng, int(rng.integers(0, 3)))
    return pile.mesh()


def _lift(rng: np.random.Generator) -> float:
    """By how much a head ends above the nozzle's tip, mm."""
    return float(rng.uniform(3.0, 9.0))


def shroud(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A black box of sheet metal, fan at the front behind a grille, a part fan at its side."""
    skin, low = printer.head_colour, _lift(rng)
    parts.nozzle(pile, rng)
    width, high = float(rng.uniform(48, 60)), low + float(rng.uniform(48, 62))
    left = -width * float(rng.uniform(0.42, 0.58))
    parts.cover(pile, (left, -32, low), (left + width, 8, high), skin, rng)
    parts.fan(pile, (left + width / 2, -32.2, low + 0.52 * (high - low)), 19.0, rng, scaled(skin, 1.5))
    parts.logo(pile, left + 4, -32.2, high - 9, 18, varied(parts.GOLD, rng, 0.1), rng)
    parts.warning(pile, left + width - 15, -32.2, low + 3, 12)
    parts.duct(
        pile,
        left + width + 14 if chance(rng, 0.7) else left - 14,
        scaled(skin, 1.2),
        rng,
        max(low - 2, 2.0),
    )
    parts.side_slots(pile, left, low + 14, 4, scaled(skin, 0.4))
    if chance(rng, 0.5):
        parts.probe(pile, (left - 13, -14), rng)
    parts.carriage(pile, low + 6, high + 18, scaled(skin, 1.2), rng)
    return (0.0, 0.0, high)


def orange_fan(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """Printed parts: a body in the accent's colour, a black fan to the left, a duct before the nozzle."""
    skin, low = printer.accent, _lift(rng)
    parts.nozzle(pile, rng)
    high = low + float(rng.uniform(58, 74))
    parts.cover(pile, (-24, -20, low + 12), (26, 10, high), printer.head_colour, rng, 4.0)
    pile.add(slab((-28, -30, low + 22), (-20, 4, high - 10), 2.0, Y), skin, 0.2)
    pile.add(slab((-14, -34, low + 28), (26, -20, low + 66), 3.0, Y), parts.DARK, 0.2)
    parts.fan(pile, (6, -34.2, low + 47), 17.0, rng)
    pile.add(prism([(-14, low + 3), (14, low + 3), (22, low + 26), (-12, low + 26)], -32, -14, Y), skin, 0.25)
    pile.add(slab((-30, -6, high - 16), (30, 12, high), 3.0, Y), skin, 0.2)
    parts.probe(pile, (26, 4), rng)
    parts.carriage(pile, low + 10, high, scaled(skin, 0.7), rng)
    return (0.0, 2.0, high)


def voron(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A narrow body that slants to the nozzle, twin ducts and lamps below, an accent in the middle."""
    skin, low = printer.head_colour, _lift(rng)
    parts.nozzle(pile, rng, parts.sock_colour(rng))
    high = low + float(rng.uniform(70, 90))
    for side in (-1.0, 1.0):
        corners = [(6.0, low), (13.0, low), (27.0, low + 34), (20.0, low + 34)]
        outline = corners if side > 0 else [(-x, z) for x, z in reversed(corners)]
        pile.add(prism(outline, -24, 12, Y), skin, 0.2)
        pile.add(rod((side * 9, -20, low - 0.3), (side * 9, -20, low + 0.6), 2.2, 8), LAMP_WHITE, 0.0)
    parts.cover(pile, (-28, -30, low + 32), (28, 12, low + 62), skin, rng, 5.0)
    parts.fan(pile, (0, -30.2, low + 47), 14.0, rng, skin)
    pile.add(slab((-20, -26, low + 62), (20, 12, high), 6.0, Y), printer.accent, 0.25)
    parts.logo(pile, -8, -26.2, low + 66, 14, parts.WHITE, rng)
    parts.carriage(pile, low + 20, high - 6, scaled(skin, 1.3), rng)
    return (0.0, -4.0, high)


def exposed(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A direct drive: motor and gears in the open over a small fan."""
    skin, low = printer.head_colour, _lift(rng)
    top = parts.nozzle(pile, rng, parts.sock_colour(rng) if chance(rng, 0.6) else None)
    parts.heat_sink(pile, top, rng)
    pile.add(slab((-20, -22, low + 16), (22, -12, low + 54), 2.0, Y), parts.DARK, 0.2)
    parts.fan(pile, (1, -22.2, low + 35), 17.5, rng, None)
    parts.motor(pile, (float(rng.uniform(-6, 10)), -16, low + 78), rng, float(rng.uniform(30, 42)))
    pile.add(slab((-30, -12, low + 54), (16, 8, low + 66), 2.0, Y), printer.accent, 0.3)
    parts.duct(pile, float(rng.choice([-30.0, 32.0])), skin, rng)
    parts.carriage(pile, low + 12, low + 96, skin, rng)
    return (-14.0, 0.0, low + 84)


def covered(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A smooth cover, bevelled all round, a grille above and a dark window below."""
    skin, low = printer.head_colour, _lift(rng)
    parts.nozzle(pile, rng, parts.sock_colour(rng))
    high = low + float(rng.uniform(74, 96))
    pile.add(
        prism([(-14, low), (14, low), (30, low + 16), (-30, low + 16)], -26, 10, Y), scaled(skin, 0.7), 0.3
    )
    parts.cover(pile, (-31, -30, low + 16), (31, 12, high), skin, rng, 7.0)
    parts.louvres(pile, (-18, -30.2, high - 26), 36, 5, 4.0, scaled(skin, 0.25))
    pile.add(slab((-20, -30.6, low + 22), (20, -30.1, low + 44), 3.0, Y), scaled(parts.BLACK, 0.8), 0.8)
    pile.add(box((-31.4, -20, low + 18), (-31, -14, high - 4)), printer.accent, 0.3)
    parts.logo(pile, 6, -30.9, low + 25, 11, parts.SILVER, rng)
    return (10.0, 2.0, high)


def effector(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A delta's platform between its arms, heat sink and fan hang in it."""
    low = 22.0 + _lift(rng)
    top = parts.nozzle(pile, rng, parts.sock_colour(rng) if chance(rng, 0.5) else None)
    parts.heat_sink(pile, top, rng)
    pile.add(prism(circle((0, 0), 34, 6), low, low + 7), printer.accent, 0.3)
    pile.add(slab((-18, -28, low - 4), (18, -18, low + 32), 2.0, Y), parts.DARK, 0.2)
    parts.fan(pile, (0, -28.2, low + 14), 15.0, rng, None)
    for turn in range(3):
        angle = np.pi * (0.5 + 2 / 3 * turn)
        x, y = float(30 * np.cos(angle)), float(30 * np.sin(angle))
        pile.add(rod((x - 10, y, low + 3.5), (x + 10, y, low + 3.5), 4.0, 6), parts.STEEL, 0.5)
    parts.duct(pile, float(rng.choice([-30.0, 30.0])), printer.head_colour, rng)
    return (0.0, 0.0, top + 30)


def sock(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """Everything in the open: sock, heat sink, a fan at the side, on a bent plate."""
    top = parts.nozzle(pile, rng, parts.sock_colour(rng))
    high = parts.heat_sink(pile, top, rng, mixed(parts.SILVER, printer.accent, float(rng.choice([0.0, 0.8]))))
    pile.add(slab((-26, -6, top + 4), (-14, 26, high), 2.0, Y), printer.accent, 0.2)
    pile.add(slab((12, -24, 20), (22, 16, 58), 2.0, Y), parts.DARK, 0.2)
    parts.fan(pile, (-2, -16.2, top + 18), 14.0, rng, None)
    parts.duct(pile, 32.0, printer.head_colour, rng)
    if chance(rng, 0.6):
        parts.probe(pile, (-30, -4), rng)
    parts.carriage(pile, 12, high + 26, printer.head_colour, rng)
    return (0.0, 0.0, high)


def slotted_box(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A plain black box with rounded edges and a few slots, through which a lamp may glow."""
    skin, low = printer.head_colour, _lift(rng)
    parts.nozzle(pile, rng)
    width, high = float(rng.uniform(46, 62)), low + float(rng.uniform(50, 66))
    left = -width * float(rng.uniform(0.35, 0.65))
    parts.cover(pile, (left, -28, low), (left + width, 10, high), skin, rng, 4.0)
    glow = colour("#a01410") if chance(rng, 0.4) else scaled(skin, 0.3)
    parts.louvres(pile, (left + 8, -28.2, high - 26), width * 0.6, 3, 7.0, scaled(skin, 0.3))
    pile.add(patch((left + 14, high - 19), (left + 18, high - 17), -28.6), glow)
    parts.side_slots(pile, left, low + 14, 4, scaled(skin, 0.4))
    parts.side_slots(pile, left + width, low + 14, 4, scaled(skin, 0.4))
    parts.carriage(pile, low + 10, high + 20, scaled(skin, 1.4), rng)
    return (left + width * 0.6, 0.0, high)


def tall_vents(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A tall box on two rods: louvres in its lower half, yellow signs in the upper."""
    skin, low = printer.head_colour, _lift(rng)
    parts.nozzle(pile, rng)
    width, high = float(rng.uniform(36, 52)), low + float(rng.uniform(84, 110))
    parts.cover(pile, (-width / 2, -30, low + 10), (width / 2, 14, high), skin, rng, 3.0)
    pile.add(
        prism([(-12, low), (12, low), (width / 2, low + 10), (-width / 2, low + 10)], -28, 10, Y), skin, 0.2
    )
    parts.louvres(pile, (-width / 2 + 6, -30.2, low + 14), width - 12, 6, 4.6, scaled(skin, 0.3))
    left = float(rng.uniform(-width / 2 + 3, 0))
    pile.add(patch((left, high - 34), (left + 15, high - 24), -30.4), parts.WHITE)
    parts.warning(pile, left + 0.5, -30.5, high - 33, 6.5)
    parts.warning(pile, left + 8.0, -30.5, high - 33, 6.5)
    parts.side_slots(pile, -width / 2, low + 20, 6, scaled(skin, 0.4))
    return (0.0, 4.0, high)


def blower(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A large round fan on a curved duct in the accent's colour."""
    skin, low = printer.accent, _lift(rng)
    parts.nozzle(pile, rng, parts.sock_colour(rng))
    pile.add(
        prism(
            [(-24, low + 8), (-8, low), (16, low), (24, low + 20), (20, low + 34), (-26, low + 34)], -30, 8, Y
        ),
        skin,
        0.3,
    )
    pile.add(prism(circle((0, low + 56), 27, 14), -30, 4, Y), parts.DARK, 0.25)
    parts.fan(pile, (0, -30.2, low + 56), 22.0, rng, None)
    parts.logo(pile, -10, -30.4, low + 14, 14, scaled(skin, 1.8), rng)
    parts.motor(pile, (38, -6, low + 70), rng, 30.0)
    parts.carriage(pile, low + 14, low + 84, printer.head_colour, rng)
    return (0.0, 6.0, low + 84)


def rounded(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A cover with large roundings, a light bar at its lower edge."""
    skin, low = printer.head_colour, _lift(rng)
    parts.nozzle(pile, rng)
    high = low + float(rng.uniform(66, 84))
    pile.add(slab((-29, -32, low), (29, 12, high), 13.0, Y), skin, 0.35)
    parts.cover(pile, (-22, -36, low + 16), (22, -32, high - 12), scaled(skin, 1.15), rng, 1.0)
    pile.add(box((-14, -32.6, low + 4), (14, -32.0, low + 6.5)), LAMP_WHITE)
    pile.add(prism(circle((0, high - 26), 11, 14), -37.0, -36.2, Y), scaled(parts.BLACK, 0.7), 0.7)
    pile.add(prism(circle((0, high - 26), 4, 10), -37.4, -37.0, Y), printer.accent, 0.5)
    parts.side_slots(pile, -29, low + 24, 4, scaled(skin, 0.4))
    return (-8.0, 2.0, high)


def column(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A delta's effector: a tall column with a ring of lamps below."""
    low = 18.0 + _lift(rng)
    parts.nozzle(pile, rng)
    pile.add(rod((0, 0, 14), (0, 0, low + 70), 15.0, 12), printer.head_colour, 0.35)
    pile.add(prism(circle((0, 0), 30, 12), low, low + 5), parts.DARK, 0.3)
    pile.add(prism(circle((0, 0), 24, 12), low - 0.6, low), LAMP_WHITE)
    parts.fan(pile, (0, -16.2, low + 40), 13.0, rng, None)
    pile.add(slab((-30, -6, low + 5), (30, 6, low + 14), 2.0, Y), printer.accent, 0.3)
    return (0.0, 0.0, low + 70)


def twin_fan(pile: Pile, printer: Printer, rng: np.random.Generator) -> Vector:
    """A wide plate with two fans side by side and ducts from both sides."""
    skin, low = printer.head_colour, _lift(rng)
    parts.nozzle(pile, rng, parts.sock_colour(rng))
    high = low + float(rng.uniform(54, 66))
    parts.cover(pile, (-38, -24, low + 14), (38, 8, high), skin, rng, 3.0)
    for x in (-18.5, 18.5):
        parts.fan(pile, (x, -24.2, low + 33), 16.0, rng, None)
    parts.duct(pile, -30.0, printer.accent, rng)
    parts.duct(pile, 30.0, printer.accent, rng)
    parts.logo(pile, -12, -24.2, high - 8, 24, varied(parts.SILVER, rng, 0.1), rng)
    parts.carriage(pile, low + 8, high + 20, scaled(skin, 1.3), rng)
    return (0.0, 0.0, high)


HEADS: dict[Head, Builder] = {
    Head.SHROUD: shroud,
    Head.ORANGE_FAN: orange_fan,
    Head.VORON: voron,
    Head.EXPOSED: exposed,
    Head.COVERED: covered,
    Head.EFFECTOR: effector,
    Head.SOCK: sock,
    Head.SLOTTED_BOX: slotted_box,
    Head.TALL_VENTS: tall_vents,
    Head.BLOWER: blower,
    Head.ROUNDED: rounded,
    Head.COLUMN: column,
    Head.TWIN_FAN: twin_fan,
}
DIRECT = (Head.ORANGE_FAN, Head.VORON, Head.EXPOSED)
