"""Two simulated towers that something befalls, and what there is to see of it."""

from __future__ import annotations

import numpy as np

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.moment import Moment, Strand
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.toolpath import E_PER_MM, Feature, Toolpath

ONSET_S = 6.0
CENTRES_MM = ((70.0, 110.0), (150.0, 110.0))
SIDE_MM, LAYER_MM, PRINT_MM_S, TRAVEL_MM_S = 16.0, 0.2, 40.0, 150.0
COLUMNS = ("begin", "end", "area_mm2", "layer", "part")


def towers(layers: int = 300) -> Toolpath:
    """Two towers, of which each layer is a ring: part 0 on the left, part 1 on the right."""
    corners, kinds = [], []
    for layer in range(layers):
        for part, (x_mm, y_mm) in enumerate(CENTRES_MM):
            for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)):
                half_mm = SIDE_MM / 2
                corners.append((x_mm + dx * half_mm, y_mm + dy * half_mm, (layer + 1) * LAYER_MM))
            kinds += [(layer, part, True)] * 4 + [(layer, part, False)]
    points = np.array(corners)
    layer, part, prints = (np.array(column) for column in zip(*kinds[:-1], strict=True))
    lengths_mm = np.linalg.norm(np.diff(points, axis=0), axis=1)
    times_s = np.concatenate([[0.0], np.cumsum(lengths_mm / np.where(prints, PRINT_MM_S, TRAVEL_MM_S))])
    return Toolpath(
        times_s,
        points,
        prints * PRINT_MM_S * E_PER_MM,
        layer.astype(np.int32),
        np.full(len(layer), Feature.OUTER_WALL, np.uint8),
        part.astype(np.uint8),
    )


def printer(*faults: Fault, seed: int = 1, path: Toolpath | None = None) -> SimulatedPrinter:
    path = towers() if path is None else path
    return SimulatedPrinter("p", seed, faults, path=path, begin_s=path.layer_begin_s(60))


def fault(kind: FaultKind, **how: float) -> Fault:
    return Fault(kind=kind, at_s=ONSET_S, **how)  # type: ignore[arg-type]


def lines(moment: Moment) -> dict[str, np.ndarray]:
    """The deposit as it is now: it goes on growing."""
    return {column: getattr(moment.deposit, column).copy() for column in COLUMNS}


def lying(moment: Moment) -> list[Strand]:
    return [strand for strand in moment.strands if not strand.on_nozzle]


def same(first: Moment, second: Moment) -> bool:
    one, other = lines(first), lines(second)
    return (
        all(np.array_equal(one[column], other[column]) for column in COLUMNS)
        and len(first.strands) == len(second.strands)
        and all(
            np.array_equal(a.points, b.points) for a, b in zip(first.strands, second.strands, strict=True)
        )
        and first.poses.keys() == second.poses.keys()
        and all(np.array_equal(first.poses[part], second.poses[part]) for part in first.poses)
        and first[:3] == second[:3]
        and first.warps_mm == second.warps_mm
    )
