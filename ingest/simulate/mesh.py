"""Solid things in a scene: triangles with a colour each, and what carries them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Vertices: TypeAlias = npt.NDArray[np.float32]
Faces: TypeAlias = npt.NDArray[np.int32]


class Carrier(StrEnum):
    """What a thing moves with; which way that is follows from the printer's kinematics."""

    FRAME = "frame"  # stands still
    BED = "bed"  # coordinates: the bed's; its top is z = 0, its front left corner x = y = 0
    GANTRY = "gantry"  # coordinates: x as the bed's, y and z from the nozzle
    HEAD = "head"  # coordinates: from the nozzle's tip


class Mesh(NamedTuple):
    """Triangles: ``vertices`` [n, 3] mm, ``faces`` [m, 3] counter-clockwise as seen from outside,
    ``colours`` [m, 3] BGR 0..1 as ``look.Colour``, ``gloss`` [m] 0..1."""

    carrier: Carrier
    vertices: Vertices
    faces: Faces
    colours: Vertices
    gloss: npt.NDArray[np.float32]
