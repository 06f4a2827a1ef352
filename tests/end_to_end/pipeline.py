"""Runs the real stages as real processes over recorded prints, and reads back what they wrote."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detector.episodes import Phase
from detector.state import PrinterState
from ingest.farm import load_farm
from ingest.records import decode
from ingest.stage import StoreSource
from ingest.store import Stores, open_stores
from ingest.stream import GROUPS, backlog, key
from sinks.read_log import read_anomalies, read_scores
from tests.waiting import wait_until

SHARDS = 2
STAGES = ("ingest", "detector", "sinks")
FARM = """\
[farm]
data = "data"
shards = {shards}

[detector]
threads = 1

[log]
flush_s = 0.2
"""


def write_farm(folder: Path, printers: dict[str, tuple[str, str]]) -> Path:
    """A farm file for recorded printers: name -> (camera, telemetry), either may be empty."""
    text = FARM.format(shards=SHARDS)
    for name, (camera, telemetry) in printers.items():
        text += f'\n[[printers]]\nname = "{name}"\n'
        text += f'camera = "{camera}"\n' if camera else ""
        text += f'telemetry = "{telemetry}"\n' if telemetry else ""
    farm = folder / "farm.toml"
    farm.write_text(text)
    return farm


class Pipeline:
    """The three stages of one farm file, each a process that can be killed and started again."""

    def __init__(self, farm: Path) -> None:
        self.farm = farm
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (farm.parent / "stages.log").open("ab")

    def start(self, stage: str, prelude: str = "") -> None:
        """Start a stage; ``prelude`` is Python that runs before it, to make it die at a chosen point."""
        arguments = [str(self.farm), *(["--speed", "0"] if stage == "ingest" else [])]
        code = f"{prelude}\nimport sys, runpy\nsys.argv = {[stage, *arguments]!r}\n"
        code += f"runpy.run_module({stage!r}, run_name='__main__', alter_sys=True)\n"
        command = [sys.executable, "-W", "ignore::RuntimeWarning", "-c", code]
        self.running[stage] = subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def kill(self, stage: str) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.running[stage].send_signal(signal.SIGKILL)
        self.running[stage].wait()

    def died(self, stage: str) -> bool:
        return self.running[stage].poll() is not None

    def stop(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait(30)
        self._log.close()

    def log(self) -> str:
        return (self.farm.parent / "stages.log").read_text(errors="replace")


def progress(stores: Stores, stream: str = "scores") -> int:
    """How many entries were ever added to a stream, over all shards."""
    total = 0
    for shard in range(SHARDS):
        if stores.events.exists(key(stream, shard)):
            total += int(stores.events.xinfo_stream(key(stream, shard))["entries-added"])
    return total


def open_episodes(stores: Stores) -> int:
    """How many anomalies are open at this moment."""
    states = [
        decode(data, PrinterState)
        for shard in range(SHARDS)
        for data in stores.events.hgetall(key("state", shard)).values()
    ]
    return sum(episode.phase is Phase.OPEN for state in states for episode in state.episodes.values())


def all_done(stores: Stores, pipeline: Pipeline) -> bool:
    """Whether the recordings have ended and all that came of them is judged, logged and told."""
    return pipeline.died("ingest") and not any(waiting(stores))


def waiting(stores: Stores) -> Iterator[str]:
    """Which groups have not worked through which streams yet, and by how many entries."""
    for name, groups in GROUPS.items():
        for group, shard in itertools.product(groups, range(SHARDS)):
            if left := backlog(stores.events, key(name, shard), group):
                yield f"{group} of {key(name, shard)}: {left}"


def rows(farm: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """What the log holds: scores without their stream ids, and all revisions of all anomalies."""
    log = farm.parent / "data" / "log"
    scores = read_scores(log).drop(["stream", "entry_id"]).to_pylist()
    scores.sort(key=lambda row: (row["printer"], row["index"]))
    anomalies = sorted(read_anomalies(log, latest_only=False), key=lambda a: (a.printer, a.id, a.revision))
    return scores, anomalies


def run_undisturbed(farm: Path) -> None:
    """The whole pipeline once, without any trouble; the test's process owns the stores."""
    with StoreSource(load_farm(farm)) as source:
        stores = open_stores(source.urls())
        pipeline = Pipeline(farm)
        try:
            for stage in STAGES:
                pipeline.start(stage)
            wait_until(lambda: all_done(stores, pipeline), 120, "the pipeline to work everything through")
        except AssertionError as error:
            ended = {stage: pipeline.died(stage) for stage in STAGES}
            error.add_note(f"waiting: {[*waiting(stores)]}, ended: {ended}\n{pipeline.log()[-2000:]}")
            raise
        finally:
            pipeline.stop()
            stores.close()
