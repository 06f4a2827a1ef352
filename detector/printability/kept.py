"""What takes long to find out, found out once: arrays by name, in memory and in a folder.

kept = Kept(folder); kept.of("of-17", look)["profiles"]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.files import replacing

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]


class Kept:
    """Threads and processes may share a folder: a file is whole or not there. Without one, memory alone.

    Threads that ask for the same name at once wait for the first one to find it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[str, Arrays] = {}
        self._finding: dict[str, Lock] = {}

    def of(self, name: str, find: Callable[[], Arrays]) -> Arrays:
        """What goes by this name, a file's name; by ``find`` where it is not known yet."""
        with self._finding.setdefault(name, Lock()):
            if name not in self._known:
                self._known[name] = self._read(name) or self._found(name, find)
            return self._known[name]

    def _read(self, name: str) -> Arrays | None:
        if self._folder is None or not (path := self._folder / f"{name}.npz").is_file():
            return None
        with np.load(path) as arrays:
            return {own: arrays[own] for own in arrays.files}

    def _found(self, name: str, find: Callable[[], Arrays]) -> Arrays:
        found = find()
        if self._folder is not None:
            with replacing(self._folder / f"{name}.npz") as unfinished, unfinished.open("wb") as file:
                np.savez_compressed(file, **dict[str, Any](found))
        return found
