"""What a tap adds to the way of a line: from a host to its printer and back, beside a pty without a tap."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import select
import statistics
import tempfile
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure
from ingest.telemetry import open_telemetry

ROUND_TRIPS = 2000
WARM_UP = 100
LINE = b"N1234 G1 X101.337 Y99.412 E0.03341*107\n"
ANSWER = b"ok\n"
LIMIT_S = 30.0
SETTLES_S = 0.2
"""How long nothing more is said once the tap lets the host through."""


def measure(round_trips: int = ROUND_TRIPS) -> Iterator[Figure]:
    """Half of the time from a line sent until its "ok" is there: the median and the 99th percentile."""
    direct = _delays_ms(round_trips, tapped=False)
    tapped = _delays_ms(round_trips, tapped=True)
    yield Figure("tap_delay_ms", statistics.median(tapped), "ms", "direct pty", statistics.median(direct))
    yield Figure("tap_delay_ms p99", _p99(tapped), "ms", "direct pty", _p99(direct))


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[-1]


def _delays_ms(round_trips: int, *, tapped: bool) -> list[float]:
    """One way of each round trip, ms; the printer answers in a thread, the tap works in a process."""
    printer, port = os.openpty()
    tty.setraw(port)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.callback(os.close, printer)
        stack.callback(os.close, port)
        path = os.ttyname(port)
        if tapped:
            path = stack.enter_context(_tap(path, Path(folder) / "link"))
        host = os.open(path, os.O_RDWR | os.O_NOCTTY)
        stack.callback(os.close, host)
        stop = threading.Event()
        answering = threading.Thread(target=_answer, args=(printer, stop))
        answering.start()
        stack.callback(answering.join)
        stack.callback(stop.set)
        _first_trip(host)
        return [_trip_ms(host) for _ in range(WARM_UP + round_trips)][WARM_UP:]


@contextlib.contextmanager
def _tap(port: str, link: Path) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_run_tap, args=(port, str(link)))
    process.start()
    until_s = time.monotonic() + LIMIT_S
    while not link.is_symlink():
        if time.monotonic() > until_s:
            raise TimeoutError(f"found no link after {LIMIT_S:g} s, expected the tap to make it")
        time.sleep(0.01)
    try:
        yield str(link)
    finally:
        process.terminate()
        process.join()


def _run_tap(port: str, link: str) -> None:
    async def run() -> None:
        async for _ in open_telemetry(f"tap:{port}?link={link}", "bench").items():
            pass

    asyncio.run(run())


def _answer(printer: int, stop: threading.Event) -> None:
    """Say "ok" to each line, as a printer that has nothing to do."""
    while not stop.is_set():
        if select.select([printer], [], [], 0.1)[0]:
            os.write(printer, ANSWER * os.read(printer, 4096).count(b"\n"))


def _first_trip(host: int) -> None:
    """Until the host is heard; what else was said by then is left."""
    os.write(host, LINE)
    _read_answer(host)
    while select.select([host], [], [], SETTLES_S)[0]:
        os.read(host, 4096)


def _trip_ms(host: int) -> float:
    began_s = time.perf_counter()
    os.write(host, LINE)
    _read_answer(host)
    return (time.perf_counter() - began_s) * 1000 / 2


def _read_answer(host: int) -> None:
    read = b""
    while not read.endswith(ANSWER):
        if not select.select([host], [], [], LIMIT_S)[0]:
            raise TimeoutError(f"found no answer in {LIMIT_S:g} s, expected {ANSWER!r}")
        read += os.read(host, 4096)


if __name__ == "__main__":
    for figure in measure():
        print(
            f"{figure.name}: {figure.value:.3f} {figure.unit}, {figure.baseline}: {figure.baseline_value:.3f}"
        )
