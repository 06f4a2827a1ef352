"""What the rules tell of real serial logs, and when, beside the firmware's own words.

    [NOZZLEWATCH_DATA=DIR] python -m bench.real_logs

Replays every ``telemetry/serial/*.log`` of the folder of real data through the whole pipeline.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path

from bench.machine import data_dir
from detector.anomaly import Anomaly
from ingest.records import NS_PER_S, Event, EventKind
from ingest.telemetry import open_telemetry
from nozzlewatch.replay import replay
from sinks.read_log import read_anomalies

NEAR_NS = 120 * NS_PER_S
"""A halt or an error belongs to an anomaly that began at most so long before it."""


def opened(path: Path) -> tuple[int, list[Anomaly]]:
    """Windows of a log, and every anomaly as it was when it opened."""
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as out:
        windows = replay([f"log:{path}"], Path(out), stop=threading.Event()).windows
        anomalies = read_anomalies(Path(out) / "log", latest_only=False)
    return windows, [one for one in anomalies if one.revision == 1]


async def firmware_words(path: Path) -> list[Event]:
    items = open_telemetry(f"log:{path}", "p").items()
    kinds = (EventKind.ERROR, EventKind.HALTED)
    return [item async for item in items if isinstance(item, Event) and item.kind in kinds]


def beside_firmware(anomaly: Anomaly, words: list[Event]) -> str:
    """How long before the firmware's first word of it the anomaly was told."""
    near = [one for one in words if -NS_PER_S <= one.at_ns - anomaly.onset_ns <= NEAR_NS]
    if not near:
        return "the firmware says nothing"
    lead_s = (near[0].at_ns - anomaly.detected_ns) / NS_PER_S
    return f"{abs(lead_s):.1f} s {'before' if lead_s > 0 else 'after'} {near[0].text[:40]!r}"


def main() -> None:
    logs = sorted((data_dir() / "telemetry" / "serial").glob("*.log"))
    for path in logs:
        windows, anomalies = opened(path)
        words = asyncio.run(firmware_words(path))
        print(f"\n{path.name}: {windows} windows, {len(words)} errors and halts of the firmware")
        for one in anomalies:
            print(f"  {one.kind:13s} {beside_firmware(one, words):60s} {one.text}")


if __name__ == "__main__":
    main()
