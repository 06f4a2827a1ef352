"""A real OctoPrint at simulated printers: it connects, prints, sends again, sees a halt and comes back."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.records import SerialLine
from ingest.simulate.card import Card
from ingest.simulate.farm import READY, run_farm
from ingest.simulate.faults import Fault, FaultKind, FaultPlan
from ingest.simulate.files import CUBE, cube
from ingest.simulate.printer import Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.spec import STEP_S
from tests.peers.octoprint_server import OctoPrintServer, serving
from tests.peers.watch import Watch, watching
from tests.waiting import wait_until

BAUD = 115_200
RUN_S = 600.0  # longer than the slowest machine takes for all of these
CONNECT_S = 60.0  # OctoPrint says hello three times, ten seconds apart
WARM_C, COOL_C = 26.0, 20.0
"""Targets near the room's 25 °C: heating takes little more than Marlin's residency time, cooling none."""
ANSWERS = {
    "M105": "ok T:",
    "M114": "X:",
    "M115": "FIRMWARE_NAME:Marlin",
    "M20": "Begin file list",
    "M21": "echo:SD card ok",
    "M27": "Not SD printing",
    "M31": "echo:Print time: ",
    "M220": "FR:100%",
    "M9999": 'echo:Unknown command: "M9999"',
    **dict.fromkeys(("M75", "M77", "M82", "M84", "M106", "M107", "M117 hello", "M155 S2", "M400"), "ok"),
}
"""How the answer to a command begins."""
SOUND, NOISY, BROKEN = "sound", "noisy", "broken"


def printers() -> list[SimulatedPrinter]:
    """A sound one with a card, one to get a bad cable, and one with its thermistor off, which halts it."""
    off = Fault(kind=FaultKind.OPEN_THERMISTOR, at_s=0.0)
    return [
        SimulatedPrinter(SOUND, 1, start=Start.IDLE, card=Card({CUBE: cube()})),
        SimulatedPrinter(NOISY, 2, start=Start.IDLE),
        SimulatedPrinter(BROKEN, 3, [off], start=Start.IDLE),
    ]


@contextmanager
def farm(folder: Path, simulated: list[SimulatedPrinter]) -> Iterator[None]:
    """A farm that runs in a thread of its own."""
    stop, loop = asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(run_farm(folder, simulated, RUN_S, stop))
    )
    thread.start()
    try:
        wait_until((folder / READY).exists, what="the farm")
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


class Bench:
    """OctoPrint, the printers by name, and what OctoPrint's terminal shows of its serial line."""

    def __init__(
        self, folder: Path, octoprint: OctoPrintServer, simulated: list[SimulatedPrinter], terminal: Watch
    ) -> None:
        self.octoprint = octoprint
        self._terminal = terminal
        self.printers = {printer.name: printer for printer in simulated}
        self._folder = folder

    def connect(self, name: str) -> None:
        """Let OctoPrint open a printer's port."""
        port = str(self._folder / f"{name}.tty")
        self.octoprint.ask("connection", {"command": "connect", "port": port, "baudrate": BAUD})
        self.octoprint.until("operational", limit_s=CONNECT_S)

    def until_complete(self) -> None:
        """Wait until OctoPrint says that all of its file is printed."""
        wait_until(lambda: self.octoprint.ask("job")["progress"]["completion"] == 100, what="all of the file")

    def leave(self) -> None:
        self.octoprint.ask("connection", {"command": "disconnect"})
        self.until_closed()

    def until_closed(self) -> None:
        """Wait until OctoPrint has closed its port and the farm has seen it."""
        wait_until(lambda: self.octoprint.ask("connection")["current"]["port"] is None, what="a closed port")
        printer = next(iter(self.printers.values()))
        at_s = printer.now_s
        wait_until(lambda: printer.now_s > at_s + 2 * STEP_S, what="the farm")

    def print_file(self, name: str, gcode: list[str]) -> None:
        """Print a file to its end."""
        self.octoprint.print_file(name, gcode)
        self.octoprint.until("printing")
        self.octoprint.until("ready")

    def hears(self, said: str) -> None:
        """Wait until OctoPrint's terminal, which is behind by a moment, shows this of the printer."""
        wait_until(lambda: f"Recv: {said}" in self.log(), what=lambda: f"{said}; {self.heard()}")

    def heard(self) -> str:
        """What there is to say of a terminal that lacks something."""
        terminal = self._terminal
        return f"{terminal.source.counts}, {terminal.error!r}, at last:\n{self.log()[-2000:]}"

    def unanswered(self) -> list[str]:
        """Commands whose answer the terminal has not shown yet."""
        return [command for command, begin in ANSWERS.items() if not self.answered(command, begin)]

    def log(self) -> str:
        lines = [item for item in list(self._terminal.items) if isinstance(item, SerialLine)]
        return "".join(f"{'Send' if line.sent else 'Recv'}: {line.text}\n" for line in lines)

    def answered(self, command: str, begin: str) -> bool:
        """Whether a numbered command was answered like this; reports may stand in between."""
        said = re.search(rf"Send: N\d+ {command}\*\d+\n(.*?)Send: ", self.log(), re.DOTALL)
        return said is not None and f"Recv: {begin}" in said[1]

    def goes_wrong(self, name: str, kind: FaultKind, severity: float = 1.0) -> None:
        """From now on a printer has a fault."""
        printer = self.printers[name].printer
        printer.plan = FaultPlan([Fault(kind=kind, at_s=printer.now_s, severity=severity)])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder, simulated = tmp_path_factory.mktemp("sim"), printers()
    ports = [str(folder / f"{printer.name}.tty") for printer in simulated]
    with (
        serving(folder / "base", port=ports[0], ports=ports) as octoprint,
        farm(folder, simulated),
        watching(octoprint.address(), with_lines=True) as terminal,
    ):
        yield Bench(folder, octoprint, simulated, terminal)


def moves(count: int) -> list[str]:
    """Back and forth with filament, 0.2 s each."""
    return [f"G1 X{10 + 10 * (n % 2)} Y10 E{0.4 * (n + 1):.2f} F3000" for n in range(count)]


def test_octoprint_connects_and_prints_a_file_to_its_end(bench: Bench) -> None:
    bench.connect(SOUND)
    heated = [f"M140 S{COOL_C:g}", f"M109 S{WARM_C:g}", f"M190 S{COOL_C:g}"]
    bench.print_file("small.gcode", ["G28", *heated, *moves(25), *ANSWERS, "G4 P500", "M104 S0"])
    bench.until_complete()
    simulated = bench.printers[SOUND]
    assert simulated.printer.planner.projected.e_mm == pytest.approx(10.0)
    assert simulated.printer.hotend.reading_c > 25.3
    bench.hears("echo:busy: processing")
    wait_until(lambda: not bench.unanswered(), what=lambda: f"{bench.unanswered()}; {bench.heard()}")
    assert "Resend" not in bench.log()
    bench.leave()


def test_a_print_survives_lines_that_are_damaged(bench: Bench) -> None:
    bench.connect(NOISY)
    bench.octoprint.print_file("noisy.gcode", ["G28", *moves(30), "M400"])
    bench.octoprint.until("printing")
    bench.goes_wrong(NOISY, FaultKind.LINE_ERRORS, severity=0.5)
    bench.octoprint.until("ready", limit_s=90.0)  # an answer that gets lost costs OctoPrint up to 30 s
    bench.hears("Error:checksum mismatch")
    bench.until_complete()
    assert bench.printers[NOISY].printer.planner.projected.e_mm == pytest.approx(12.0)
    bench.leave()


def test_a_board_that_restarts_ends_the_print_and_takes_the_next(bench: Bench) -> None:
    bench.connect(SOUND)
    bench.octoprint.print_file("long.gcode", ["G28", *moves(100)])
    bench.octoprint.until("printing")
    bench.goes_wrong(SOUND, FaultKind.RESET)
    bench.octoprint.until("printing", gone=True)
    bench.octoprint.until("ready")
    bench.hears("Watchdog Reset")
    bench.print_file("short.gcode", ["G28", *moves(3), "M400"])
    assert bench.printers[SOUND].printer.planner.projected.e_mm == pytest.approx(1.2)
    bench.leave()


def test_a_halt_is_an_error_and_a_reset_brings_the_printer_back(bench: Bench) -> None:
    bench.connect(BROKEN)
    bench.octoprint.send("M104 S200")
    bench.until_closed()
    assert bench.printers[BROKEN].firmware.halt_reason == "MINTEMP triggered"
    bench.hears("Error:MINTEMP triggered")
    bench.connect(BROKEN)
    assert bench.printers[BROKEN].firmware.halted_s is None
    bench.leave()
