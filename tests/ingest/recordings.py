"""Recordings made for tests, and what is read of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ingest.cameras.registry import open_camera
from ingest.recordings.format import About
from ingest.recordings.writer import RecordingWriter
from ingest.records import NS_PER_S, Event, EventKind, Frame, Reading, SerialLine
from ingest.sources import Item, TelemetryItem
from ingest.telemetry import open_telemetry

BEGIN_NS = 1_767_225_600 * NS_PER_S  # 2026-01-01


def jpeg(seed: int = 0, size: int = 32) -> bytes:
    """A picture of noise, which packs no smaller."""
    picture = np.random.default_rng(seed).integers(0, 255, (size, size, 3), np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def frame(at_ns: int, seed: int = 0, camera: str = "mjpeg:http://10.0.0.7/") -> Frame:
    return Frame(printer="p", camera=camera, captured_ns=at_ns, jpeg=jpeg(seed), width=32, height=32)


def reading(at_ns: int, value: float = 200.0, channel: str = "hotend_c") -> Reading:
    return Reading(printer="p", at_ns=at_ns, channel=channel, value=value)


def event(at_ns: int, kind: EventKind = EventKind.PAUSED, text: str = "//action:paused") -> Event:
    return Event(printer="p", at_ns=at_ns, kind=kind, text=text)


def line(at_ns: int, text: str = "ok", *, sent: bool = False) -> SerialLine:
    return SerialLine(printer="p", at_ns=at_ns, text=text, sent=sent)


def second(number: int) -> list[Item]:
    """What a print tells in its n-th second."""
    at_ns = BEGIN_NS + number * NS_PER_S
    told = f"T:{200 + number}"
    return [line(at_ns, told), reading(at_ns, 200.0 + number), event(at_ns, text=told), frame(at_ns, number)]


def own_ns(item: Item) -> int:
    return item.captured_ns if isinstance(item, Frame) else item.at_ns


def write(path: Path, chunks: Iterable[Sequence[Item]], about: About | None = None) -> Path:
    """A finished recording with these chunks; everything arrives at once with its own time."""
    writer = begin(path, chunks, about)
    writer.finish()
    return path


def begin(path: Path, chunks: Iterable[Sequence[Item]], about: About | None = None) -> RecordingWriter:
    """A recording that goes on."""
    writer = RecordingWriter(path, about or About(printer="p"))
    for chunk in chunks:
        for item in chunk:
            writer.add(item, own_ns(item))
        writer.end_chunk()
        writer.write()
    return writer


def read_frames(path: Path, options: str = "") -> list[Frame]:
    async def collect() -> list[Frame]:
        return [one async for one in open_camera(f"recording:{path}{options}", "p").frames()]

    return asyncio.run(collect())


def read_telemetry(path: Path) -> list[TelemetryItem]:
    """Everything, the raw lines too."""

    async def collect() -> list[TelemetryItem]:
        source = open_telemetry(f"recording:{path}", "p")
        source.with_lines = True
        return [item async for item in source.items()]

    return asyncio.run(collect())
