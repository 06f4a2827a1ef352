"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, to be written; it becomes ``path`` when the block ends well.

    Whoever is killed in the middle leaves the former file as it was. The folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        _sync(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Down to the disk, before its name is: a power cut must not leave the name of an empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
