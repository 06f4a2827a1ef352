"""What workers that share topics tell each other when a partition moves: what their logs hold already.

A commit can be refused or lost when partitions move, after the rows are durable; the partition's next owner
then reads them again, and its log is another one. So a worker notes what it has made durable before it
commits that, in a file beside its log, and whoever gets partitions reads the notes of the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec

from sinks.errors import SinkError
from sinks.sink import Entry

Mark: TypeAlias = tuple[str, Entry]
"""The farm, and the entry there: what tells events of several farms apart."""

NOTE = ".uncommitted"
WORKERS = "worker=*"
"""The folders of workers, beside each other: what else is there is nobody's note."""
KEPT_S = 600.0
"""How long a note stays whose commit was refused: longer than a partition takes to find its next owner."""

_Notes = list[tuple[float, Mark]]


class Handover:
    """The notes of the worker whose log is in ``folder``; the others' lie in the folders beside it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NOTE
        self._notes: _Notes = []
        self._refused = 0  # how many of them, the first ones, are from commits before the last note

    def note(self, durable: Iterable[Mark]) -> None:
        """Say that these are durable here, before they are committed. Raises SinkError."""
        now_s = time.time()
        self._notes = [one for one in self._notes if now_s - one[0] < KEPT_S]
        self._refused = len(self._notes)
        self._notes += [(now_s, mark) for mark in durable]
        self._write()

    def committed(self) -> None:
        """What was noted last needs no note any more. Raises SinkError."""
        del self._notes[self._refused :]
        self._write()

    def held_by_others(self) -> set[Mark]:
        """What the other workers' logs hold and nobody has committed. Raises SinkError."""
        try:
            paths = [
                path for path in self._path.parent.parent.glob(f"{WORKERS}/{NOTE}") if path != self._path
            ]
            return {mark for path in paths for _, mark in _read(path)}
        except OSError as error:
            raise SinkError(
                f"{self._path.parent.parent}: cannot read the other workers' notes ({error})"
            ) from error

    def _write(self) -> None:
        try:
            if not self._notes:
                self._path.unlink(missing_ok=True)
                return
            part = self._path.with_suffix(".part")
            with part.open("wb") as file:
                file.write(msgspec.msgpack.encode(self._notes))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise SinkError(f"{self._path}: cannot write ({error}): make room or allow writing") from error


def _read(path: Path) -> _Notes:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=_Notes)
    except FileNotFoundError:  # committed in between
        return []
    except msgspec.DecodeError as error:
        raise SinkError(f"{path}: found other bytes than a worker's notes ({error}): remove it") from error
