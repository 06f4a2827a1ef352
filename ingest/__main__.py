"""``python -m ingest FARM.toml``: the ingest stage as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from pathlib import Path

from ingest.farm import load_farm
from ingest.records import Health
from ingest.stage import FAILED, FINE, StoreSource, data_folder, run_stage
from ingest.worker import IngestWorker


def ingest(path: Path, stop: threading.Event, speed: float | None = 1.0) -> int:
    """Read all printers of a farm until they end or ``stop`` is set; 1 where a printer could not be read."""
    farm = load_farm(path)
    data_folder(farm)
    with StoreSource(farm) as source:
        worker = IngestWorker(farm, source, speed=speed)
        asyncio.run(worker.run(stop))
    return FAILED if any(feed.health is Health.DOWN for feed in worker.feeds) else FINE


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
