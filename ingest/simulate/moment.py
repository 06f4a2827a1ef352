"""All that a camera could see of a printer at one moment: what the physics hands to the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.deposit import Deposit
from ingest.simulate.toolpath import Position

Pose: TypeAlias = npt.NDArray[np.float32]
"""[4, 4]: where a part that has come loose has gone, applied to its lines in bed coordinates."""


class Strand(NamedTuple):
    """Loose filament. ``points`` [n, 3] mm: in bed coordinates, or from the nozzle where it hangs on it.

    ``filament`` is its number: 0 is the first, as ``Moment.colours`` counts them.
    """

    points: npt.NDArray[np.float32]
    radius_mm: float
    on_nozzle: bool = False
    filament: int = 0


class Passing(StrEnum):
    """What may come between the camera and the printer."""

    HAND = "hand"
    PERSON = "person"
    DOOR = "door"  # of an enclosure: it swings through the picture and mirrors the room


class Visitor(NamedTuple):
    """Somebody or something in the picture; ``phase`` runs from 0 (comes in) to 1 (is gone)."""

    kind: Passing
    phase: float
    seed: int  # how it looks


class Light(NamedTuple):
    """How the light differs from the usual: factors on the room's and on the printer's own lamp."""

    room: float = 1.0
    lamp: float = 1.0
    warmth: float = 0.0  # -1 colder … 1 warmer
    infrared: bool = False  # the camera's night mode: grey, its own lamp


class View(NamedTuple):
    """How the camera differs from how it was mounted."""

    pan_deg: float = 0.0
    tilt_deg: float = 0.0
    roll_deg: float = 0.0
    blur: float = 0.0  # out of focus, 0..1
    dirt: float = 0.0  # grease or dust on the lens, 0..1
    covered: bool = False


class Moment(NamedTuple):
    """What there is to see ``at_s`` seconds after the simulation's start.

    ``nozzle`` is where the nozzle really is over the bed, ``velocity_mm_s`` (x, y, z) how it moves there.
    ``strands`` has what lies on the bed first, then what hangs on the nozzle. What lies only ever grows: such
    a strand may be kept by who draws it; what hangs on the nozzle changes at any time.
    ``poses`` and ``warps_mm`` are by part: a part not named stands where it was printed and lies flat;
    ``warps_mm`` tells by how much its corners have come up. ``colour`` counts filament changes: 0 is the
    first filament, and ``colours`` tells from which line of the deposit on each later one was laid.
    """

    at_s: float
    nozzle: Position
    velocity_mm_s: tuple[float, float, float]
    deposit: Deposit
    strands: Sequence[Strand] = ()
    poses: Mapping[int, Pose] = {}
    warps_mm: Mapping[int, float] = {}
    nozzle_blob_mm: float = 0.0  # radius of the lump on the nozzle
    colours: Sequence[int] = ()
    light: Light = Light()
    view: View = View()
    visitors: Sequence[Visitor] = ()
    hot: bool = True  # heaters on: displays and lamps of the printer are lit
