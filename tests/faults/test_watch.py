"""``nozzlewatch watch`` keeps its stages alive."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from ingest.simulate.recording import write_recording
from ingest.store import EmbeddedStores
from tests.end_to_end.pipeline import progress, rows, run_undisturbed, write_farm
from tests.faults.test_kills import ask
from tests.waiting import wait_until

SECONDS = 240


def children(parent: int) -> dict[str, int]:
    """The stages that a process has started: module -> pid."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                words = (stat.parent / "cmdline").read_bytes().decode().split("\0")
                if "-m" in words:
                    found[words[words.index("-m") + 1]] = int(stat.parent.name)
    return found


def test_a_killed_stage_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "watched").mkdir()
    (tmp_path / "undisturbed").mkdir()
    write_recording(tmp_path / "print", SECONDS, fps=0.5)
    sources = (f"images:{tmp_path}/print/frames", f"log:{tmp_path}/print/serial.log")
    farm = write_farm(tmp_path / "watched", {"ender": sources})
    reference = write_farm(tmp_path / "undisturbed", {"ender": sources})
    run_undisturbed(reference)

    command = [sys.executable, "-m", "nozzlewatch", "watch", str(farm), "--speed", "15"]
    embedded = EmbeddedStores(tmp_path / "watched" / "data")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as watch:
        wait_until(lambda: ask(embedded, progress) >= 30, 60, "the first judged windows")
        # Ingest first: it plays at its own pace and may be done before the others on a slow machine.
        for stage, goal in (("ingest", 80), ("detector", 140), ("sinks", 200)):
            os.kill(children(watch.pid)[stage], signal.SIGKILL)
            wait_until(lambda stage=stage: stage in children(watch.pid), 30, f"{stage} to be started again")
            wait_until(lambda goal=goal: ask(embedded, progress) >= goal, 60, f"{goal} judged windows")
        assert watch.wait(90) == 0  # it ends by itself when the recording is over
        assert watch.stderr is not None
        told = watch.stderr.read()
    assert "detector ended with -9; starting it again" in told
    assert rows(farm) == rows(reference)
