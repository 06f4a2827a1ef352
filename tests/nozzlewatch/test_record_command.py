"""``record`` records a live print, real ports and sockets, until it is told to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import NozzlewatchError, SourceError, UsageError
from ingest.recordings.reader import Recording
from ingest.records import Reading, SerialLine
from nozzlewatch.record import record
from tests.ingest.recordings import read_frames, read_telemetry
from tests.waiting import wait_until

FARM = """\
[farm]
name = "shed"

[[printers]]
name = "printer-1"
camera = "simulated:printer-1.sock"
telemetry = "serial:printer-1.tty?poll=0.5"

[[printers]]
name = "unplugged"
telemetry = "serial:/dev/ttyNONE0"

[[printers]]
name = "old"
telemetry = "log:serial.log"
"""


@pytest.fixture(scope="module")
def farm() -> Iterator[Path]:
    """A farm file beside a simulated printer that prints; its path is short, as sockets want it."""
    with tempfile.TemporaryDirectory(prefix="nw") as name:
        folder = Path(name)
        (folder / "farm.toml").write_text(FARM)
        command = [
            sys.executable,
            "-m",
            "ingest.simulate",
            "--dir",
            name,
            "--printers",
            "1",
            "--seconds",
            "600",
        ]
        with subprocess.Popen(command) as simulated:
            wait_until((folder / "ready").exists, 30, "the simulated farm")
            yield folder / "farm.toml"
            simulated.terminate()


def command(farm: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "nozzlewatch", "record", str(farm), "-o", str(out), *options]


def check_print(path: Path) -> None:
    """The recording holds all that a print tells."""
    assert len(read_frames(path)) >= 2
    telemetry = read_telemetry(path)
    assert {item.channel for item in telemetry if isinstance(item, Reading)} >= {"hotend_c", "bed_c", "lines"}
    assert any(isinstance(item, SerialLine) and item.text.startswith(("T:", "ok T:")) for item in telemetry)


def test_a_live_print_is_recorded_for_so_long(farm: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.mcap"
    line = command(farm, out, "--printer", "printer-1", "--seconds", "3", "--json", "-")
    ended = subprocess.run(line, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    assert told["whole"] and told["size"] == out.stat().st_size
    assert told["counts"]["frames"] == len(read_frames(out))
    check_print(out)
    recording = Recording(out)
    assert recording.about is not None and recording.counts == {}
    assert (recording.about.farm, recording.about.printer) == ("shed", "printer-1")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_recording_ends_in_order_or_is_killed_and_is_read(
    farm: Path, tmp_path: Path, how: signal.Signals
) -> None:
    out = tmp_path / "p.mcap"
    with subprocess.Popen(
        command(farm, out, "--printer", "printer-1"), stdout=subprocess.DEVNULL
    ) as recorder:
        wait_until(lambda: out.exists() and out.stat().st_size > 5_000, 30, "the first chunk")
        os.kill(recorder.pid, how)
        assert recorder.wait(20) == (0 if how is signal.SIGINT else -signal.SIGKILL)
    check_print(out)


@pytest.mark.parametrize(
    ("printer", "error", "told"),
    [
        ("printer-l", UsageError, "did you mean printer-1?"),
        (None, UsageError, "expected --printer and one of printer-1, unplugged, old"),
        ("old", UsageError, "nozzlewatch import makes a recording of it"),
        ("unplugged", SourceError, "/dev/ttyNONE0: found no such port"),
    ],
)
def test_what_cannot_be_recorded_is_told_and_leaves_no_file(
    farm: Path, tmp_path: Path, printer: str | None, error: type[NozzlewatchError], told: str
) -> None:
    out = tmp_path / "p.mcap"
    with pytest.raises(error) as refused:
        record(farm, printer, out, seconds=0.3, stop=threading.Event())
    assert told in str(refused.value)
    assert not out.exists()
