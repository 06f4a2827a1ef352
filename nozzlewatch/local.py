"""All stages of a farm on one machine: each a process of its own, started anew when it dies.

This process owns the embedded stores; the stages attach to them. A stage that crashes loses nothing: what
it had taken and not committed comes again from the streams.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from ingest.errors import NozzlewatchError, StoreUnreachable
from ingest.farm import SOURCES, PrinterTable
from ingest.running import FAILED, FINE, WRONG_USE
from ingest.stage import StoreSource, data_folder
from ingest.store import Stores, start_child
from ingest.stream import GROUPS, backlog, key
from sinks.settings import load_settings

log = logging.getLogger("nozzlewatch")

STAGES = ("ingest", "detector", "sinks")
"""In the order in which they end."""

POLL_S = 0.2
STOP_LIMIT_S = 15.0
"""How long a stage may take to end in order before it is killed."""

RESTART_FIRST_S, RESTART_MOST_S = 1.0, 30.0
"""Waits before a stage that died is started again: doubled each time; a minute of life resets it."""

HEALTHY_S = 60.0


class Stage:
    """One stage's process and what is to be known to start it again."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._command = [sys.executable, *command]
        self._wait_s, self._since_s, self._due_s = RESTART_FIRST_S, 0.0, 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._since_s = time.monotonic()
        self._process = start_child(self._command, quiet=False)

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs or waits to be started again."""
        return self._process.poll() if self._process is not None else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def revive(self) -> None:
        """Start the stage again when its time has come; called again and again while it is dead."""
        now_s = time.monotonic()
        if self._process is not None:
            code = self._process.poll()
            if now_s - self._since_s > HEALTHY_S:
                self._wait_s = RESTART_FIRST_S
            log.error("%s ended with %s; starting it again in %g s", self.name, code, self._wait_s)
            self._process, self._due_s = None, now_s + self._wait_s
            self._wait_s = min(2 * self._wait_s, RESTART_MOST_S)
        elif now_s >= self._due_s:
            self.start()

    def end(self) -> None:
        """Ask it to end, wait until it has ended in order; kill it when it takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            log.warning("%s did not end within %g s: killed", self.name, STOP_LIMIT_S)
            self._process.kill()
            self._process.wait()


class LocalFarm:
    """The stages of a farm file. Use as a context: inside it the stores run; leaving it ends all in order."""

    def __init__(self, path: Path, *, speed: float = 1.0, debug: bool = False) -> None:
        """Raises FarmFileError for a farm file with mistakes, StoreError where no store can be had."""
        self.settings = load_settings(path)
        farm = self.settings.detector.farm
        data_folder(farm)
        self._shards = range(farm.table.shards)
        # A farm of recordings may end, well or not; one that is live may only be stopped.
        self._ended = (FINE, FAILED) if all(map(is_recorded, farm.printers)) else (FINE,)
        self._source = StoreSource(farm)
        flags = ["--debug"] if debug else []
        self._commands = {
            "ingest": ["-m", "ingest", str(path), "--speed", f"{speed:g}", *flags],
            "detector": ["-m", "detector", str(path), *flags],
            "sinks": ["-m", "sinks", str(path), *flags],
        }
        self._stages: dict[str, Stage] = {}

    def __enter__(self) -> LocalFarm:
        self._source.__enter__()
        try:
            self.stores().close()
        except NozzlewatchError:
            self._source.__exit__(None, None, None)
            raise
        return self

    def start(self, *names: str) -> None:
        """Start these stages, or all of them."""
        for name in names or STAGES:
            self._stages[name] = Stage(name, self._commands[name])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._source.__exit__(kind, error, trace)

    def end(self) -> None:
        """End the stages, the capturing one first; what is not judged or logged yet waits in the streams."""
        for name in STAGES:
            if name in self._stages:
                self._stages.pop(name).end()

    def stores(self) -> Stores:
        """Connections to the farm's stores."""
        return self._source.open()

    def run(self, stop: threading.Event, watch: Callable[[], None] = lambda: None) -> int:
        """Keep the stages alive until ``stop`` is set or all recorded sources are worked through.

        ``watch`` is called a few times a second. Returns an exit code.
        """
        while not stop.wait(POLL_S):
            watch()
            if self._source.embedded is not None and self._source.embedded.broken:
                log.error("a server of the embedded store died; starting it again")
                self._source.urls()
            for stage in self._stages.values():
                code = stage.code
                if code == WRONG_USE:
                    return WRONG_USE
                if stage.name == "ingest" and code is not None and code in self._ended:
                    if self.idle():
                        return code
                elif not stage.alive:
                    stage.revive()
        return FINE

    def idle(self) -> bool:
        """Whether everything that was written is judged, logged and told."""
        try:
            stores = self.stores()
        except StoreUnreachable:
            return False
        try:
            return not any(
                backlog(stores.events, key(name, shard), group)
                for name, groups in GROUPS.items()
                for group in groups
                for shard in self._shards
            )
        finally:
            stores.close()


def is_recorded(printer: PrinterTable) -> bool:
    """Whether a printer's sources are recordings: a farm file mixes them with live ones for no printer."""
    return SOURCES[(printer.camera or printer.telemetry).partition(":")[0]].recorded


def watch(path: Path, stop: threading.Event, *, speed: float = 1.0, debug: bool = False) -> int:
    """Watch a farm until ``stop`` is set, or until its recorded sources have ended."""
    with LocalFarm(path, speed=speed, debug=debug) as farm:
        farm.start()
        printers = len(farm.settings.detector.farm.printers)
        log.info("watching %d printers; the log is %s", printers, farm.settings.log_path)
        return farm.run(stop)
