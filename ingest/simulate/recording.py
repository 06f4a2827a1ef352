"""Recordings of simulated prints, made as fast as the CPU allows: a folder of pictures and a serial log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.simulate.faults import Fault
from ingest.simulate.simulated import REPORT_COMMAND, SimulatedPrinter
from ingest.simulate.toolpath import Order

MS_PER_S = 1_000
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def write_recording(
    folder: Path,
    seconds: float,
    faults: Iterable[Fault] = (),
    seed: int = 1,
    fps: float = 1.0,
    *,
    orders: Iterable[Order] = (),
    epoch: datetime = EPOCH,
) -> None:
    """Write ``frames/<ms since 1970>.jpg`` and ``serial.log`` (OctoPrint's form, UTC) of one print.

    Both lie on the same time axis, which starts at ``epoch``. The same arguments give the same bytes.
    """
    printer = SimulatedPrinter("recorded", seed, faults, orders=orders)
    frames = folder / "frames"
    frames.mkdir(parents=True, exist_ok=True)
    with (folder / "serial.log").open("w", encoding="utf-8", newline="\n") as log:
        log.write(_log_line(epoch, 0.0, f"Send: {REPORT_COMMAND}"))
        for at_s in (frame / fps for frame in range(int(seconds * fps))):
            log.writelines(_heard(printer, at_s, epoch))
            _write_picture(printer, at_s, frames / f"{_epoch_ms(epoch, at_s)}.jpg")
        log.writelines(_heard(printer, seconds, epoch))


def _heard(printer: SimulatedPrinter, at_s: float, epoch: datetime) -> list[str]:
    return [_log_line(epoch, said_s, f"Recv: {line}") for said_s, line in printer.lines_until(at_s)]


def _write_picture(printer: SimulatedPrinter, at_s: float, path: Path) -> None:
    jpeg = printer.jpeg_at(at_s)
    if jpeg is not None:
        path.write_bytes(jpeg)


def _epoch_ms(epoch: datetime, at_s: float) -> int:
    return round(epoch.timestamp() * MS_PER_S) + round(at_s * MS_PER_S)


def _log_line(epoch: datetime, at_s: float, text: str) -> str:
    moment = epoch.astimezone(UTC) + timedelta(milliseconds=round(at_s * MS_PER_S))
    return f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // MS_PER_S:03d} - {text}\n"
