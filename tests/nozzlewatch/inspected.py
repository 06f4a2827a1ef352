"""Runs ``surface inspect`` and reads what it said; pictures to give it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from typer.testing import CliRunner

from features.picture import Picture
from nozzlewatch.surface import app

SIDE = 64
CLASSES = ("dark", "light")


class Told(NamedTuple):
    """How a run of the command ended."""

    code: int
    out: str
    said: str  # on standard error


def inspect(model: Path, source: object, *options: object) -> Told:
    usual = ["--model-path", str(model), "--engine", "torch"]  # which has nothing to compile
    result = CliRunner().invoke(app, ["inspect", str(source), *usual, *map(str, options)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Told(result.exit_code, result.stdout, result.stderr)


def objects(model: Path, source: object, *options: object) -> list[dict[str, Any]]:
    told = inspect(model, source, "--json", "-", *options)
    assert told.code == 0, told
    found: list[dict[str, Any]] = json.loads(told.out)
    return found


def noise(seed: int, height: int = 48, width: int = 60, level: int = 60) -> Picture:
    random = np.random.default_rng(seed)
    return random.integers(level - 40, level + 40, (height, width, 3)).astype(np.uint8)
