"""A printer on a serial port, read as it speaks."""

from __future__ import annotations

import asyncio
import errno
import os
import termios
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import serial

from ingest.clock import AnchoredClock
from ingest.errors import PrinterUnreachable
from ingest.records import NS_PER_S, Event, EventKind
from ingest.sources import Address, BaseSource, TelemetryItem, option_number
from ingest.telemetry.items import to_items
from ingest.telemetry.lines import LineCutter
from ingest.telemetry.marlin import Line, Parsed, decode, parse

READ_BYTES = 4096
DEFAULT_BAUD = 115_200
LOWEST_BAUD, HIGHEST_BAUD = 1200, 4_000_000
DEFAULT_POLL_S = 2.0
SHORTEST_POLL_S, LONGEST_POLL_S = 0.05, 60.0

REPORT_YOURSELF = b"M155 S1\n"
"""Temperatures every second without being asked; lost when the firmware restarts."""
REPORT_NOW = b"M105\n"


class SerialPort(BaseSource):
    """``serial:/dev/ttyUSB0?baud=115200&poll=2``: a printer on a port, as live as it gets.

    Asks for reports once a second (``M155 S1``) when it opens and after every ``start`` of the firmware, and
    for one report (``M105``) wherever none has come for ``poll`` seconds and the printer is not busy. Sends
    nothing else. Opening a port restarts boards whose reset is wired to DTR, as with every other host.
    The first line is left out where it is garbled: reading began in its middle. ``counts``: ``garbled``
    lines, and ``unsent`` questions that the port did not take.
    """

    recorded: ClassVar[bool] = False
    options: ClassVar[Mapping[str, str]] = {
        "baud": "bits per second, 115200 by default",
        "poll": "s without a temperature report before one is asked for, 2 by default",
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._path = address.where
        self._baud = int(option_number(address, "baud", DEFAULT_BAUD, low=LOWEST_BAUD, high=HIGHEST_BAUD))
        poll_s = option_number(address, "poll", DEFAULT_POLL_S, low=SHORTEST_POLL_S, high=LONGEST_POLL_S)
        self._poll_ns = int(poll_s * NS_PER_S)
        self._first = True  # the next line is the first one since the port opened
        self._heard_ns = 0  # the last report, busy line or question

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. A port that vanishes gives a last event DISCONNECTED, then raises."""
        with self._opened() as port:
            clock, cutter = AnchoredClock(), LineCutter()
            self._first = True
            self._heard_ns = clock.now_ns()
            self._ask(port, REPORT_YOURSELF)
            while (data := await self._read(port, clock)) is not None:
                at_ns = clock.now_ns()
                for line in cutter.feed(data):
                    for item in self._understood(line, at_ns, port):
                        yield item
        yield Event(
            printer=self._printer, at_ns=clock.now_ns(), kind=EventKind.DISCONNECTED, text="port vanished"
        )
        raise PrinterUnreachable(
            f"{self._path}: found that the port vanished, expected a printer: check its cable and its power"
        )

    def _opened(self) -> serial.Serial:
        try:
            return serial.Serial(self._path, self._baud, timeout=0, exclusive=True)
        except (OSError, termios.error, ValueError) as error:  # SerialException is an OSError
            raise PrinterUnreachable(f"{self._path}: {_refusal(self._path, error)}") from error

    async def _read(self, port: serial.Serial, clock: AnchoredClock) -> bytes | None:
        """The next bytes; asks for a report where none came in time. None when the port is gone."""
        while True:
            left_ns = self._heard_ns + self._poll_ns - clock.now_ns()
            if left_ns > 0 and await _readable(port.fileno(), left_ns / NS_PER_S):
                return _read_now(port.fileno())
            if left_ns <= 0:
                self._heard_ns = clock.now_ns()
                self._ask(port, REPORT_NOW)

    def _understood(self, line: bytes, at_ns: int, port: serial.Serial) -> Iterator[TelemetryItem]:
        parsed = parse(decode(line))
        first, self._first = self._first, False
        if first and not parsed.known:
            return
        self._answer(parsed, at_ns, port)
        self._counts["garbled"] += not parsed.known
        yield from to_items(parsed, self._printer, at_ns)

    def _answer(self, parsed: Parsed, at_ns: int, port: serial.Serial) -> None:
        """Note what need not be asked for, and ask a restarted firmware anew."""
        if parsed.line in (Line.TEMPERATURE, Line.HEATING, Line.BUSY):
            self._heard_ns = at_ns  # a busy printer would only queue the question
        if parsed.event is not None and parsed.event[0] is EventKind.START:
            self._ask(port, REPORT_YOURSELF)

    def _ask(self, port: serial.Serial, command: bytes) -> None:
        try:
            os.write(port.fileno(), command)
        except OSError:  # full: the next question comes soon; gone: the next read tells
            self._counts["unsent"] += 1


async def _readable(descriptor: int, limit_s: float) -> bool:
    """Wait until there is something to read, an end included; False after the limit."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        async with asyncio.timeout(limit_s):
            await ready.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True


def _read_now(descriptor: int) -> bytes | None:
    """What there is to read; None at the end of a port that is gone."""
    try:
        return os.read(descriptor, READ_BYTES) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def _refusal(path: str, error: Exception) -> str:
    """What was found instead of a port, what was expected and what to do."""
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return f"found no such port, expected a printer's: {_ports()}"
    if number in (errno.EACCES, errno.EPERM):
        return (
            "found no permission to open it, expected to read and write: add this user to the group dialout "
            "(sudo usermod -aG dialout $USER) and log in anew"
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return (
            "found it in use by another program, expected it free: close OctoPrint or the terminal that "
            "holds it, or watch the printer through that program"
        )
    return f"found {error}, expected a serial port: check the path and the baud rate ({_ports()})"


def _ports() -> str:
    found = sorted(str(port) for kind in ("ttyUSB*", "ttyACM*") for port in Path("/dev").glob(kind))
    return f"ports here are {', '.join(found)}" if found else "no port is here, check the cable and the power"
