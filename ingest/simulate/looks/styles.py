"""The numbers that a ``Look`` has for styles. New ones go to the end: a number is never used again."""

from __future__ import annotations

from enum import IntEnum


class Head(IntEnum):
    """Toolheads."""

    SHROUD = 0  # a black box with a fan behind a grille, a logo and a warning sign
    ORANGE_FAN = 1  # printed parts in the accent's colour, a black fan at the front
    VORON = 2  # slanted, with lamps beside the nozzle
    EXPOSED = 3  # a direct drive with its motor in the open
    COVERED = 4  # a smooth cover with a window
    EFFECTOR = 5  # a delta's small platform
    SOCK = 6  # heater block in a silicone sock, heat sink and fan in the open
    SLOTTED_BOX = 7  # a plain box with slots
    TALL_VENTS = 8  # a tall black box with louvres and yellow signs
    BLOWER = 9  # a big blower with a curved duct
    ROUNDED = 10  # rounded cover with a light bar
    COLUMN = 11  # a delta's effector with a tall column
    TWIN_FAN = 12  # two fans side by side


class Frame(IntEnum):
    """What the gantry runs on."""

    PROFILE = 0  # aluminium profiles with slots
    RODS = 1  # pairs of smooth rods
    PLATES = 2  # a bent plate portal, rods
    RAIL = 3  # a profile with a linear rail


class Bed(IntEnum):
    """Surfaces to print on."""

    BLACK_GLASS = 0
    PRINTED_MAT = 1
    GOLD_SHEET = 2
    BLACK_SHEET = 3
    CLEAR_GLASS = 4
    TAPE = 5
    SCRATCHED = 6
    RULER = 7
    CARBON = 8
    AMBER_SHEET = 9
    GAROLITE = 10
    STARRY = 11


class Room(IntEnum):
    """What is behind the printer."""

    WHITE_WALL = 0
    DARK = 1
    WINDOW = 2
    SHELVES = 3
    BRICK = 4
    PEGBOARD = 5
    DESK = 6
    DARK_CHAMBER = 7
    CURTAIN = 8
    PLANTS = 9
    PERFORATED = 10
    TILES = 11
    METAL_CHAMBER = 12
    TINTED_CHAMBER = 13
    LIT_CHAMBER = 14


class Prop(IntEnum):
    """Things on and about a printer."""

    SPOOL = 0
    TOP_SPOOL = 1
    CLIPS = 2
    DISPLAY = 3
    SCRAPER = 4
    TIES = 5
    MODELS = 6
    TAPE = 7
    BOTTLE = 8
    WIRES = 9
    SCRAPS = 10
    LOOSE_SPOOL = 11
