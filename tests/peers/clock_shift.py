"""A process whose wall clock can be set while it runs, as if it had a machine of its own."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


class WallClock:
    """The wall clock of processes that run in ``environment``; all others keep theirs."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler here to build the clock with: apt-get install gcc libc6-dev")
        library, self._file = folder / "clock_shift.so", folder / "clock_shift"
        self._file.write_bytes(struct.pack("=q", 0))
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT_FILE": str(self._file)}

    def set_by(self, seconds: int) -> None:
        """Set the clock by so much against that of the machine."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", seconds))
