"""A part as training reads it: its voxels, packed, and the holes to drill, one file a mesh.

Files are safetensors, read through the page cache: a set of parts need not fit into memory. Holes are kept
as their numbers and drilled when a sample is read, which takes a few ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from detector.files import replacing
from detector.printability.defects import ROTATED, TOP, Defect, Hole, HoleRules
from detector.printability.grids import HoleSet
from features.silhouettes import Occupied
from features.voxels import pack, unpack
from ingest.errors import UsageError

SUFFIX = ".part"
FORMAT = "nozzlewatch part 1"


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """How parts are made: sizes of the holes in voxels, and so many samples of each defect and mesh."""

    top: HoleRules = TOP
    rotated: HoleRules = ROTATED
    variants: int = 3
    seed: int = 0

    def rules(self, holes: HoleSet) -> HoleRules:
        """Those of one set."""
        return self.top if holes is HoleSet.TOP else self.rotated


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One sample of a part: the hole is drilled (none for Defect.NONE), then the part is turned."""

    holes: HoleSet
    defect: Defect
    variant: int
    turn: int
    hole: Hole | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a part. ``file`` is its mesh's path below the folder of meshes, with slashes.

    ``split`` is as the manifest has it, "" without one; ``digest`` is the mesh file's SHA-256;
    ``mm_per_voxel`` is by the set of holes.
    """

    file: str
    family: str
    licence: str
    split: str
    digest: str
    making: Making
    mm_per_voxel: dict[HoleSet, float]
    notes: tuple[str, ...]
    samples: tuple[Made, ...]


class Part(NamedTuple):
    """A part's file and what it says."""

    path: Path
    facts: Facts

    def grid(self, holes: HoleSet) -> Occupied:
        """The untouched part, bool [x, y, z] of ``holes.grid`` voxels. Raises UsageError."""
        try:
            with safe_open(self.path, framework="np") as file:
                return unpack(file.get_tensor(holes.value), holes.grid)
        except (SafetensorError, OSError, ValueError) as error:
            raise _foreign(self.path, error) from error


def write_part(path: Path, facts: Facts, grids: Mapping[HoleSet, Occupied]) -> None:
    """Write it; it appears whole or not at all."""
    arrays: dict[str, npt.NDArray[np.uint8]] = {holes.value: pack(grid) for holes, grid in grids.items()}
    with replacing(path) as unfinished:
        # Of several entries safetensors writes any one first; with one, equal parts are equal files.
        unfinished.write_bytes(save(arrays, {FORMAT: msgspec.json.encode(facts).decode()}))


def read_part(path: Path) -> Part:
    """What a part's file says of it, its voxels left where they are. Raises UsageError for another file."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _foreign(path, error) from error
    if FORMAT not in metadata:
        raise _foreign(path, f"it says {', '.join(metadata) or 'nothing'}, not {FORMAT}")
    try:
        return Part(path, msgspec.json.decode(metadata[FORMAT], type=Facts))
    except msgspec.DecodeError as error:
        raise _foreign(path, error) from error


def _foreign(path: Path, why: object) -> UsageError:
    return UsageError(
        f"{path}: found a file that is no part of this version ({why}), expected one of "
        "`nozzlewatch printability preprocess`: remove it, and preprocess again"
    )
