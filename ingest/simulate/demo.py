"""What goes wrong in the demo: a script per printer, laid out over the seconds that it has.

Heater faults come first, so that the firmware's own halt (some 35 to 50 s later) still falls into a run of
90 s and the watch can be seen to be earlier.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from ingest.simulate.card import Card
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.files import CUBE, cube
from ingest.simulate.happenings import Happening, HappeningKind, scenery
from ingest.simulate.jobs.draw import draw_plan, traits_of
from ingest.simulate.jobs.sample import job_of
from ingest.simulate.look import Look
from ingest.simulate.looks.placing import part_extent
from ingest.simulate.looks.sample import sample_look
from ingest.simulate.printer import Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Order, Toolpath

SEEDS_PER_FARM = 1_000  # printers of one farm never share a seed with those of the next
JOB = 3  # what is drawn with a seed: 0 to 2 see SimulatedPrinter, 3 the job and the look
BEGUN = 0.4  # share of its job that a printer has behind it when the demo begins
LEAST_HEIGHT_MM = 12.0  # a lower part is hardly seen …
LEAST_WIDTH = 0.22  # … nor one that is narrower, in widths of the picture
UNSHOWN = {"colour_change", "timelapse"}  # the novelty score still tells a head that parks as unusual
LEAST_LEFT_S = 900.0  # of the job: the demo is not to see its end


class Script(NamedTuple):
    """One printer's part. Times are shares of the whole run."""

    targets_c: tuple[float, float]  # hot end, bed
    faults: tuple[tuple[FaultKind, float, float, float], ...] = ()  # kind, from, until, severity
    orders: tuple[tuple[float, str], ...] = ()  # when, command
    happenings: tuple[tuple[HappeningKind, float, float, float], ...] = ()  # what, from, until, strength


TO_THE_END = 2.0

SCRIPTS: tuple[Script, ...] = (
    Script((215.0, 60.0), ((FaultKind.OPEN_HEATER, 0.33, TO_THE_END, 1.0),)),
    Script(
        (205.0, 55.0),
        (
            (FaultKind.LOOSE_THERMISTOR, 0.36, TO_THE_END, 1.0),
            (FaultKind.LINE_ERRORS, 0.48, 0.75, 1.0),
        ),
    ),
    Script((240.0, 75.0), ((FaultKind.DETACHMENT, 0.34, TO_THE_END, 1.0),)),
    Script(
        (210.0, 60.0),
        (),
        ((0.35, "M104 S216"), (0.5, "M106 S128"), (0.65, "M220 S80")),
        ((HappeningKind.HAND, 0.56, 0.6, 1.0), (HappeningKind.LAMP_FLICKER, 0.75, 0.78, 0.3)),
    ),
)
"""Open heater; loose thermistor and a storm of line errors; a part that comes off; a sound
print with overrides, a hand before the camera and a lamp that flickers, none of them a fault."""


def demo_names(count: int) -> list[str]:
    """What the demo's printers are called."""
    return [_name(number) for number in range(count)]


def demo_printers(count: int, seconds: float, seed: int) -> list[SimulatedPrinter]:
    """The demo's printers, ``printer-1`` onwards; beyond the scripts' number they begin again."""
    return [_printer(number, seconds, seed) for number in range(count)]


def idle_printers(count: int, seed: int) -> list[SimulatedPrinter]:
    """Printers that are cold and wait for a host, or for somebody to print the file on their card."""
    return [
        SimulatedPrinter(_name(number), _seed(number, seed), start=Start.IDLE, card=Card({CUBE: cube()}))
        for number in range(count)
    ]


def _printer(number: int, seconds: float, seed: int) -> SimulatedPrinter:
    script = SCRIPTS[number % len(SCRIPTS)]
    faults = [
        Fault(kind=kind, at_s=begin * seconds, until_s=end * seconds, severity=severity)
        for kind, begin, end, severity in script.faults
    ]
    rng = np.random.default_rng([_seed(number, seed), JOB])
    path = _path(rng)
    happenings = [
        Happening(kind=kind, at_s=begin * seconds, until_s=end * seconds, strength=strength, seed=number)
        for kind, begin, end, strength in script.happenings
    ]
    return SimulatedPrinter(
        _name(number),
        _seed(number, seed),
        faults,
        orders=[Order(share * seconds, command) for share, command in script.orders],
        targets_c=script.targets_c,
        path=path,
        begin_s=BEGUN * path.duration_s,
        look=_look(rng, path),
        scenery=partial(scenery, happenings),
    )


def _path(rng: np.random.Generator) -> Toolpath:
    """A job with something to see when the demo begins, and something left to do."""
    while True:
        plan = draw_plan(rng, Split.TRAIN)
        solids = [part.solid for part in plan.parts]
        high = solids[0].height_mm * BEGUN >= LEAST_HEIGHT_MM
        if len(solids) == 1 and high and UNSHOWN.isdisjoint(traits_of(plan)):
            path = job_of(plan).path
            if (1.0 - BEGUN) * path.duration_s >= LEAST_LEFT_S:
                return path


def _look(rng: np.random.Generator, path: Toolpath) -> Look:
    """A camera so near that the part is not small in the picture."""
    while True:
        look = sample_look(rng, Split.TRAIN, path)
        extent = part_extent(path, look.printer.kinematics)
        away_mm = float(np.linalg.norm(np.subtract(look.lens.eye_mm, extent.middle)))
        if look.lens.focal_widths * extent.width_mm / away_mm >= LEAST_WIDTH:
            return look


def _name(number: int) -> str:
    return f"printer-{number + 1}"


def _seed(number: int, seed: int) -> int:
    return seed * SEEDS_PER_FARM + number
