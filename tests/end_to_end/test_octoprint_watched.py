"""A farm with an OctoPrint: its prints are the windows' jobs, and what is told to it is really done."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.farm import load_farm
from ingest.records import Mark, Window, decode
from ingest.stage import StoreSource
from ingest.stream import DATA, key, shard_of
from tests.peers.octoprint_server import OctoPrintServer, serving
from tests.waiting import wait_until

LIMIT_S = 60.0
PRINT = ["G21", "G90", "M82", "G28", "M104 S60"] + [
    f"G1 X{20 * (n % 2)} Y10 Z0.2 E{0.02 * n:.3f} F1200" for n in range(5000)
]


class WatchedFarm:
    """Ingest at work on one OctoPrint, as a process."""

    def __init__(self, folder: Path, octoprint: OctoPrintServer) -> None:
        self.farm = folder / "farm.toml"
        address = f'telemetry = "{octoprint.address()}"'
        self.farm.write_text(f'[farm]\nlateness_s = 0.5\n[[printers]]\nname = "pi"\n{address}\n')
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "ingest", str(self.farm)])

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(30) == 0
        self._process = None

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run one of our commands on this farm."""
        name, *words = command.split()
        line = [sys.executable, "-m", "nozzlewatch", name, str(self.farm), *words]
        return subprocess.run(line, check=False, capture_output=True, text=True, timeout=LIMIT_S)

    def newest(self) -> Window | None:
        farm = load_farm(self.farm)
        with contextlib.suppress(Exception), contextlib.closing(StoreSource(farm).attach()) as stores:
            stream = key("windows", shard_of("pi", farm.table.shards))
            return decode(stores.events.xrevrange(stream, count=1)[0][1][DATA], Window)
        return None

    def until(self, job: str, *, idle: bool) -> str:
        """Wait for a window of this job's name; its whole job."""

        def there() -> bool:
            window = self.newest()
            return (
                window is not None and window.job.startswith(job) and bool(window.marks & Mark.IDLE) is idle
            )

        wait_until(there, LIMIT_S, f"a window of {job}, idle {idle}")
        window = self.newest()
        assert window is not None
        return window.job


@pytest.fixture(scope="module")
def octoprint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OctoPrintServer]:
    with serving(tmp_path_factory.mktemp("octoprint") / "base") as server:
        yield server


@pytest.fixture
def watched(tmp_path: Path, octoprint: OctoPrintServer) -> Iterator[WatchedFarm]:
    octoprint.idle()
    farm = WatchedFarm(tmp_path, octoprint)
    farm.start()
    yield farm
    farm.stop()
    octoprint.idle()


def test_a_print_is_paused_resumed_and_cancelled_by_command(
    watched: WatchedFarm, octoprint: OctoPrintServer
) -> None:
    watched.until("idle", idle=True)
    octoprint.print_file("cube.gcode", PRINT)
    job = watched.until("cube.gcode ", idle=False)

    for action, flag in (("pause", "paused"), ("resume", "printing")):
        told = watched.run(f"tell pi {action}")
        assert (told.returncode, f"pi: {action} done" in told.stdout) == (0, True), told
        assert octoprint.flag(flag)

    checked = watched.run("check --json -")
    part = next(row for row in json.loads(checked.stdout) if row["part"] == "pi")
    assert part["fine"], part

    watched.stop()
    watched.start()
    assert watched.until("cube.gcode ", idle=False) == job  # the same print goes on
    assert watched.run("tell pi cancel").returncode == 0
    assert watched.until("cube.gcode ", idle=True) == job
    assert octoprint.flag("operational")
    assert not octoprint.flag("printing")
    refused = watched.run("tell pi pause")
    assert (refused.returncode, "pi: pause failed" in refused.stdout) == (1, True), refused
