"""Logs made for tests, and what is read of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.records import Event, EventKind, Reading
from ingest.sources import TelemetryItem, parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.log_file import LogFile

OCTO = "2021-05-10 17:00:{:02d},000 - octoprint.util.comm - WARNING - Received an error"
HEAD = "| Last lines in terminal:"


def open_log(path: Path, options: str = "") -> LogFile:
    source = LogFile(parse_address(f"log:{path}{options}", TELEMETRY), "p1")
    assert source.recorded
    return source


def read(source: LogFile) -> list[TelemetryItem]:
    async def collect() -> list[TelemetryItem]:
        return [item async for item in source.items()]

    items = asyncio.run(collect())
    assert [item.at_ns for item in items] == sorted(item.at_ns for item in items)
    return items


def log_of(tmp_path: Path, *lines: str, options: str = "") -> LogFile:
    path = tmp_path / "printer.log"
    path.write_bytes("\r\n".join(lines).encode())
    return open_log(path, options)


def ns(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def values(items: list[TelemetryItem], channel: str) -> list[tuple[int, float]]:
    return [(i.at_ns, i.value) for i in items if isinstance(i, Reading) and i.channel == channel]


def events(items: list[TelemetryItem]) -> list[EventKind]:
    return [item.kind for item in items if isinstance(item, Event)]
