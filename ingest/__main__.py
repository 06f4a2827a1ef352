"""``python -m ingest FARM.toml``: the ingest stage as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from ingest.errors import SourceError
from ingest.farm import load_farm
from ingest.feed import Feed
from ingest.records import Health
from ingest.running import FINE, run_stage
from ingest.stage import StoreSource, data_folder
from ingest.worker import IngestWorker


def ingest(path: Path, stop: threading.Event, speed: float | None = 1.0) -> int:
    """Read all printers until they end or ``stop`` is set. Raises SourceError where one could not be read."""
    farm = load_farm(path)
    data_folder(farm)
    with StoreSource(farm) as source:
        worker = IngestWorker(farm, source, speed=speed)
        asyncio.run(worker.run(stop))
    raise_where_down(worker.feeds)
    return FINE


def raise_where_down(feeds: Sequence[Feed]) -> None:
    """Raise SourceError with what was wrong with the sources that could not be read, if any."""
    told = [f"{feed.name}: {feed.detail}" for feed in feeds if feed.health is Health.DOWN]
    if told:
        raise SourceError("\n".join(told))


def main() -> int:
    """Read the command line and run the stage."""
    parser = argparse.ArgumentParser(prog="ingest", description="Capture cameras and telemetry into windows.")
    parser.add_argument("farm", type=Path, help="the farm file (farm.toml)")
    parser.add_argument(
        "--speed",
        type=float,
        default=1.0,
        help="recorded sources: times their own pace; 0 = as fast as it goes",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    options = parser.parse_args()
    return run_stage(lambda stop: ingest(options.farm, stop, options.speed or None), debug=options.debug)


if __name__ == "__main__":
    sys.exit(main())
