"""Real G-code files as jobs: which split prints which, and moved onto our bed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ingest.simulate.jobs.read import read_job
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Feature, Toolpath
from ingest.telemetry.gcode.file import read_lines

EDGE_MM = 4.0
_WORD = re.compile(r"([XY])(-?[0-9]+(?:\.[0-9]*)?)")
_LAYER = re.compile(r";\s*(?:LAYER|<layer|BEFORE_LAYER|CHANGE_LAYER|layer )")
TRAIN_FILES, VAL_FILES = 4, 6
"""Of twelve files by name, so many are the training split's, and up to so many the validation split's."""


def files_of(folder: Path, split: Split) -> list[Path]:
    """The files of a folder that a split prints: by their order by name, a third, a sixth and the rest."""
    files = sorted(folder.glob("*.gcode"))
    share = [12 * number // max(len(files), 1) for number in range(len(files))]
    spans = {Split.TRAIN: (0, TRAIN_FILES), Split.VAL: (TRAIN_FILES, VAL_FILES), Split.TEST: (VAL_FILES, 12)}
    low, high = spans[split]
    return [file for file, place in zip(files, share, strict=True) if low <= place < high]


def read_real(file: Path, bed_mm: tuple[float, float]) -> tuple[list[str], Toolpath]:
    """The lines of a real file and its moves; moved to the bed's middle where the print lies off the bed."""
    lines = [line.rstrip("\r\n") for line in read_lines(file)]
    path = read_job(lines, bed_mm)
    shift_mm = _way_to_bed(path, bed_mm)
    if shift_mm is None:
        return lines, path
    lines = _moved(lines, shift_mm, bed_mm)
    return lines, read_job(lines, bed_mm)


def _way_to_bed(path: Toolpath, bed_mm: tuple[float, float]) -> tuple[float, float] | None:
    prints = (path.melted_mm_s > 0) & (path.feature != Feature.PURGE)
    if not prints.any():
        return None
    low, high = path.points[1:, :2][prints].min(0), path.points[1:, :2][prints].max(0)
    if (low > EDGE_MM).all() and (high < np.array(bed_mm) - EDGE_MM).all():
        return None
    x_mm, y_mm = np.array(bed_mm) / 2 - (low + high) / 2
    return round(float(x_mm), 3), round(float(y_mm), 3)


def _moved(lines: list[str], shift_mm: tuple[float, float], bed_mm: tuple[float, float]) -> list[str]:
    """The moves from the first layer on by so much further; those before it kept on the bed."""
    begin = next((number for number, line in enumerate(lines) if _LAYER.match(line)), 0)
    by = {"X": (shift_mm[0], bed_mm[0]), "Y": (shift_mm[1], bed_mm[1])}

    def shifted(word: re.Match[str]) -> str:
        return f"{word[1]}{float(word[2]) + by[word[1]][0]:.3f}"

    def kept(word: re.Match[str]) -> str:
        return f"{word[1]}{min(max(float(word[2]), 1.0), by[word[1]][1] - 1.0):.3f}"

    return [
        _WORD.sub(shifted if number >= begin else kept, line) if line.startswith(("G0 ", "G1 ")) else line
        for number, line in enumerate(lines)
    ]
