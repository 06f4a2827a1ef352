"""The live table of a farm in the terminal: a row a printer, with what it says and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from rich.table import Table
from rich.text import Text

from detector.anomaly import Anomaly, State
from ingest.errors import RecordError
from ingest.records import CHANNEL, Window, decode
from ingest.store import Stores
from ingest.stream import DATA, key, shard_of, store_errors

LATEST = 64
"""Newest windows of a shard among which each of its printers is looked for."""


class Panel:
    """Collects what is to be shown; ``draw`` makes the table of it."""

    def __init__(self, names: Sequence[str], stores: Stores, shards: int) -> None:
        self._names, self._stores, self._shards = names, stores, shards
        self._open: dict[str, dict[str, Anomaly]] = {name: {} for name in names}

    def take(self, anomaly: Anomaly) -> None:
        """Note an anomaly's newest revision."""
        running = self._open.setdefault(anomaly.printer, {})
        if anomaly.state is State.CLOSED:
            running.pop(anomaly.id, None)
        else:
            running[anomaly.id] = anomaly

    def draw(self, left_s: float) -> Table:
        """The table as it is now."""
        drawn = Table(title=f"nozzlewatch demo, {max(0, left_s):.0f} s to go", title_justify="left")
        for heading in ("printer", "hot end", "bed", "camera", "what is wrong"):
            drawn.add_column(heading)
        windows = self._latest()
        for name in self._names:
            drawn.add_row(name, *_sensed(windows.get(name)), _told(self._open[name]))
        return drawn

    def _latest(self) -> dict[str, Window]:
        found: dict[str, Window] = {}
        for shard in sorted({shard_of(name, self._shards) for name in self._names}):
            with store_errors():
                rows = cast(list[Any], self._stores.events.xrevrange(key("windows", shard), count=LATEST))
            for _, fields in rows:
                try:
                    window = decode(fields[DATA], Window)
                except (RecordError, msgspec.DecodeError):
                    continue
                found.setdefault(window.printer, window)
        return found


def _sensed(window: Window | None) -> tuple[str, str, str]:
    if window is None:
        return "…", "…", "…"
    values = window.values()[-1]
    hotend, bed = (
        f"{values[CHANNEL[f'{part}_c']]:.1f} / {values[CHANNEL[f'{part}_target_c']]:.0f} °C"
        for part in ("hotend", "bed")
    )
    picture = f"{window.frame.width}x{window.frame.height}" if window.frame else "no picture"
    return hotend, bed, picture


def _told(running: dict[str, Anomaly]) -> Text:
    if not running:
        return Text("nothing", style="green")
    lines = [f"{anomaly.kind.value.replace('_', ' ')}: {anomaly.text}" for anomaly in running.values()]
    return Text("\n".join(lines), style="bold red")
