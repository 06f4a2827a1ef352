"""All solid things of a look as meshes: toolhead, gantry, frame, bed and what stands about."""

from __future__ import annotations

import numpy as np

from ingest.simulate.look import Look
from ingest.simulate.looks.bedside import bedside
from ingest.simulate.looks.frames import frame, gantry
from ingest.simulate.looks.heads import head
from ingest.simulate.looks.things import things
from ingest.simulate.mesh import Mesh

BUILDERS = (head, gantry, bedside, frame, things)


def solids_of(look: Look) -> list[Mesh]:
    """Meshes with their carriers, none of them empty; the same look gives the same meshes.

    Nothing of the head is below the nozzle's tip, z = 0. The bed's surface and what is printed are not here.
    """
    built = [build(look, np.random.default_rng([look.seed, number])) for number, build in enumerate(BUILDERS)]
    return [mesh for mesh in built if len(mesh.faces)]
