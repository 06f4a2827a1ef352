"""``python -m sinks FARM.toml``: the sinks as a process of their own, one thread for each."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ingest.stage import FINE, StoreSource, data_folder, run_stage
from ingest.store import Stores
from ingest.stream import LOG
from sinks.alerts import AlertWorker
from sinks.consume import LOGGED, Plan, SinkWorker
from sinks.log_pictures import FrameStore
from sinks.open_log import open_log
from sinks.outbox import Courier
from sinks.pictures import Pictures
from sinks.settings import SinkSettings, load_settings
from sinks.sink import Sink


class Work(Protocol):
    """One thread of the sinks."""

    def run(self, stop: threading.Event, *, until: Callable[[], bool] = lambda: False) -> None:
        """Serve until ``stop`` is set, or ``until`` holds and nothing is left."""


def build_workers(settings: SinkSettings, source: StoreSource) -> list[Work]:
    """The log, the policy, and a courier for each channel."""
    farm = settings.detector.farm
    shards = farm.table.shards
    log_plan = Plan(LOG, LOGGED, settings.log.flush_rows, settings.log.flush_s)
    channels, pictures = settings.channels(), Pictures(settings.detector.views)

    def log(stores: Stores) -> Sink:
        return open_log(settings.log, farm.data, FrameStore(stores.frames, shards))

    return [
        SinkWorker(source, shards, log_plan, log),
        AlertWorker(source, shards, settings.rules, channels),
        *(Courier(source, channel, pictures) for channel in channels),
    ]


def sink(path: Path, stop: threading.Event) -> int:
    """Write the log and send the alerts until ``stop`` is set."""
    settings = load_settings(path)
    data_folder(settings.detector.farm)
    with StoreSource(settings.detector.farm) as source:
        source.urls()  # embedded servers belong to this thread, which lives as long as the process
        run_all([worker.run for worker in build_workers(settings, source)], stop)
    return FINE


def run_all(works: Sequence[Callable[[threading.Event], None]], stop: threading.Event) -> None:
    """Run each in a thread of its own until all have ended; the first error stops them all and is raised."""
    errors: list[Exception] = []

    def guarded(work: Callable[[threading.Event], None]) -> None:
        try:
            work(stop)
        except Exception as error:
            errors.append(error)
            stop.set()

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)  # in short turns, so that the main thread still gets its signals
    if errors:
        raise errors[0]


def main() -> int:
    """Read the command line and run the stage."""
    parser = argparse.ArgumentParser(prog="sinks", description="Write the Parquet log and send alerts.")
    parser.add_argument("farm", type=Path, help="the farm file (farm.toml)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    options = parser.parse_args()
    return run_stage(lambda stop: sink(options.farm, stop), debug=options.debug)


if __name__ == "__main__":
    sys.exit(main())
