"""A whole simulated printer without any I/O: body, firmware and camera under one virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ingest.simulate.card import Card
from ingest.simulate.faults import Fault, FaultKind, FaultPlan
from ingest.simulate.firmware import Firmware
from ingest.simulate.printer import PLA_C, STEP_S, Printer, Start
from ingest.simulate.replies import BOOTED
from ingest.simulate.scene import Scene

REPORT_COMMAND = "M155 S1"
MS_PER_S = 1_000


class Order(NamedTuple):
    """A command that someone gives the printer at a time: an override that is no fault."""

    at_s: float
    command: str


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
    ) -> None:
        body, board = (np.random.default_rng([seed, part]) for part in range(2))
        self.name, self.start = name, start
        self.plan = FaultPlan(faults)
        self.printer = Printer(body, self.plan.faults, start, targets_c)
        self.firmware = Firmware(self.printer, board, card)
        self.scene = Scene(seed)
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
            self._say(self.firmware.tick(self.now_s))

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
        if at_s < self.now_s - STEP_S:
            raise ValueError(f"found {at_s:g} s, expected at least {self.now_s:g} s: ask in order of time")
        self.advance_to(at_s)
        if self.plan.active(FaultKind.CAMERA_SILENT, at_s):
            return None
        if not self.plan.active(FaultKind.CAMERA_FROZEN, at_s):
            self._frozen = None
        elif self._frozen is not None:
            return self._frozen
        picture = self._picture(at_s)
        self._frozen = picture if self.plan.active(FaultKind.CAMERA_FROZEN, at_s) else None
        return picture

    def _picture(self, at_s: float) -> bytes:
        black = self.plan.active(FaultKind.CAMERA_BLACK, at_s) is not None
        moment = round(at_s * MS_PER_S)
        return self.scene.jpeg(self.printer.position(at_s), moment, self._mess_s(at_s), black)

    def _mess_s(self, at_s: float) -> float:
        """For how long strands have piled up, weighted by severity; they stop when the job does."""
        stopped_s = self.printer.stopped_s
        until_s = at_s if stopped_s is None else min(at_s, stopped_s)
        mess = (f for f in self.plan.faults if f.kind is FaultKind.SPAGHETTI)
        return sum(max(min(until_s, f.until_s) - f.at_s, 0.0) * f.severity for f in mess)

    def _carry_out_orders(self) -> None:
        while self._orders and self._orders[0].at_s <= self.now_s:
            at = self._orders.popleft()
            self._say(self.firmware.handle(at.command))

    def _say(self, lines: list[str]) -> None:
        self._said.extend((self.now_s, line) for line in lines)
        if self._asks and BOOTED in lines:
            self._ask()

    def _ask(self) -> None:
        self._say(self.firmware.handle(REPORT_COMMAND))
