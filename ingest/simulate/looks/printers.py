"""Which printers, beds, rooms and things a split's farms have."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from ingest.simulate.look import Colour, Kinematics, Lamp, Printer, Shading
from ingest.simulate.looks.colours import as_colour, one_of
from ingest.simulate.looks.noise import chance
from ingest.simulate.looks.styles import Bed, Frame, Head, Prop, Room
from ingest.simulate.splits import Split


class Farm(msgspec.Struct, frozen=True, kw_only=True):
    """What a split's farms are made of. No style of a head, bed or room is in two splits."""

    kinematics: dict[Kinematics, float]  # with their shares
    heads: dict[Kinematics, tuple[Head, ...]]
    beds: tuple[Bed, ...]
    rooms: tuple[Room, ...]
    chambers: tuple[Room, ...]  # what is behind the part inside a closed printer
    frame_colours: tuple[str, ...]
    head_colours: tuple[str, ...]
    accents: tuple[str, ...]
    shadings: tuple[Shading, ...] = (Shading.PLAIN,)


FARMS: dict[Split, Farm] = {
    Split.TRAIN: Farm(
        kinematics={Kinematics.BED_SLINGER: 0.68, Kinematics.CORE_XY: 0.24, Kinematics.DELTA: 0.08},
        heads={
            Kinematics.BED_SLINGER: (Head.SHROUD, Head.ORANGE_FAN, Head.EXPOSED, Head.SOCK, Head.SLOTTED_BOX),
            Kinematics.CORE_XY: (Head.TALL_VENTS, Head.SLOTTED_BOX, Head.EXPOSED),
            Kinematics.DELTA: (Head.EFFECTOR,),
        },
        beds=(Bed.BLACK_GLASS, Bed.PRINTED_MAT, Bed.GOLD_SHEET, Bed.BLACK_SHEET, Bed.CLEAR_GLASS, Bed.TAPE),
        rooms=(Room.WHITE_WALL, Room.DARK, Room.WINDOW, Room.SHELVES, Room.DESK),
        chambers=(Room.DARK_CHAMBER, Room.METAL_CHAMBER),
        frame_colours=("#26272a", "#2e3033", "#383a3e", "#8f9296"),
        head_colours=("#2a2b2e", "#333437", "#3c3e42"),
        accents=("#e8601c", "#c01c20", "#2060c0", "#d0a020"),
    ),
    Split.VAL: Farm(
        kinematics={Kinematics.BED_SLINGER: 0.7, Kinematics.CORE_XY: 0.3},
        heads={
            Kinematics.BED_SLINGER: (Head.BLOWER, Head.VORON),
            Kinematics.CORE_XY: (Head.VORON,),
        },
        beds=(Bed.SCRATCHED, Bed.RULER),
        rooms=(Room.PEGBOARD, Room.CURTAIN),
        chambers=(Room.TINTED_CHAMBER,),
        frame_colours=("#2a2c30", "#5a5e64", "#3a3e46"),
        head_colours=("#2c2e32", "#484c52"),
        accents=("#b02c18", "#8a5a34", "#20808a"),
    ),
    Split.TEST: Farm(
        kinematics={Kinematics.BED_SLINGER: 0.6, Kinematics.CORE_XY: 0.28, Kinematics.DELTA: 0.12},
        heads={
            Kinematics.BED_SLINGER: (Head.COVERED, Head.ROUNDED, Head.TWIN_FAN),
            Kinematics.CORE_XY: (Head.COVERED, Head.ROUNDED),
            Kinematics.DELTA: (Head.COLUMN,),
        },
        beds=(Bed.CARBON, Bed.AMBER_SHEET, Bed.GAROLITE, Bed.STARRY),
        rooms=(Room.BRICK, Room.PLANTS, Room.PERFORATED, Room.TILES),
        chambers=(Room.LIT_CHAMBER,),
        frame_colours=("#282a2e", "#363a42", "#a8abb0", "#d8d8d4", "#6c2422"),
        head_colours=("#282a2e", "#54575c", "#c8c8c6"),
        accents=("#30a050", "#d83018", "#7038b0", "#18a0c8"),
        shadings=(Shading.PLAIN, Shading.SOFT, Shading.HARSH),
    ),
}
FRAMES: dict[Kinematics, tuple[Frame, ...]] = {
    Kinematics.BED_SLINGER: (Frame.PROFILE, Frame.RODS, Frame.PLATES),
    Kinematics.CORE_XY: (Frame.RODS, Frame.RAIL),
    Kinematics.DELTA: (Frame.PROFILE,),
}
PROP_SHARES: dict[Prop, float] = {
    Prop.SPOOL: 0.35,
    Prop.TOP_SPOOL: 0.15,
    Prop.CLIPS: 0.35,
    Prop.DISPLAY: 0.4,
    Prop.SCRAPER: 0.25,
    Prop.TIES: 0.25,
    Prop.MODELS: 0.3,
    Prop.TAPE: 0.2,
    Prop.BOTTLE: 0.2,
    Prop.WIRES: 0.3,
    Prop.SCRAPS: 0.2,
    Prop.LOOSE_SPOOL: 0.15,
}
MOST_PROPS = 3
CLIPPED_BEDS = (Bed.BLACK_GLASS, Bed.CLEAR_GLASS, Bed.RULER, Bed.GAROLITE)
WARM, COLD = (0.62, 0.85, 1.0), (1.0, 0.96, 0.88)  # a bulb's light and an overcast window's


def draw_printer(rng: np.random.Generator, split: Split, bed_mm: tuple[float, float]) -> Printer:
    """A printer of the split's farms that has a bed of this size."""
    farm = FARMS[split]
    kinematics = Kinematics(str(rng.choice(list(farm.kinematics), p=list(farm.kinematics.values()))))
    heads, frames = farm.heads[kinematics], FRAMES[kinematics]
    return Printer(
        kinematics=kinematics,
        bed_mm=bed_mm,
        round_bed=kinematics is Kinematics.DELTA,
        head_style=int(heads[int(rng.integers(len(heads)))]),
        frame_style=int(frames[int(rng.integers(len(frames)))]),
        frame_colour=one_of(rng, farm.frame_colours),
        head_colour=one_of(rng, farm.head_colours),
        accent=one_of(rng, farm.accents),
    )


def draw_bed(rng: np.random.Generator, split: Split) -> Bed:
    """A surface to print on."""
    beds = FARMS[split].beds
    return beds[int(rng.integers(len(beds)))]


def draw_room(rng: np.random.Generator, split: Split, enclosed: bool) -> Room:
    """What is behind the printer."""
    rooms = FARMS[split].chambers if enclosed else FARMS[split].rooms
    return rooms[int(rng.integers(len(rooms)))]


def draw_props(rng: np.random.Generator, bed: Bed, enclosed: bool) -> tuple[int, ...]:
    """Things on and about the printer; clips only where a plate is clipped on."""
    here = [int(prop) for prop, share in PROP_SHARES.items() if chance(rng, share)]
    if bed not in CLIPPED_BEDS:
        here = [prop for prop in here if prop != Prop.CLIPS]
    fitting = [prop for prop in here if not enclosed or prop in (Prop.CLIPS, Prop.MODELS)]
    chosen = rng.permutation(len(fitting))[:MOST_PROPS]
    return tuple(fitting[int(at)] for at in sorted(chosen))


def draw_lamp(rng: np.random.Generator, split: Split, room: Room, enclosed: bool) -> Lamp:
    """The light: a lamp or window from somewhere above, or the printer's own from close above the part."""
    turn, height = rng.uniform(0.0, 2 * math.pi), rng.uniform(0.5, 2.5)
    if enclosed:
        height = float(rng.uniform(1.2, 3.0))
    dim = room in (Room.DARK, Room.DARK_CHAMBER)
    ambient = float(rng.uniform(0.08, 0.2) if dim else rng.uniform(0.22, 0.45))
    shadings = FARMS[split].shadings
    return Lamp(
        towards=(math.cos(turn), math.sin(turn) - 0.3, float(height)),
        colour=_lamp_colour(rng),
        strength=float(rng.uniform(0.45, 1.0)),
        ambient=as_colour(ambient * np.array(_lamp_colour(rng))),
        shadow=float(rng.uniform(0.2, 0.75)),
        shading=shadings[int(rng.integers(len(shadings)))],
    )


def _lamp_colour(rng: np.random.Generator) -> Colour:
    return as_colour(np.array(WARM) + rng.uniform(0.2, 1.0) * (np.array(COLD) - np.array(WARM)))
