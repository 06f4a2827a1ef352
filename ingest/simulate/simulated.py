"""A whole simulated printer without any I/O: body, firmware and camera under one virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np

from ingest.simulate.blinding import blinded
from ingest.simulate.card import Card
from ingest.simulate.faults import Fault, FaultKind, FaultPlan
from ingest.simulate.firmware import Firmware
from ingest.simulate.happenings import Surroundings
from ingest.simulate.look import Look
from ingest.simulate.looks.sample import sample_look
from ingest.simulate.moment import Light, Moment, View
from ingest.simulate.printer import PLA_C, Printer, Start
from ingest.simulate.render.scene import Scene
from ingest.simulate.replies import BOOTED
from ingest.simulate.spec import STEP_S, MachineSpec
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Order, Position, Toolpath

REPORT_COMMAND = "M155 S1"
LOOK = 2  # what is drawn with a seed: 0 the body, 1 the board, 2 the look
VELOCITY_S = 0.02  # the nozzle's velocity is its way in this time

Scenery: TypeAlias = Callable[[float], Surroundings]
"""What surrounds a printer at a time: light, the camera's own moves, visitors."""


class SimulatedPrinter:
    """One printer, stepped by asking what it has said and shown until a time.

    Everything depends on the seed, the faults and the orders; how the time is sliced changes nothing. Times
    are seconds since the simulation's start and must not run backwards.
    """

    def __init__(
        self,
        name: str,
        seed: int,
        faults: Iterable[Fault] = (),
        *,
        orders: Iterable[Order] = (),
        start: Start = Start.PRINTING,
        targets_c: tuple[float, float] = PLA_C,
        card: Card | None = None,
        path: Toolpath | None = None,
        spec: MachineSpec | None = None,
        begin_s: float | None = None,
        look: Look | None = None,
        scenery: Scenery | None = None,
    ) -> None:
        body, board = (np.random.default_rng([seed, part]) for part in range(2))
        self.name, self.start = name, start
        self.plan = FaultPlan(faults)
        self.printer = Printer(
            body, self.plan.faults, start, targets_c, path=path, spec=spec, begin_s=begin_s
        )
        self.firmware = Firmware(self.printer, board, card)
        self.look = look or _look_of(seed, self.printer.path)
        self._scene: Scene | None = None  # most printers of tests are never looked at
        self._scenery = scenery
        self._orders = deque(sorted(orders))
        self._said: deque[tuple[float, str]] = deque()
        self._asks = False  # whether a host of its own wants reports
        self._frozen: bytes | None = None

    @property
    def now_s(self) -> float:
        """How far the simulation has come, in whole control steps."""
        return self.printer.now_s

    def advance_to(self, at_s: float) -> None:
        """Simulate up to ``at_s``; what is said on the way is kept for ``said_until``."""
        while self.now_s + STEP_S <= at_s + 1e-9:
            self.printer.advance(STEP_S)
            self._carry_out_orders()
            self._hear(self.firmware.said(self.now_s))

    def said_until(self, at_s: float) -> list[tuple[float, str]]:
        """What the firmware said by itself up to ``at_s`` and was not asked for before: (time, line)."""
        self.advance_to(at_s)
        lines = []
        while self._said and self._said[0][0] <= at_s:
            lines.append(self._said.popleft())
        return lines

    def receive(self, line: str, at_s: float) -> list[str]:
        """A host's line at a time; the answers that go out at once."""
        self.advance_to(at_s)
        return self.firmware.handle(line)

    def print_from_card(self, name: str) -> None:
        """Somebody chooses a file at the printer's screen, now; ``said_until`` gives what is said of it."""
        self._say(self.firmware.print_from_card(name))

    def lines_until(self, at_s: float) -> list[tuple[float, str]]:
        """Everything that a host hears up to ``at_s`` which asks for M155 S1 at first and after each boot."""
        if not self._asks:
            self._asks = True
            self._ask()
        return self.said_until(at_s)

    def jpeg_at(self, at_s: float) -> bytes | None:
        """The camera's picture at a time, None where it gives none. Raises ValueError for a time gone by."""
        self._go_to(at_s)
        if self.plan.active(FaultKind.CAMERA_SILENT, at_s):
            return None
        if not self.plan.active(FaultKind.CAMERA_FROZEN, at_s):
            self._frozen = None
        elif self._frozen is not None:
            return self._frozen
        picture = self.scene.jpeg(self.moment_at(at_s))
        self._frozen = picture if self.plan.active(FaultKind.CAMERA_FROZEN, at_s) else None
        return picture

    def moment_at(self, at_s: float) -> Moment:
        """All that a camera could see at a time. Raises ValueError for a time gone by."""
        self._go_to(at_s)
        body, plate = self.printer, self.printer.plate
        nozzle, later = (self._nozzle(at_s + ahead_s) for ahead_s in (0.0, VELOCITY_S))
        light, view, visitors = self._scenery(at_s) if self._scenery else (Light(), View(), ())
        dx_mm, dy_mm, dz_mm = (end - begin for begin, end in zip(nozzle[:3], later[:3], strict=True))
        return Moment(
            at_s=at_s,
            nozzle=nozzle,
            velocity_mm_s=(dx_mm / VELOCITY_S, dy_mm / VELOCITY_S, dz_mm / VELOCITY_S),
            deposit=plate.deposit,
            strands=plate.loose_ends(nozzle),
            poses=body.poses(nozzle),
            warps_mm=dict(plate.warps_mm),
            nozzle_blob_mm=plate.nozzle_blob_mm,
            colours=tuple(body.colour_begins),
            light=light,
            view=blinded(self.plan, at_s, view),
            visitors=visitors,
            hot=body.hotend.target_c > 0.0 or body.bed.target_c > 0.0,
        )

    def _nozzle(self, at_s: float) -> Position:
        """Where the nozzle really is over the bed at a time that has hardly begun."""
        at, (x_mm, y_mm, z_mm) = self.printer.position(at_s), self.printer.plate.axis_shift_mm.tolist()
        return Position(at.x_mm + x_mm, at.y_mm + y_mm, at.z_mm + z_mm, at.e_mm)

    def _go_to(self, at_s: float) -> None:
        if at_s < self.now_s - STEP_S:
            raise ValueError(f"found {at_s:g} s, expected at least {self.now_s:g} s: ask in order of time")
        self.advance_to(at_s)

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of the pictures, pixels."""
        return self.look.sensor.width, self.look.sensor.height

    @property
    def scene(self) -> Scene:
        """The printer before its camera."""
        self._scene = self._scene or Scene(self.look)
        return self._scene

    def _carry_out_orders(self) -> None:
        while self._orders and self._orders[0].at_s <= self.now_s:
            self._say(self.firmware.happen(self._orders.popleft().command))

    def _say(self, lines: list[str]) -> None:
        self._hear([(self.now_s, line) for line in lines])

    def _hear(self, said: list[tuple[float, str]]) -> None:
        self._said.extend(said)
        if self._asks and any(line == BOOTED for _, line in said):
            self._ask()

    def _ask(self) -> None:
        self._say(self.firmware.handle(REPORT_COMMAND))


def _look_of(seed: int, path: Toolpath) -> Look:
    """How a printer looks of which nobody said how."""
    return sample_look(np.random.default_rng([seed, LOOK]), Split.TRAIN, path)
