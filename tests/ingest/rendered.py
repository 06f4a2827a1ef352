"""Small scenes for tests of the renderer: a part of square rings, a camera in front, plain surroundings."""

from __future__ import annotations

import numpy as np

from ingest.simulate.deposit import Deposit
from ingest.simulate.look import Filament, Kinematics, Lamp, Lens, Look, Printer, Sensor, Shading
from ingest.simulate.mesh import Carrier, Mesh
from ingest.simulate.moment import Moment, Visitor
from ingest.simulate.render.scene import Scene, Surroundings
from ingest.simulate.toolpath import FILAMENT_MM2, Position, Toolpath, square_rings

RED, GREEN = (0.05, 0.05, 0.8), (0.05, 0.7, 0.05)
FRONT = Lens(eye_mm=(110.0, -180.0, 120.0), looks_at_mm=(110.0, 110.0, 10.0))
CLEAN = Sensor(noise=0.0, colour_noise=0.0, auto_exposure=0.0, sharpen=0.0, blur_px=0.3, vignette=0.0)
TALL_LAYERS = 60


def look_of(
    kinematics: Kinematics = Kinematics.BED_SLINGER,
    lens: Lens = FRONT,
    sensor: Sensor = CLEAN,
    shading: Shading = Shading.PLAIN,
) -> Look:
    return Look(
        seed=5,
        lens=lens,
        sensor=sensor,
        lamp=Lamp(shading=shading),
        filaments=(Filament(colour=RED), Filament(colour=GREEN)),
        printer=Printer(kinematics=kinematics),
    )


def box(carrier: Carrier, low: tuple[float, ...], high: tuple[float, ...]) -> Mesh:
    corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], np.float32)
    vertices = np.array(low, np.float32) + corners * (np.array(high, np.float32) - np.array(low, np.float32))
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    colours = np.full((len(faces), 3), 0.3, np.float32)
    return Mesh(carrier, vertices, faces, colours, np.zeros(len(faces), np.float32))


def around(*meshes: Mesh) -> Surroundings:
    def no_visitor(picture: np.ndarray, visitor: Visitor, look: Look) -> None:
        picture[:] = 0.0

    bed = np.full((64, 64, 3), 0.25, np.float32)
    bed[:, :, 0] = np.linspace(0.1, 0.5, 64)[:, None]  # bluer towards the front
    room = np.full((312, 416, 3), 0.1, np.float32)
    return Surroundings(list(meshes), bed, 0.2, room, no_visitor)


def laid(path: Toolpath, layers: int, area: float = 1.0) -> Deposit:
    deposit = Deposit()
    moves = np.flatnonzero((path.melted_mm_s > 0) & (path.layer < layers))
    begin, end = path.points[moves].astype(np.float32), path.points[moves + 1].astype(np.float32)
    lengths = np.linalg.norm(end - begin, axis=1)
    pushed = path.melted_mm_s[moves] * np.diff(path.times_s)[moves]
    areas = (area * pushed * FILAMENT_MM2 / lengths).astype(np.float32)
    deposit.lay(begin, end, areas, path.layer[moves], path.feature[moves], path.part[moves])
    return deposit


PATH = square_rings(TALL_LAYERS)
FULL = laid(PATH, TALL_LAYERS)
AWAY = Position(-60.0, 110.0, 30.0, 0.0)


def moment(deposit: Deposit = FULL, nozzle: Position = AWAY, **more: object) -> Moment:
    usual = {"at_s": 1.0, "nozzle": nozzle, "velocity_mm_s": (0.0, 0.0, 0.0), "deposit": deposit}
    return Moment(**(usual | more))


def scene(look: Look | None = None, *meshes: Mesh) -> Scene:
    return Scene(look or look_of(), around(*meshes))


def middle_of(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])
