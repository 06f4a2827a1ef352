"""What goes wrong in the demo: a script per printer, laid out over the seconds that it has.

Heater faults come first, so that the firmware's own halt (some 35 to 50 s later) still falls into a run of
90 s and the watch can be seen to be earlier.
"""

from __future__ import annotations

from typing import NamedTuple

from ingest.simulate.card import Card
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.files import CUBE, cube
from ingest.simulate.printer import Start
from ingest.simulate.simulated import Order, SimulatedPrinter

SEEDS_PER_FARM = 1_000  # printers of one farm never share a seed with those of the next


class Script(NamedTuple):
    """One printer's part. Times are shares of the whole run."""

    targets_c: tuple[float, float]  # hot end, bed
    faults: tuple[tuple[FaultKind, float, float, float], ...] = ()  # kind, from, until, severity
    orders: tuple[tuple[float, str], ...] = ()  # when, command


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
    Script(
        (240.0, 75.0),
        (
            (FaultKind.STUCK_HEATER, 0.30, TO_THE_END, 1.0),
            (FaultKind.SPAGHETTI, 0.42, TO_THE_END, 1.0),
            (FaultKind.CAMERA_SILENT, 0.68, TO_THE_END, 1.0),
        ),
    ),
    Script((210.0, 60.0), (), ((0.35, "M104 S216"), (0.5, "M106 S128"), (0.65, "M220 S80"))),
)
"""Open heater; loose thermistor and a storm of line errors; stuck heater, spaghetti and a silent camera; a
sound print with overrides that are no faults."""


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
    orders = [Order(share * seconds, command) for share, command in script.orders]
    return SimulatedPrinter(
        _name(number), _seed(number, seed), faults, orders=orders, targets_c=script.targets_c
    )


def _name(number: int) -> str:
    return f"printer-{number + 1}"


def _seed(number: int, seed: int) -> int:
    return seed * SEEDS_PER_FARM + number
