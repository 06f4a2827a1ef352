"""The simulated farm: several printers in real time, each with a pty and a camera socket, in one event loop.

In the folder stand ``<printer>.tty``, ``<printer>.sock``, ``ready`` once all of them are there, and
``truth.jsonl``: one line for each fault when it begins and for each halt of a firmware's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TextIO

import msgspec

from ingest.clock import AnchoredClock
from ingest.records import NS_PER_S
from ingest.simulate.camera_server import CameraServer, check_socket_path
from ingest.simulate.printer import Start
from ingest.simulate.pty_port import PtyPort
from ingest.simulate.simulated import SimulatedPrinter

FPS = 5.0
TICK_S = 0.05  # how often the simulation catches up with the clock
READY = "ready"
TRUTH = "truth.jsonl"


class Truth:
    """Writes what really happened, one JSON line at a time, flushed at once."""

    def __init__(self, file: TextIO, epoch_ns: int) -> None:
        self._file = file
        self.epoch_ns = epoch_ns

    def fault(self, printer: str, name: str, expected_kind: str, at_s: float) -> None:
        """A fault has begun."""
        record = {"printer": printer, "name": name, "expected_kind": expected_kind}
        self._write({**record, "onset_ns": self._ns(at_s)})

    def halt(self, printer: str, at_s: float, reason: str) -> None:
        """A firmware has halted itself."""
        self._write({"printer": printer, "halted_ns": self._ns(at_s), "reason": reason})

    def _ns(self, at_s: float) -> int:
        return self.epoch_ns + round(at_s * NS_PER_S)

    def _write(self, record: dict[str, object]) -> None:
        self._file.write(msgspec.json.encode(record).decode() + "\n")
        self._file.flush()


class Stand:
    """One printer of the farm with its port and its camera."""

    def __init__(self, printer: SimulatedPrinter, folder: Path, fps: float) -> None:
        self.printer = printer
        self._camera = CameraServer(folder / f"{printer.name}.sock", printer.picture_size)
        self._port = PtyPort(folder / f"{printer.name}.tty", self._receive)
        self._to_begin = list(printer.plan.faults)
        self._halt_told_s: float | None = None
        self._frame_s = 1.0 / fps
        self._next_frame_s = 0.0

    async def open(self) -> None:
        """Open the camera's socket; the port is open already."""
        await self._camera.start()

    async def close(self) -> None:
        """Take the port and the socket away."""
        self._port.close()
        await self._camera.close()

    def tick(self, now_s: float, truth: Truth) -> None:
        """Catch up with the time: say what is to be said, show what is to be shown, write down what was."""
        if self._port.poll() and self.printer.start is Start.IDLE:
            self._port.send(self.printer.firmware.boot("External Reset"))  # as opening a port does (DTR)
        self._port.send(line for _, line in self.printer.said_until(now_s))
        self._show(now_s)
        self._tell(truth)

    def _receive(self, line: str) -> None:
        self._port.send(self.printer.receive(line, self.printer.now_s))

    def _show(self, now_s: float) -> None:
        if now_s < self._next_frame_s:
            return
        self._next_frame_s = max(self._next_frame_s + self._frame_s, now_s)
        jpeg = self.printer.jpeg_at(now_s) if self._camera.watched else None
        if jpeg is not None:
            self._camera.push(jpeg)

    def _tell(self, truth: Truth) -> None:
        while self._to_begin and self._to_begin[0].at_s <= self.printer.now_s:
            fault = self._to_begin.pop(0)
            truth.fault(self.printer.name, fault.name, fault.expected, fault.at_s)
        firmware = self.printer.firmware
        if firmware.halted_s is not None and firmware.halted_s != self._halt_told_s:
            truth.halt(self.printer.name, firmware.halted_s, firmware.halt_reason)
        self._halt_told_s = firmware.halted_s


async def run_farm(
    folder: Path,
    printers: Sequence[SimulatedPrinter],
    seconds: float,
    stop: asyncio.Event,
    fps: float = FPS,
) -> None:
    """Run printers in real time until ``seconds`` have passed or ``stop`` is set.

    Raises SourceError before anything is made where the folder's path is too long for its sockets.
    """
    for printer in printers:
        check_socket_path(folder / f"{printer.name}.sock")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / READY).unlink(missing_ok=True)
    with (folder / TRUTH).open("w", encoding="utf-8") as file:
        async with AsyncExitStack() as stack:
            stands = [await _open(stack, Stand(printer, folder, fps)) for printer in printers]
            stack.callback((folder / READY).unlink, missing_ok=True)
            clock = AnchoredClock()
            epoch_ns = clock.now_ns()
            (folder / READY).touch()
            await _run(stands, seconds, stop, Truth(file, epoch_ns), clock)


async def _open(stack: AsyncExitStack, stand: Stand) -> Stand:
    stack.push_async_callback(stand.close)
    await stand.open()
    return stand


async def _run(
    stands: list[Stand], seconds: float, stop: asyncio.Event, truth: Truth, clock: AnchoredClock
) -> None:
    while not stop.is_set():
        now_s = min((clock.now_ns() - truth.epoch_ns) / NS_PER_S, seconds)
        for stand in stands:
            stand.tick(now_s, truth)
        if now_s >= seconds:
            return
        await asyncio.sleep(TICK_S)
