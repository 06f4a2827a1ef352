"""Which simulator made a recording: a hash over all code that decides what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
SERVING = frozenset(
    {
        "__main__.py",
        "camera.py",
        "camera_server.py",
        "demo.py",
        "farm.py",
        "files.py",
        "pty_port.py",
        "recording.py",
    }
)
"""What only serves a live simulated farm: it decides nothing of a recording."""
DIGITS = 12


@cache
def simulator_version() -> str:
    """The version of this simulator: it changes with every byte of its source that may change a recording."""
    own = (path for path in HERE.rglob("*.py") if path.relative_to(HERE).as_posix() not in SERVING)
    return digest(HERE, own)


def gcode_version(folder: Path | None) -> str:
    """A hash of the G-code files in a folder, "" for none."""
    return digest(folder, folder.glob("*.gcode")) if folder is not None else ""


def digest(base: Path, files: Iterable[Path]) -> str:
    """Twelve digits of the SHA-256 over the files' names below ``base`` and their bytes, sorted by name."""
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(base).as_posix(), path) for path in files):
        content = path.read_bytes()
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:DIGITS]
