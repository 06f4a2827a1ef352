"""Draws a look: a camera before a printer in a room, as a split's farms have them."""

from __future__ import annotations

import numpy as np

from ingest.simulate.look import Kinematics, Look
from ingest.simulate.looks.cameras import draw_family, draw_sensor
from ingest.simulate.looks.noise import chance
from ingest.simulate.looks.palettes import draw_filaments
from ingest.simulate.looks.placing import draw_lens, part_extent
from ingest.simulate.looks.printers import draw_bed, draw_lamp, draw_printer, draw_props, draw_room
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Toolpath

SEEDS = 2**31  # as many looks are told apart by their seed
SIZE_PX = (320, 240)
CLOSED_SHARE = 0.75  # of CoreXY printers


def sample_look(
    rng: np.random.Generator, split: Split, path: Toolpath, size: tuple[int, int] = SIZE_PX
) -> Look:
    """A look for a print; ``size`` is the picture's (width, height), px.

    The middle of the printed part, where the nozzle is over it at half of the print, is in the picture.
    Raises ValueError where the path prints nothing.
    """
    printer = draw_printer(rng, split, path.bed_mm)
    enclosed = printer.kinematics is Kinematics.CORE_XY and chance(rng, CLOSED_SHARE)
    bed, room = draw_bed(rng, split), draw_room(rng, split, enclosed)
    _, family = draw_family(rng, split, enclosed)
    sensor = draw_sensor(rng, family, size)
    return Look(
        seed=int(rng.integers(SEEDS)),
        lens=draw_lens(rng, family, part_extent(path, printer.kinematics), sensor),
        sensor=sensor,
        lamp=draw_lamp(rng, split, room, enclosed),
        filaments=draw_filaments(rng, split),
        printer=printer,
        bed_style=int(bed),
        room_style=int(room),
        props=draw_props(rng, bed, enclosed),
    )
