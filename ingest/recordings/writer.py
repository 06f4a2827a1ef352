"""Writes a recording so that it is readable at every moment, up to the last chunk that was written whole."""

from __future__ import annotations

import os
from collections import deque
from importlib.metadata import version
from pathlib import Path
from typing import IO, cast

import msgspec
from mcap.writer import CompressionType, Writer

from ingest.errors import UsageError
from ingest.recordings.format import (
    LABELS,
    METADATA,
    About,
    Truth,
    definition,
    text_of,
    to_label,
    to_message,
)
from ingest.sources import Item

SUFFIX = ".mcap"
CHUNK_BYTES = 1 << 20
"""A chunk ends after this much: what Foxglove and the readers of other languages work well with."""

LATEST_NS = 2**63
"""MCAP's times are unsigned; what lies before 1970 or beyond this cannot be written."""


class RecordingWriter:
    """One recording in the making. Never overwrites a file.

    ``add`` packs in memory and touches no disk; ``write`` may run in another thread meanwhile. Where it fails
    the file ends with its last whole chunk, and what could not be written waits for the next ``write``.
    ``finish`` adds the index that Foxglove opens large files by; a file without it is read all the same.
    """

    def __init__(self, path: Path, about: About) -> None:
        """Create the file. Raises UsageError where it exists already or cannot be created."""
        self.path = path
        self.out_of_range = 0  # items whose time MCAP cannot hold
        self._outbox = _Outbox()
        self._mcap = Writer(cast(IO[bytes], self._outbox), CHUNK_BYTES, CompressionType.LZ4)
        self._channels: dict[str, int] = {}
        self._mcap.start(library=f"nozzlewatch {version('nozzlewatch')}")
        self._mcap.add_metadata(METADATA, _fields(about))
        self._file = _created(path)
        try:
            self.write()
        except OSError as error:
            self.discard()
            raise UsageError(f"{path}: found {error.strerror}, expected room for a recording") from error

    @property
    def size(self) -> int:
        """Bytes in the file so far."""
        return self._file.size

    @property
    def waiting(self) -> int:
        """Bytes of ended chunks that are still to be written."""
        return self._outbox.told - self._file.size

    def add(self, item: Item, arrival_ns: int) -> None:
        """Take an item that arrived at ``arrival_ns``; one whose time MCAP cannot hold is only counted."""
        topic, data, event_ns = to_message(item)
        self._add(topic, data, arrival_ns, event_ns)

    def add_label(self, truth: Truth) -> None:
        """Note what is known of a stretch of the print; it lies where the stretch begins."""
        self._add(LABELS, to_label(truth), truth.from_ns, truth.from_ns)

    def end_chunk(self) -> None:
        """End the chunk in the making, so that the next ``write`` holds everything that was added."""
        self._mcap.flush()  # type: ignore[no-untyped-call]

    def write(self, *, sync: bool = False) -> None:
        """Write the chunks that have ended; with ``sync`` they outlast a power cut. Raises OSError."""
        while self._outbox.parts:
            self._file.append(self._outbox.parts[0])
            self._outbox.parts.popleft()
        if sync:
            self._file.sync()

    def finish(self) -> None:
        """Write what is left and the index, and close the file, in any case. Raises OSError."""
        try:
            self._mcap.finish()  # type: ignore[no-untyped-call]
            self.write(sync=True)
        finally:
            self._file.close()

    def discard(self) -> None:
        """Close the file and remove it: nothing came of it."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _add(self, topic: str, data: bytes, arrival_ns: int, event_ns: int) -> None:
        if not (0 <= arrival_ns < LATEST_NS and 0 <= event_ns < LATEST_NS):
            self.out_of_range += 1
            return
        channel = self._channels.get(topic) or self._registered(topic)
        self._mcap.add_message(channel, arrival_ns, data, event_ns)

    def _registered(self, topic: str) -> int:
        """The number of a topic that is new to the file."""
        told = definition(topic)
        schema = self._mcap.register_schema(told.name, told.schema_encoding, told.schema)
        channel = self._mcap.register_channel(topic, told.encoding, schema)
        self._channels[topic] = channel
        return channel


class _Outbox:
    """The stream that the MCAP library writes to: parts in memory, until ``write`` takes them to the disk."""

    def __init__(self) -> None:
        self.parts: deque[bytes] = deque()
        self.told = 0

    def write(self, part: bytes) -> int:
        if part:
            self.parts.append(part)
            self.told += len(part)
        return len(part)

    def tell(self) -> int:
        return self.told

    def flush(self) -> None:
        """Nothing is held back here."""


class _File:
    """A file that only ever grows by whole parts."""

    def __init__(self, descriptor: int) -> None:
        self.size = 0
        self._descriptor = descriptor

    def append(self, part: bytes) -> None:
        """Write all of it, or leave the file as it was. Raises OSError."""
        end, left = self.size, memoryview(part)
        try:
            while left:
                written = os.pwrite(self._descriptor, left, end)
                end, left = end + written, left[written:]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size = end

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close it; again is no mistake."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def check_new(path: Path) -> None:
    """Raise UsageError where a recording cannot be made under this name."""
    if path.suffix != SUFFIX:
        raise UsageError(f"{path}: found the ending {path.suffix!r}, expected {SUFFIX}: name it NAME{SUFFIX}")
    if path.exists():
        raise UsageError(
            f"{path}: found that it exists already, expected a new name: a recording is never overwritten"
        )


def _created(path: Path) -> _File:
    check_new(path)
    try:
        return _File(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
    except OSError as error:
        raise UsageError(
            f"{path}: found {error.strerror}, expected a file to write: check the folder and its permissions"
        ) from error


def _fields(about: About) -> dict[str, str]:
    return {name: text_of(value) for name, value in msgspec.structs.asdict(about).items() if value}
