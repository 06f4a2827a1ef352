"""``nozzlewatch demo``: a simulated farm, watched for real, with faults that come by themselves.

The printers are simulated; everything else is what runs beside real ones: ptys, JPEG frames, Valkey
servers, the stages as processes of their own. At the end it says how soon each fault was found.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import cast

from rich.console import Console
from rich.live import Live

from detector.anomaly import Anomaly
from ingest.errors import NozzlewatchError, UsageError
from ingest.running import FAILED, FINE
from ingest.simulate.demo import demo_names
from ingest.simulate.farm import READY, TRUTH
from ingest.stage import STATUS_KEY
from ingest.store import Stores, start_child
from nozzlewatch.follow import AnomalyTopic
from nozzlewatch.local import LocalFarm
from nozzlewatch.outcome import Outcome, judge_demo, read_truth, summary, summary_json
from nozzlewatch.output import write_json
from nozzlewatch.panel import Panel
from sinks.anomaly_text import one_line

START_LIMIT_S = 60.0
POLL_S = 0.1
SETTLE_S = 6.0
"""After the last second of the simulation: what was captured last is aligned (3 s), judged and logged."""

FARM = """\
[farm]
name = "demo"
data = "data"
shards = 2

[log]
flush_s = 2.0

[alerts]
console = false  # the demo shows the anomalies itself
"""


def demo(
    printers: int, seconds: float, seed: int, folder: Path | None, stop: threading.Event, json: str | None
) -> int:
    """Run the demo; exit code 0 where every injected fault was found and nothing else was told."""
    with _folder(folder) as where:
        names = demo_names(printers)
        farm_file = _write_farm(where, names)
        outcome = _watch(where, farm_file, names, seconds, seed, stop, Console(stderr=json == "-"))
    if json is not None:
        write_json(json, summary_json(outcome))
    else:
        summary(outcome, Console())
    return FINE if outcome.all_found or stop.is_set() else FAILED


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """The folder of this demo: the wanted one is kept, a temporary one is removed."""
    if wanted is not None:
        yield _own(wanted).resolve()
        return
    temporary = Path(tempfile.mkdtemp(prefix="nozzlewatch-"))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _own(folder: Path) -> Path:
    """The folder, made where it is missing. Raises UsageError where it holds other things.

    A demo removes what an earlier one left, which it knows by its farm file.
    """
    farm = folder / "farm.toml"
    folder.mkdir(parents=True, exist_ok=True)
    earlier = farm.is_file() and farm.read_text(encoding="utf-8", errors="replace").startswith(FARM)
    if any(folder.iterdir()) and not earlier:
        raise UsageError(f"--dir {folder}: found a folder with other things, expected an empty or a new one")
    return folder


def _write_farm(where: Path, names: list[str]) -> Path:
    """A farm file for the simulated printers, as a user would write one."""
    text = FARM
    for name in names:
        text += (
            f'\n[[printers]]\nname = "{name}"\n'
            f'camera = "simulated:printers/{name}.sock"\ntelemetry = "serial:printers/{name}.tty"\n'
        )
    farm = where / "farm.toml"
    farm.write_text(text, encoding="utf-8")
    return farm


def _watch(
    where: Path,
    farm_file: Path,
    names: list[str],
    seconds: float,
    seed: int,
    stop: threading.Event,
    console: Console,
) -> Outcome:
    shutil.rmtree(where / "data", ignore_errors=True)
    console.print(
        f"{len(names)} simulated printers for {seconds:g} s; the farm is in {where}", highlight=False
    )
    with ExitStack() as stack:
        # The detector loads for some seconds; the printers begin when it is there to watch them.
        farm = stack.enter_context(LocalFarm(farm_file))
        farm.start("detector", "sinks")
        _wait(lambda: _detector_lives(farm), "the detector", stop)
        simulation = stack.enter_context(_simulation(where / "printers", len(names), seconds, seed))
        _wait((where / "printers" / READY).exists, "the simulated printers", stop, simulation)
        farm.start("ingest")
        stores = farm.stores()
        stack.callback(stores.close)
        show = stack.enter_context(_Show(console, names, farm, stores, seconds + SETTLE_S))
        if farm.run(show.over, lambda: show.look(stop)):
            raise NozzlewatchError(
                "demo: found a mistake in the farm file that the demo wrote, expected none"
            )
        farm.end()  # before the printers: their ending is no part of the show
    return judge_demo(read_truth(where / "printers" / TRUTH), show.anomalies, show.heard_ns)


class _Show:
    """What the demo shows while it runs: a live table, or plain lines where there is no terminal."""

    def __init__(
        self, console: Console, names: list[str], farm: LocalFarm, stores: Stores, seconds: float
    ) -> None:
        self.over = threading.Event()
        self.anomalies: list[Anomaly] = []
        self.heard_ns: dict[str, int] = {}  # when an anomaly's opening was seen here, by its id
        shards = range(farm.settings.detector.farm.table.shards)
        self._console, self._until_s = console, time.monotonic() + seconds
        self._topic = AnomalyTopic(stores.events, shards, since="0")
        self._panel = Panel(names, stores, len(shards))
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def look(self, stop: threading.Event) -> None:
        """Show what has come since the last look."""
        left_s = self._until_s - time.monotonic()
        for anomaly in self._topic.read():
            self.anomalies.append(anomaly)
            self.heard_ns.setdefault(anomaly.id, time.time_ns())
            self._panel.take(anomaly)
            if self._live is None:
                self._console.print(one_line(anomaly), markup=False, highlight=False, soft_wrap=True)
        if self._live is not None:
            self._live.update(self._panel.draw(left_s))
        if stop.is_set() or left_s < 0:
            self.over.set()

    def __enter__(self) -> _Show:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


@contextmanager
def _simulation(folder: Path, printers: int, seconds: float, seed: int) -> Iterator[subprocess.Popen[bytes]]:
    """The simulated printers as a process of their own, ended when the context is left."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "ingest.simulate", "--dir", str(folder), "--printers", str(printers)]
    command += ["--seconds", f"{seconds:g}", "--linger", "60", "--seed", str(seed)]
    process = start_child(command, quiet=False)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait(
    condition: Callable[[], bool],
    what: str,
    stop: threading.Event,
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Wait until the condition holds. Raises NozzlewatchError after the limit, or when ``process`` ended."""
    until_s = time.monotonic() + START_LIMIT_S
    while not condition() and not stop.wait(POLL_S):
        if time.monotonic() > until_s or (process is not None and process.poll() is not None):
            raise NozzlewatchError(f"demo: {what} did not start; run it with --debug to see why")


def _detector_lives(farm: LocalFarm) -> bool:
    stores = farm.stores()
    try:
        return any(b"detector" in field for field in cast(list[bytes], stores.events.hkeys(STATUS_KEY)))
    finally:
        stores.close()
