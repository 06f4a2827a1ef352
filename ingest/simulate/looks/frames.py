"""Frames and gantries. A frame is in world coordinates, a gantry's y and z count from the nozzle."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.look import Kinematics, Look, Printer
from ingest.simulate.looks.beams import CHROME, belt, profile, rods, screw, stepper
from ingest.simulate.looks.colours import colour, scaled, varied
from ingest.simulate.looks.noise import chance
from ingest.simulate.looks.shapes import Pile, X, Y, Z, box, prism, rod, slab
from ingest.simulate.looks.styles import Frame
from ingest.simulate.mesh import Carrier, Mesh

BESIDE_MM = 48.0  # from the bed's edge to what stands beside it
BASE_MM = (-92.0, -62.0)  # heights of a bed-slinger's base
TOP_MM = 330.0  # height of the portal
BEHIND_MM = 46.0  # the portal's, from the nozzle's row
TOWER_BEDS = 0.72  # from a round bed's middle to a delta's towers, in widths of the bed
TOWER_TURNS = (math.pi / 2, math.pi * 7 / 6, math.pi * 11 / 6)  # the back one, the front left and right
CLEAR_RAD = 0.35  # no tower stands as near to the line of sight as this, seen from the bed's middle
DARK = colour("#2a2b2e")


def frame(look: Look, rng: np.random.Generator) -> Mesh:
    """All that stands still."""
    pile = Pile(Carrier.FRAME)
    if look.printer.kinematics is Kinematics.BED_SLINGER:
        _base(pile, look.printer, rng)
        _portal(pile, look.printer, rng)
    elif look.printer.kinematics is Kinematics.CORE_XY:
        _side_rails(pile, look.printer, rng)
    else:
        _towers(pile, look, rng)
    return pile.mesh()


def gantry(look: Look, rng: np.random.Generator) -> Mesh:
    """What carries the head from side to side; a delta has none."""
    pile = Pile(Carrier.GANTRY)
    if look.printer.kinematics is Kinematics.BED_SLINGER:
        _beam(pile, look.printer, rng)
    elif look.printer.kinematics is Kinematics.CORE_XY:
        _cross_bar(pile, look.printer, rng)
    return pile.mesh()


def _base(pile: Pile, printer: Printer, rng: np.random.Generator) -> None:
    width, depth = printer.bed_mm
    low, high = BASE_MM
    skin = printer.frame_colour
    back, front = depth / 2 + BEHIND_MM + 40, depth / 2 - 175
    for x in (-12.0, width - 8.0):
        profile(pile, (x, front, low), (x + 20, back, high), Y, skin, rng)
    profile(
        pile,
        (-BESIDE_MM, depth / 2 + BEHIND_MM - 20, low),
        (width + BESIDE_MM, depth / 2 + BEHIND_MM, high),
        X,
        skin,
        rng,
    )
    middle = width / 2
    profile(pile, (middle - 20, front - 20, -58), (middle + 20, back, -38), Y, skin, rng)
    pile.add(
        box((middle - 30, front - 34, -66), (middle + 30, front - 20, -30)),
        varied(DARK, rng, 0.3),
        0.2,
    )
    pile.add(
        box((width - 30, depth / 2 - 60, low), (width + 40, depth / 2 + 80, high + 6)),
        varied(DARK, rng, 0.3),
        0.2,
    )


def _portal(pile: Pile, printer: Printer, rng: np.random.Generator) -> None:
    width, depth = printer.bed_mm
    row = depth / 2 + BEHIND_MM
    skin = printer.frame_colour
    if Frame(printer.frame_style) is Frame.PLATES:
        for x in (-BESIDE_MM - 6, width + BESIDE_MM):
            pile.add(slab((x, row - 30, BASE_MM[0]), (x + 6, row + 50, TOP_MM + 50), 3.0, X), skin, 0.3)
        pile.add(
            slab((-BESIDE_MM, row + 30, TOP_MM + 10), (width + BESIDE_MM, row + 36, TOP_MM + 50), 2.0, Y),
            skin,
            0.3,
        )
        for x in (-BESIDE_MM + 14, width + BESIDE_MM - 14):
            rods(pile, (x, row - 6, -40), (x, row - 6, TOP_MM), (0, 18, 0), rng)
    else:
        for x in (-BESIDE_MM, width + BESIDE_MM - 20):
            profile(pile, (x, row, BASE_MM[1]), (x + 20, row + 40, TOP_MM), Z, skin, rng)
        profile(pile, (-BESIDE_MM, row, TOP_MM), (width + BESIDE_MM, row + 20, TOP_MM + 20), X, skin, rng)
    screw(pile, (-BESIDE_MM + 34, row + 6, BASE_MM[1] + 30), TOP_MM, rng)


def _beam(pile: Pile, printer: Printer, rng: np.random.Generator) -> None:
    width = printer.bed_mm[0]
    low = float(rng.uniform(22, 34))
    skin = printer.frame_colour
    ends = (-BESIDE_MM - 30, width + BESIDE_MM + 12)
    if Frame(printer.frame_style) is Frame.PROFILE:
        profile(pile, (ends[0], 27, low), (ends[1], 47, low + 20), X, skin, rng)
        belt(pile, (ends[0], 25, low + 7), (ends[1], 26, low + 13))
    else:
        rods(pile, (ends[0], 30, low), (ends[1], 30, low), (0, 0, 45), rng)
        belt(pile, (ends[0], 30, low + 18), (ends[1], 31.5, low + 25))
    for x in (ends[0], ends[1] - 42):
        pile.add(
            slab((x, 22, low - 8), (x + 42, 50, low + 52), 4.0, Y),
            varied(_end_skin(printer, rng), rng, 0.1),
            0.2,
        )
    stepper(pile, (ends[0] + 2, 18, low + 52), rng)


def _end_skin(printer: Printer, rng: np.random.Generator) -> tuple[float, float, float]:
    return printer.accent if chance(rng, 0.35) else scaled(printer.frame_colour, 1.1)


def _side_rails(pile: Pile, printer: Printer, rng: np.random.Generator) -> None:
    """Rails to the left and right that the cross bar runs on, a beam at the back, lead screws of the bed."""
    width, depth = printer.bed_mm
    for x in (-BESIDE_MM, width + BESIDE_MM - 20):
        profile(pile, (x, -40, 34), (x + 20, depth + 50, 54), Y, printer.frame_colour, rng)
        pile.add(rod((x + 10, -30, 28), (x + 10, depth + 40, 28), 4.0, 6), varied(CHROME, rng, 0.1), 0.9)
    profile(
        pile, (-BESIDE_MM, depth + 40, 30), (width + BESIDE_MM, depth + 60, 70), X, printer.frame_colour, rng
    )
    for x in (width * 0.18, width * 0.82):
        pile.add(
            rod((x - 16, depth + 30, -260), (x - 16, depth + 30, 34), 5.0, 6), varied(CHROME, rng, 0.1), 0.9
        )
        pile.add(rod((x, depth + 30, -260), (x, depth + 30, 30), 4.0, 6), colour("#8c8e90"), 0.5)


def _cross_bar(pile: Pile, printer: Printer, rng: np.random.Generator) -> None:
    width = printer.bed_mm[0]
    low = float(rng.uniform(16, 30))
    ends = (-BESIDE_MM + 8, width + BESIDE_MM - 8)
    if Frame(printer.frame_style) is Frame.RAIL:
        profile(pile, (ends[0], 16, low), (ends[1], 36, low + 20), X, printer.frame_colour, rng)
        pile.add(box((ends[0], 12, low + 5), (ends[1], 16, low + 14)), colour("#b0b4b8"), 0.7)
    else:
        rods(pile, (ends[0], 6, low), (ends[1], 6, low), (0, 0, float(rng.uniform(35, 55))), rng, 4.5)
        belt(pile, (ends[0], 12, low + 20), (ends[1], 13.5, low + 26))
    for x in (ends[0] - 10, ends[1] - 24):
        pile.add(
            slab((x, -14, low - 10), (x + 34, 40, low + 60), 4.0, Y),
            varied(printer.head_colour, rng, 0.2),
            0.25,
        )


def _towers(pile: Pile, look: Look, rng: np.random.Generator) -> None:
    """Three profiles about the round bed, but for one that would stand before the camera, and a base."""
    x, y = look.printer.bed_mm[0] / 2, look.printer.bed_mm[1] / 2
    reach = TOWER_BEDS * look.printer.bed_mm[0]
    sight = math.atan2(look.lens.eye_mm[1] - y, look.lens.eye_mm[0] - x)
    for turn in TOWER_TURNS:
        if abs(math.remainder(turn - sight, 2 * math.pi)) > CLEAR_RAD:
            at = (x + reach * math.cos(turn), y + reach * math.sin(turn))
            profile(
                pile,
                (at[0] - 10, at[1] - 10, -80),
                (at[0] + 10, at[1] + 10, 700),
                Z,
                look.printer.frame_colour,
                rng,
            )
    corners = [(x + 1.15 * reach * math.cos(t), y + 1.15 * reach * math.sin(t)) for t in sorted(TOWER_TURNS)]
    pile.add(prism(corners, -90, -45), varied(look.printer.frame_colour, rng, 0.2), 0.3)
