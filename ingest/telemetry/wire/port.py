"""Serial ports: opening one, reading what is there, and saying in words why one cannot be had."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import termios
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import serial

from ingest.errors import PrinterUnreachable
from ingest.records import Event, EventKind
from ingest.sources import Address, option_number

READ_BYTES = 4096
DEFAULT_BAUD = 115_200
LOWEST_BAUD, HIGHEST_BAUD = 1200, 4_000_000

BAUD_OPTION: Mapping[str, str] = {"baud": f"bits per second, {DEFAULT_BAUD} by default"}


def option_baud(address: Address) -> int:
    """The option ``baud`` of an address, bits per second. Raises SourceError where it makes no sense."""
    return int(option_number(address, "baud", DEFAULT_BAUD, low=LOWEST_BAUD, high=HIGHEST_BAUD))


@contextlib.asynccontextmanager
async def opened(path: str, baud: int, *, listens: bool = False) -> AsyncIterator[serial.Serial]:
    """A port, open and non-blocking, closed at the end. Raises PrinterUnreachable where it cannot be had.

    ``listens``: nobody else is kept out, and its control lines are left as the system sets them. The system
    itself raises DTR and RTS as it opens a port: a board whose reset is wired to DTR restarts either way.
    """
    port = await asyncio.to_thread(_open, path, baud, listens=listens)  # an adapter may take its time
    try:
        yield port
    finally:
        with contextlib.suppress(OSError, termios.error):  # gone already
            port.reset_output_buffer()  # closing would wait for what the printer does not take
        port.close()


def read_now(descriptor: int) -> bytes | None:
    """What there is to read; None at the end of a port that is gone."""
    try:
        return os.read(descriptor, READ_BYTES) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None


def disconnected(printer: str, at_ns: int) -> Event:
    """What a printer whose port is gone says last."""
    return Event(printer=printer, at_ns=at_ns, kind=EventKind.DISCONNECTED, text="port vanished")


def vanished(path: str) -> PrinterUnreachable:
    """The error for a port that was there a moment ago."""
    return PrinterUnreachable(
        f"{path}: found that the port vanished, expected a printer: check its cable and its power"
    )


class _Listener(serial.Serial):
    """A port whose control lines are left alone: pyserial calls these two as it opens a port."""

    def _update_dtr_state(self) -> None: ...

    def _update_rts_state(self) -> None: ...


def _open(path: str, baud: int, *, listens: bool) -> serial.Serial:
    try:
        if listens:
            return _Listener(path, baud, timeout=0)
        return serial.Serial(path, baud, timeout=0, exclusive=True)
    except (OSError, termios.error, ValueError) as error:  # SerialException is an OSError
        raise PrinterUnreachable(f"{path}: {_refusal(error)}") from error


def _refusal(error: Exception) -> str:
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
            "holds it, or give that program the link of a tap: source in its place"
        )
    return f"found {error}, expected a serial port: check the path and the baud rate ({_ports()})"


def _ports() -> str:
    found = sorted(str(port) for kind in ("ttyUSB*", "ttyACM*") for port in Path("/dev").glob(kind))
    return f"ports here are {', '.join(found)}" if found else "no port is here, check the cable and the power"
