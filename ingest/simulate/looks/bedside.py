"""What belongs to the bed besides the surface that is printed on: plate, carriage, knobs, clips."""

from __future__ import annotations

import numpy as np

from ingest.simulate.look import Colour, Kinematics, Look
from ingest.simulate.looks.colours import colour, scaled, varied
from ingest.simulate.looks.noise import chance
from ingest.simulate.looks.shapes import Pile, X, box, circle, prism, rod, slab
from ingest.simulate.looks.styles import Bed, Prop
from ingest.simulate.mesh import Carrier, Mesh

TOP_MM = -0.5  # of the plate: what is printed on is drawn over it
ALUMINIUM, BLACK, GLASS_EDGE = colour("#a4a7aa"), colour("#26272a"), colour("#3c5a52")
KNOBS = ("#d8b81c", "#1c1d1f", "#c82020", "#2058b0", "#b8babc")
EDGES: dict[Bed, Colour] = {
    Bed.BLACK_GLASS: colour("#2c3432"),
    Bed.CLEAR_GLASS: GLASS_EDGE,
    Bed.RULER: GLASS_EDGE,
    Bed.GAROLITE: colour("#7a6a2c"),
    Bed.GOLD_SHEET: colour("#6a5a30"),
    Bed.AMBER_SHEET: colour("#6a4a20"),
}


def bedside(look: Look, rng: np.random.Generator) -> Mesh:
    """The plate and what hangs under it; carried by the bed."""
    pile = Pile(Carrier.BED)
    edge = EDGES.get(Bed(look.bed_style), BLACK)
    if look.printer.round_bed:
        _round_plate(pile, look, edge)
        return pile.mesh()
    _plate(pile, look, edge, rng)
    if look.printer.kinematics is Kinematics.BED_SLINGER:
        _knobs(pile, look, rng)
        _carriage(pile, look, rng)
    else:
        _tray(pile, look, rng)
    if Prop.CLIPS in look.props:
        _clips(pile, look, rng)
    return pile.mesh()


def _round_plate(pile: Pile, look: Look, edge: Colour) -> None:
    x, y = look.printer.bed_mm[0] / 2, look.printer.bed_mm[1] / 2
    pile.add(prism(circle((x, y), x + 1, 28), -4.5, TOP_MM), edge, 0.4)
    pile.add(prism(circle((x, y), x - 2, 20), -12.0, -4.5), ALUMINIUM, 0.4)


def _plate(pile: Pile, look: Look, edge: Colour, rng: np.random.Generator) -> None:
    width, depth = look.printer.bed_mm
    thick = float(rng.uniform(1.5, 4.0))
    pile.add(slab((-0.5, -0.5, -thick), (width + 0.5, depth + 0.5, TOP_MM), 3.0), edge, 0.5)
    pile.add(
        slab((-4, -4, -thick - 4), (width + 4, depth + 4, -thick), 4.0), varied(ALUMINIUM, rng, 0.15), 0.4
    )
    pile.add(box((8, 8, -thick - 9), (width - 8, depth - 8, -thick - 4)), varied(BLACK, rng, 0.3), 0.1)


def _knobs(pile: Pile, look: Look, rng: np.random.Generator) -> None:
    width, depth = look.printer.bed_mm
    skin = varied(colour(KNOBS[int(rng.integers(len(KNOBS)))]), rng, 0.1)
    for x in (10.0, width - 10.0):
        for y in (10.0, depth - 10.0):
            pile.add(rod((x, y, -26), (x, y, -7), 4.0, 3), ALUMINIUM, 0.5)
            pile.add(prism(circle((x, y), 17.0, 7), -32, -24), skin, 0.2)


def _carriage(pile: Pile, look: Look, rng: np.random.Generator) -> None:
    width, depth = look.printer.bed_mm
    metal = varied(ALUMINIUM if chance(rng, 0.4) else BLACK, rng, 0.2)
    pile.add(slab((width * 0.2, depth * 0.06, -37), (width * 0.8, depth * 0.94, -34), 20.0), metal, 0.3)
    pile.add(
        slab((width * 0.42, depth * 0.2, -50), (width * 0.58, depth * 0.8, -37), 4.0),
        varied(BLACK, rng, 0.2),
        0.2,
    )


def _tray(pile: Pile, look: Look, rng: np.random.Generator) -> None:
    """A closed printer's bed lies in a deep frame, some with a handle at the front."""
    width, depth = look.printer.bed_mm
    skin = varied(BLACK, rng, 0.3)
    pile.add(slab((-10, -14, -42), (width + 10, depth + 10, -12), 6.0), skin, 0.4)
    for x in (-10.0, width + 4.0):
        pile.add(slab((x, -12, -24), (x + 6, depth + 24, -5), 2.0, X), scaled(skin, 1.3), 0.3)
    if chance(rng, 0.4):
        middle = width / 2
        pile.add(slab((middle - 18, -34, -34), (middle + 18, -12, -18), 4.0), colour("#dcdcd8"), 0.2)


def _clips(pile: Pile, look: Look, rng: np.random.Generator) -> None:
    """Paper clips that hold the plate at its front and back."""
    width, depth = look.printer.bed_mm
    skin = varied(BLACK if chance(rng, 0.7) else ALUMINIUM, rng, 0.2)
    for share in (0.14, 0.86):
        middle = width * share + float(rng.uniform(-8, 8))
        for y, away in ((0.0, -1.0), (depth, 1.0)):
            near, far = sorted((y - away * 10, y + away * 4))
            pile.add(box((middle - 9, near, -6), (middle + 9, far, 2.2)), skin, 0.5)
            tip = (middle, y - away * 22, 3.0)
            pile.add(rod((middle - 6, y, 2.5), tip, 0.9, 3), ALUMINIUM, 0.7)
            pile.add(rod((middle + 6, y, 2.5), tip, 0.9, 3), ALUMINIUM, 0.7)
