"""Where pictures of surfaces come from: one file, a folder of them, or one look through a camera."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from detector.surface.folders import pictures_in
from features.picture import Picture
from features.stills import decode_still, read_still
from ingest.cameras.registry import CAMERAS, open_camera
from ingest.errors import SourceError, UsageError
from ingest.sources import Camera, without_login
from nozzlewatch.trial import failed, first_frame


class Still(NamedTuple):
    """A picture that can be read: BGR uint8 [height, width, 3]. Reading raises SourceError."""

    name: str
    read: Callable[[], Picture]


class Stills(NamedTuple):
    """All pictures of a source, in order. ``name`` holds no login; ``alone``: one was asked for by name."""

    name: str
    stills: tuple[Still, ...]
    alone: bool


def find_stills(where: str) -> Stills:
    """The pictures that a path or a camera's address names; none is read yet, no camera is opened.

    Of a folder, those in it and in the folders directly in it. Raises UsageError for what is neither a path
    that exists nor an address, SourceError for a folder without pictures.
    """
    path = Path(where)
    if not _exists(path):
        name = without_login(where)
        return Stills(name, (Still(name, partial(_look, _camera(where), where)),), alone=True)
    if path.is_dir():
        return Stills(shown(path), tuple(_still(file) for file in pictures_in(path)), alone=False)
    return Stills(shown(path), (_still(path),), alone=True)


def shown(path: Path | str) -> str:
    """A path as text that can be written: a name that is no UTF-8 keeps what can be read of it."""
    return os.fsencode(path).decode(errors="replace")


def _still(path: Path) -> Still:
    return Still(shown(path), partial(_read, path))


def _read(path: Path) -> Picture:
    if path.is_dir():
        raise SourceError(
            f"{shown(path)}: found a folder that cannot be read or lies too deep, expected a picture: "
            "name the folder itself, or let it be read"
        )
    return read_still(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # longer than any file's name, as a camera's address may be
        return False


def _camera(where: str) -> Camera:
    try:
        return open_camera(where, "surface")
    except SourceError as error:
        if where.partition(":")[0] in CAMERAS:
            raise UsageError(str(error)) from error
        raise UsageError(
            f"{without_login(where)}: found no such file or folder, expected a picture, a folder of them or "
            f"a camera's address ({error}): check the path"
        ) from error


def _look(camera: Camera, where: str) -> Picture:
    """One picture through a camera, within trial.FIRST_S."""
    try:
        frame = asyncio.run(first_frame(camera))
    except SourceError as error:
        raise SourceError(failed(where, error)) from error
    return decode_still(frame.jpeg, without_login(where))
