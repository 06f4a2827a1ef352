"""Reads on in a log that another program writes, across rotation, truncation and deletion.

A look opens the file, reads and closes it: nothing is held open between two looks, so that a log may be
renamed, removed or unmounted, and a reader that was lost goes on from where it was.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

READ_BYTES = 1 << 16
"""The most that one look reads; where it returns so much there may be more."""


class Place(NamedTuple):
    """How far a log was read: the file's number (inode) and the bytes of it that are behind us."""

    inode: int
    offset: int


BEGINNING = Place(0, 0)
"""Before anything was read: a file that turns up later is new from its first byte (no inode is 0)."""


def end_of(path: Path) -> Place:
    """The present end of a log: what is written from now on is new. Raises OSError."""
    found = path.stat()
    return Place(found.st_ino, found.st_size)


def look(path: Path, place: Place) -> tuple[bytes, Place]:
    """What was written since ``place``, and the new place. Raises OSError where there is no file.

    A file that was renamed (rotated at midnight) is read to its end under its new name before the new one
    begins. One that has become shorter was begun anew.
    """
    found = path.stat()
    if found.st_ino != place.inode:
        rest = _read(_renamed(path, place.inode), place.offset)
        if rest:
            return rest, Place(place.inode, place.offset + len(rest))
        place = Place(found.st_ino, 0)
    elif found.st_size < place.offset:
        place = Place(found.st_ino, 0)
    data = _read(path, place.offset)
    return data, place._replace(offset=place.offset + len(data))


def _read(path: Path | None, offset: int) -> bytes:
    if path is None:
        return b""
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        return file.read(READ_BYTES) or b""


def _renamed(path: Path, inode: int) -> Path | None:
    """The file of this number beside ``path`` (klippy.log.2025-01-23), if it is still there."""
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name.startswith(path.name) and entry.inode() == inode:
                return Path(entry.path)
    return None
